// The URLs of this server, and reading its JSON API.
//
// Only sends GET requests: state-changing requests are in commands.js.

/** @import { RequestDetail } from "snaxum-events" */

export const page = /** @type {HTMLElement} */ (document.getElementById("console"));
const base = page.dataset.base;

/**
 * Parses JSON without the keys that Preact would treat as its own (see vendor/README.md).
 * @param {string} text
 * @returns {any}
 */
export function parseJson(text) {
  return JSON.parse(text, (key, value) => (key.startsWith("__") ? undefined : value));
}

// The types that the server sends by default, the states of errors, and profiles.
const TYPES = "request.end,stream.end,log,reload.*,status,routes,contract.diff,pins,worker,websocket.*,error.state,profile";

/**
 * Returns the URL of the event stream, resuming after the last event in `state`.
 * @param {{ runId: string | null, seq: number }} state
 */
export function streamUrl(state) {
  /** @type {Record<string, string>} */
  const resume = state.runId ? { since: String(state.seq), run: state.runId } : {};
  const query = new URLSearchParams({ types: TYPES, metrics: "1", ...resume });
  // `http:` becomes `ws:` and `https:` becomes `wss:`.
  return `ws${location.protocol.slice(4)}//${location.host}${base}ws?${query}`;
}

/**
 * Fetches all details of one request. The message of a thrown error is written for the user.
 * @param {string} id
 * @param {AbortSignal} [signal]
 * @returns {Promise<RequestDetail>}
 */
export async function fetchRequest(id, signal) {
  const response = await fetch(`${base}api/requests/${encodeURIComponent(id)}`, { signal });
  if (response.status === 404) throw new Error("the server stores only its newest requests and has dropped this one");
  if (!response.ok) throw new Error(`the server responded with ${response.status}`);
  return parseJson(await response.text());
}

/** An error that passes by itself: Python is busy, such as with a reload. */
export class BusyError extends Error {}

/**
 * Fetches any other path of the API. The message of a thrown error is written for the user.
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
export async function fetchJson(path, signal) {
  const response = await fetch(`${base}api/${path}`, { signal, cache: "no-store" });
  const text = await response.text();
  if (!response.ok) throw new (response.status === 503 ? BusyError : Error)(text.trim().replace(/\.$/, "") || `the server responded with ${response.status}`);
  return parseJson(text);
}

/**
 * Fetches the bytes of a recorded body: `ID/body/request` or `ID/body/response`.
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
export async function fetchBody(path, signal) {
  const response = await fetch(`${base}api/requests/${path}`, { signal });
  if (!response.ok) throw new Error((await response.text()).trim().replace(/\.$/, "") || `the server responded with ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/**
 * Returns the address at which the browser's viewer opens a recorded PDF.
 * @param {string} path as for `fetchBody`
 */
export function documentUrl(path) {
  return `${base}api/requests/${path}?open=true`;
}

/** Returns whether the server is up but no longer accepts this page's cookie. */
export async function isSignedOut() {
  try {
    const response = await fetch(`${base}api/status`, { cache: "no-store" });
    return response.status === 401 || response.status === 403;
  } catch {
    return false;
  }
}

/**
 * Returns the URL of a path of the user's app, or null if it would lead to another host.
 * @param {string} path
 */
export function appUrl(path) {
  try {
    const url = new URL(path, location.origin);
    return url.origin === location.origin ? url.href : null;
  } catch {
    return null;
  }
}
