// The calls behind the page, as lines to copy. Pure: text in, text out.

export function shellText({ query }) {
  return `szem search ${JSON.stringify(query)} FOLDER
szem search ${JSON.stringify(query)} FOLDER --html found.html
szem search --like photo.jpg FOLDER`;
}

export function pythonText({ query }) {
  return `import szem

for hit in szem.search(${JSON.stringify(query)}, "FOLDER").fitting:
    print(f"{hit.score:.2f}  {hit.path}")`;
}

export function curlText(origin, { query }) {
  return `(printf '{"text": ${JSON.stringify(query)}, "images": [{"content": "'
 base64 -w0 photo.jpg; printf '"}]}') |
curl -s ${origin}/v1/szem/search -H "Content-Type: application/json" --data-binary @-`;
}
