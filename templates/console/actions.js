// What a person asks the server to do. Everything that changes something goes through here, as JSON
// in a POST: the socket carries no commands.

import { page, parse } from "./server.js";

/** Asks, and gives what came of it. The error it throws is a sentence for the person. */
async function act(path, body = {}) {
  const answer = await fetch(`${page.dataset.base}api/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-snaxum": "1" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text.trim() || `the server answered ${answer.status}`);
  return parse(text);
}

/** Sends a kept request again; `changes` may hold method, target, headers and body. */
export const replay = (id, changes) => act(`requests/${encodeURIComponent(id)}/replay`, changes);
export const pin = (id) => act(`requests/${encodeURIComponent(id)}/pin`);
export const unpin = (id) => act(`requests/${encodeURIComponent(id)}/unpin`);
/** Lets the server start its editor at a place: a route, or a frame of a request or a reload. */
export const openInEditor = (target) => act("open", target);
/** Reloads what differs from what serves. */
export const reload = () => act("reload");
/** Keeps saves for later, and acts on them again. */
export const pause = () => act("pause");
export const resume = () => act("resume");
