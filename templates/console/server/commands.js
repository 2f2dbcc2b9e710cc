// The actions that change the server. Each is a POST request with JSON; the WebSocket carries no commands.

import { page, parseJson } from "./api.js";

/** @import { CommandOutcome } from "snaxum-events" */

/**
 * Sends one action and returns its result. The message of a thrown error is written for the user.
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
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

/** @typedef {{ method?: string, target?: string, headers?: string[][], body?: string }} Changes */

/**
 * Sends a recorded request again.
 * @type {(id: string, changes: Changes) => Promise<{ id: string, status: number }>}
 */
export const replay = (id, changes) => post(`requests/${encodeURIComponent(id)}/replay`, changes);
/** @type {(id: string) => Promise<unknown>} */
export const pin = (id) => post(`requests/${encodeURIComponent(id)}/pin`);
/** @type {(id: string) => Promise<unknown>} */
export const unpin = (id) => post(`requests/${encodeURIComponent(id)}/unpin`);
/**
 * Returns a request with its secrets.
 * @type {(id: string) => Promise<{ method: string, target: string, headers: [string, string][], body: string | null }>}
 */
export const reveal = (id) => post(`requests/${encodeURIComponent(id)}/reveal`);
/**
 * Asks the server to open the source of a route, or of a frame of a request or a reload, in its editor.
 * @type {(target: object) => Promise<unknown>}
 */
export const openInEditor = (target) => post("open", target);
/**
 * Profiles each request to a route from now on, or no longer; returns the ids of the routes that are.
 * @type {(id: string, isOn: boolean) => Promise<string[]>}
 */
export const profileRoute = (id, isOn) => post(`routes/${encodeURIComponent(id)}/profile`, { is_on: isOn });
/**
 * Reloads the files that differ from the code that is served.
 * @type {() => Promise<CommandOutcome>}
 */
export const reload = () => post("reload");
/** `pause` defers reloading on save until `resume`. */
export const pause = () => post("pause");
export const resume = () => post("resume");
