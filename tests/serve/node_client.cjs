// Asks a szem server through Google's own Node client, @google-cloud/vision.
// Usage: node node_client.cjs MODULES grpc|rest HOST PORT PICTURE  ->  one JSON object on standard output.
const fs = require('node:fs');
const {createRequire} = require('node:module');

const [modules, transport, host, port, picture] = process.argv.slice(2);
const load = createRequire(`${modules}/@google-cloud/vision/package.json`);
const vision = load('@google-cloud/vision');

function open() {
  const options = {apiEndpoint: host, port: Number(port), projectId: 'p'};
  if (transport === 'grpc') {
    const {grpc} = load('google-gax');
    return new vision.ImageAnnotatorClient({...options, sslCreds: grpc.credentials.createInsecure()});
  }
  // A server that asks for no key takes any; without one the client looks for an account of Google's.
  return new vision.ImageAnnotatorClient({...options, apiKey: 'none', fallback: true, protocol: 'http'});
}

async function main() {
  const client = open();
  const content = fs.readFileSync(picture);
  const [labels] = await client.labelDetection({image: {content}});
  const [colors] = await client.imageProperties({image: {content}});
  const [bad] = await client.annotateImage({image: {content: Buffer.from('none')}, features: [{type: 'LABEL_DETECTION'}]});
  let refused = null;
  try {
    await client.batchAnnotateImages({requests: [{image: {content}, features: [{type: 'LABEL_DETECTION', maxResults: -1}]}]});
  } catch (error) {
    refused = {code: error.code, message: error.message};
  }
  const row = {image: {content}, features: [{type: 'OBJECT_LOCALIZATION'}, {type: 'CROP_HINTS'}]};
  const [batch] = await client.batchAnnotateImages({requests: [row, row]});
  console.log(JSON.stringify({
    labels: labels.labelAnnotations.map(label => [label.description, label.score]),
    colors: colors.imagePropertiesAnnotation.dominantColors.colors.length,
    bad: bad.error,
    refused,
    objects: batch.responses.map(one => one.localizedObjectAnnotations.map(object => object.name)),
    crops: batch.responses.map(one => one.cropHintsAnnotation.cropHints.length),
  }));
  await client.close();
}

main().then(() => process.exit(0), error => { console.error(error); process.exit(1); });
