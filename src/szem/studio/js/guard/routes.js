// The guard's routes, as the page uses them.

import { Problem } from "../problems.js";
import { ask, askWithFilm } from "../server.js";

const HOME = "/v1/szem/guard";

async function json(path, options) {
  return (await ask(`${HOME}${path}`, options)).json();
}

function put(path, body) {
  return json(path, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** The query of a choice of events: {source, kind, mark, channel, score, since}; what is empty does not choose. */
export function queryOf({ source, kind, mark, channel, score, since }) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ source, kind, mark, channel, since })) if (value) query.set(name, value);
  if (score > 0) query.set("minScore", String(score / 100));
  return query;
}

export const overview = () => json("");

/** {events, nextPageToken, total} */
export function fetchEvents(wish, { size, token = "" }) {
  const query = queryOf(wish);
  query.set("pageSize", String(size));
  if (token) query.set("pageToken", token);
  return json(`/events?${query}`);
}

export const markEvent = (id, mark, note) => put(`/events/${encodeURIComponent(id)}/mark`, { mark, note });

export const exportAddress = (wish, format) => `${HOME}/export?${queryOf(wish)}&format=${format}`;
export const markedAddress = `${HOME}/marked`;
export const stillAddress = (source) => `${HOME}/sources/${encodeURIComponent(source)}/still`;

export const fetchRules = () => json("/rules");
export const checkRules = (text) => put("/rules/check", { text });

/** Save the rules. @throws Problem with what is wrong with them */
export async function saveRules(text) {
  try {
    return await put("/rules", { text });
  } catch (error) {
    throw error.code === "refused" ? new Problem("rules-refused", {}, error.detail) : error;
  }
}

/** Zones and lines of a file of JSON, whole. @throws Problem with what is wrong with them */
export async function checkAreas(text) {
  const options = { method: "PUT", headers: { "Content-Type": "application/json" }, body: text };
  const found = await json("/areas/check", options);
  if (found.fault) throw new Problem("areas-refused", {}, found.fault);
  return found;
}

/** Send a film to be guarded: {id, state, share, events, curves, …}. */
export async function sendFilm(file, signal) {
  const query = new URLSearchParams({ name: (file.name || "video").slice(0, 200) });
  const options = { method: "POST", headers: { "Content-Type": file.type || "application/octet-stream" }, body: file, signal };
  return (await askWithFilm(`${HOME}/videos?${query}`, options)).json();
}

export const fetchFilm = (id) => json(`/videos/${id}`);
export const dropFilm = (id) => json(`/videos/${id}`, { method: "DELETE" });
