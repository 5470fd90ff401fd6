// The calls behind the page, as lines to copy. Pure: text in, text out.

export function curlText(origin, { file, sampleUrl, start }) {
  const fetchIt = sampleUrl ? `curl -s -o ${file} ${origin}${sampleUrl}\n` : "";
  const begin = start ? `&start=${encodeURIComponent(start)}` : "";
  return `${fetchIt}curl -s "${origin}/v1/szem/caption?n=3&others=5${begin}" \\
  -H "Content-Type: ${file.endsWith(".png") ? "image/png" : "image/jpeg"}" --data-binary @${file}`;
}

export function pythonText({ file, start }) {
  const begin = start ? `, start=${JSON.stringify(start)}` : "";
  return `import szem

picture = szem.read_picture("${file}")
said = szem.caption(picture, n=3, attention=True${begin})
for sentence in said:
    print(f"{sentence.probability:.4f}  {sentence.text}")

szem.write_picture("where-it-looked.png", said.draw_attention(picture))`;
}

export function shellText({ file, start }) {
  const begin = start ? ` --start ${JSON.stringify(start)}` : "";
  return `szem caption ${file} --top 3${begin} --attention where-it-looked.png
szem search "two dogs in the snow" FOLDER
szem caption --alt SITE`;
}
