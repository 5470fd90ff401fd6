// The calls behind the page, as lines to copy. Pure: text in, text out.

export function pythonText({ text, seed, truncation }) {
  return `import szem

drawn = szem.generate(${JSON.stringify(text)}, n=9, seed=${seed}, truncation=${truncation})
szem.write_picture("grid.png", drawn.sheet(stages=True))
print(szem.caption(drawn.pictures[0]).text)`;
}

export function curlText(origin, { text, seed, truncation }) {
  const body = JSON.stringify({ text, n: 1, seed, truncation }).replaceAll("'", "\\u0027");
  return `curl -s ${origin}/v1/szem/generate -H "Content-Type: application/json" \\
  -d '${body}' | python -c "import base64, json, sys
open('drawn.png', 'wb').write(base64.b64decode(json.load(sys.stdin)['pictures'][0]))"`;
}

export function shellText({ text, seed, truncation }) {
  return `szem generate ${JSON.stringify(text)} --n 9 --seed ${seed} --truncation ${truncation} --stages --out grid.png
szem caption grid.png`;
}
