// The calls behind the page, as lines to copy. Pure: text in, text out.

const FEATURES = ["LABEL_DETECTION", "IMAGE_PROPERTIES", "CROP_HINTS"];

/** With curl, which every system has: the picture goes in as base64. */
export function curlText(origin, { file, sampleUrl, ratios }) {
  const fetchIt = sampleUrl ? `curl -s -o ${file} ${origin}${sampleUrl}\n` : "";
  return `${fetchIt}curl -s ${origin}/v1/images:annotate \\
  -H "Content-Type: application/json" -d @- <<JSON
{"requests": [{
  "image": {"content": "$(base64 < ${file} | tr -d '\\n')"},
  "features": [
${FEATURES.map((type) => `    {"type": "${type}"}`).join(",\n")}
  ],
  "imageContext": {"cropHintsParams": {"aspectRatios": [${ratios.join(", ")}]}}
}]}
JSON`;
}

/** With Google's own client, unchanged: only the endpoint is another. */
export function googleText(origin, { file, ratios }) {
  return `# pip install google-cloud-vision
from google.auth.credentials import AnonymousCredentials
from google.cloud import vision

client = vision.ImageAnnotatorClient(
    credentials=AnonymousCredentials(),
    transport="rest",
    client_options={"api_endpoint": "${origin}"},
)
with open("${file}", "rb") as picture:
    image = vision.Image(content=picture.read())

answer = client.annotate_image({
    "image": image,
    "features": [
${FEATURES.map((type) => `        {"type_": vision.Feature.Type.${type}},`).join("\n")}
    ],
    "image_context": {"crop_hints_params": {"aspect_ratios": [${ratios.join(", ")}]}},
})
for label in answer.label_annotations:
    print(f"{label.score:.2f}  {label.description}")`;
}

/** With szem itself, in one process, without a server. */
export function szemText({ file }) {
  return `import szem

picture = szem.read_picture("${file}")
labels = szem.classify(picture, top=10, maps=True)
for label in labels:
    print(f"{label.score:.2f}  {label.name}")

szem.write_picture("where-it-looked.png", labels.draw(picture))`;
}
