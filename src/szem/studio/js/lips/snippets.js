// The calls behind the page, as lines to copy. Pure: text in, text out.

export function curlText(origin, { file, use }) {
  return `curl -s "${origin}/v1/szem/lipread?use=${use}" \\
  -H "Content-Type: video/mp4" --data-binary @${file}`;
}

export function pythonText({ file, use, noise }) {
  const more = noise === null ? "" : `, noise_db=${noise}`;
  return `import szem

said = szem.lipread("${file}", use="${use}"${more})
print(said)  # the words, or "no reading: …" with the reason
for word in said:
    print(f"{word.start_s:.2f} to {word.end_s:.2f} s  {word.confidence:.0%}  {word.text}")`;
}

export function shellText({ file, use, noise }) {
  const more = noise === null ? "" : ` --noise ${noise}dB`;
  return `szem lipread ${file} --use ${use}${more} --srt said.srt`;
}

export function wordCurlText(origin, { file }) {
  return `curl -s "${origin}/v1/szem/lipwords?top=3" \\
  -H "Content-Type: video/mp4" --data-binary @${file}`;
}

export function wordPythonText({ file }) {
  return `from szem.tasks.faces.mouth_crops import track_mouth
from szem.tasks.lipreading.single_words import read_lip_word

said = read_lip_word(track_mouth("${file}"), top=3)
for label in said:
    print(f"{label.score:.0%}  {label.name}")`;
}

export function wordShellText({ file }) {
  return `szem lipread ${file} --single any`;
}
