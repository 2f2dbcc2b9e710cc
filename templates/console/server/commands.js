// The actions that change the server. Each is a POST request with JSON; the WebSocket carries no commands.

import { page, parseJson } from "./api.js";

/** Sends one action and returns its result. The message of a thrown error is written for the user. */
async function post(path, body = {}) {
  const response = await fetch(`${page.dataset.base}api/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-snaxum": "1" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(text.trim() || `the server responded with ${response.status}`);
  return parseJson(text);
}

/** Sends a recorded request again; `changes` may have method, target, headers and body. */
export const replay = (id, changes) => post(`requests/${encodeURIComponent(id)}/replay`, changes);
export const pin = (id) => post(`requests/${encodeURIComponent(id)}/pin`);
export const unpin = (id) => post(`requests/${encodeURIComponent(id)}/unpin`);
/** Returns a request with its secrets: { method, target, headers, body }. */
export const reveal = (id) => post(`requests/${encodeURIComponent(id)}/reveal`);
/** Asks the server to open the source of a route, or of a frame of a request or a reload, in its editor. */
export const openInEditor = (target) => post("open", target);
/** Reloads the files that differ from the code that is served. */
export const reload = () => post("reload");
/** `pause` defers reloading on save until `resume`. */
export const pause = () => post("pause");
export const resume = () => post("resume");
