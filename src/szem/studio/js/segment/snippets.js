// The calls behind the page, as lines to copy. Pure: text in, text out.

export function curlText(origin, { file, sampleUrl, model }) {
  const fetchIt = sampleUrl ? `curl -s -o ${file} ${origin}${sampleUrl}\n` : "";
  const call = `curl -s -g -H "Content-Type: application/octet-stream" --data-binary @${file} \\\n  "${origin}/v1/szem/segment?model=${model}`;
  return `${fetchIt}# the areas, each with its mask; masks=png gives the class of every pixel as a small PNG\n${call}"

# a PNG with the colours and names drawn over it
${call}&answer=overlay" -o seen.png

# the object in a box
${call}&boxesXyxy=[[40,60,120,220]]"`;
}

export function szemText({ file, model }) {
  return `import szem

picture = szem.read_picture("${file}")
masks = szem.segment(picture, model="${model}")
for area in masks.areas:
    print(f"{area.fraction:.1%}  {area.label}")

szem.write_picture("seen.png", masks.draw(picture))
found = szem.outline(picture, [[40, 60, 120, 220]])  # the object in a box`;
}

export function commandText({ file, model }) {
  return `szem segment ${file} --model ${model}                        # the overlay, in segmented/
szem segment ${file} --model ${model} --write labels,coco,areas
szem segment clip.mp4 --model ${model}                       # a film gives a film`;
}
