// The network lab's routes, as its pages use them. Every failure is a Problem with a name.

import { sendable } from "../pictures/decode.js";
import { Problem } from "../problems.js";
import { ask as askServer } from "../server.js";

const LAB = "/v1/szem/lab";

/** As `ask`; what the server has forgotten since (it was started anew, or much was looked at) has a name of its own. */
async function ask(path, options) {
  try {
    return await askServer(path, options);
  } catch (error) {
    if (error instanceof Problem && error.code === "not-here") throw new Problem("look-forgotten", {}, error.detail);
    throw error;
  }
}

/** {networks: [{name, title, task, text}], limits} */
export async function fetchNetworks() {
  return (await askServer(`${LAB}/networks`)).json();
}

/** Send an ONNX file; gives its name on the server. */
export async function sendNetwork(file, mostBytes) {
  if (file.size === 0) throw new Problem("file-empty", { name: file.name });
  if (file.size > mostBytes) throw new Problem("file-too-large", { name: file.name, size: (file.size / 1e6).toFixed(0), most: mostBytes / 1e6 });
  try {
    const answer = await askServer(`${LAB}/networks?title=${encodeURIComponent(file.name.slice(0, 80))}`, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file });
    return (await answer.json()).name;
  } catch (error) {
    if (error instanceof Problem && ["refused", "not-here", "too-large-for-server"].includes(error.code)) throw new Problem("network-refused", { name: file.name }, error.detail);
    throw error;
  }
}

/** Look at a still with a network: {look, layers, answer, crop_xyxy, …}. */
export async function look(network, still) {
  const blob = await sendable(still);
  const answer = await ask(`${LAB}/looks?network=${encodeURIComponent(network)}`, { method: "POST", headers: { "Content-Type": blob.type || "image/jpeg" }, body: blob });
  return answer.json();
}

/** What runs a network is a POST. */
const post = (path) => ask(`${LAB}${path}`, { method: "POST" });
const postForJson = async (path) => (await post(path)).json();

export const inputUrl = (name) => `${LAB}/looks/${name}/input.png`;

/** Uint8Array: one small map per layer, side × side each. */
export async function fetchThumbs(name) {
  return new Uint8Array(await (await post(`/looks/${name}/thumbs`)).arrayBuffer());
}

/**
 * All maps of a layer: {maps, rows, columns, low, high, bytes}; number = low[m] + byte / 255 · (high[m] − low[m]).
 */
export async function fetchMaps(name, layer) {
  return unpackMaps(await (await post(`/looks/${name}/layers/${layer}/maps`)).arrayBuffer());
}

/** The layout that szem.serve.handlers.lab.pack_maps writes. Pure. */
export function unpackMaps(buffer) {
  const [maps, rows, columns] = new Uint32Array(buffer, 0, 3);
  const low = new Float32Array(buffer, 12, maps);
  const high = new Float32Array(buffer, 12 + 4 * maps, maps);
  return { maps, rows, columns, low, high, bytes: new Uint8Array(buffer, 12 + 8 * maps) };
}

export async function fetchNeuron(name, layer, { map, row, column }) {
  return postForJson(`/looks/${name}/layers/${layer}/neuron?map=${map}&row=${row}&column=${column}`);
}

/** {name, occlusion: {drop, probability, …}, class_map, why_no_class_map} */
export const findHeat = (name, classIndex) => postForJson(`/looks/${name}/heat${classIndex === null ? "" : `?class_index=${classIndex}`}`);
export const findTimes = (name) => postForJson(`/looks/${name}/times`);
export const findShift = (name, layer = "") => postForJson(`/looks/${name}/shift${layer ? `?layer=${encodeURIComponent(layer)}` : ""}`);
/** How far the server's search for the strongest pictures is: 0..1, or null. */
export const fetchSearched = async (network) => (await (await ask(`${LAB}/networks/${encodeURIComponent(network)}/search`)).json()).progress;
export const findStrongest = (network, layer, map) => postForJson(`/networks/${encodeURIComponent(network)}/layers/${layer}/strongest?map=${map}`);
export const measureStack = (layers, channels, side) => postForJson(`/stack?layers=${layers.map((l) => `${l.kernel}:${l.stride}:${l.rate}`).join(",")}&channels=${channels}&side_px=${side}`);
