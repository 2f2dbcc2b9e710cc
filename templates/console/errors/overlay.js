// The error that a page of the app shows on demand: of its newest save, or of its own response.
//
// Fetches it with the console's cookie, and explains how to get one without it.

import { drawError } from "./standalone.js";

/** @import { TrackedError, TrackedErrorDetail } from "snaxum-events" */

const API = "/__snaxum/api/";

/**
 * Draws the error of the request `id`, or of the newest save, below `host`. Returns whether there is one.
 * @param {HTMLElement} host
 * @param {string | undefined} id
 */
export async function showError(host, id) {
  const [status, found] = await Promise.all([fetchJson("status"), id ? fetchJson(`requests/${encodeURIComponent(id)}`) : errorOfSave()]);
  if (!found?.traceback) throw new Error("The server has no traceback of it.");
  const origin = id ? { request: id } : { error: found.id };
  await drawError(host, { traceback: found.traceback, editor: status.editor, origin });
}

/** @returns {Promise<TrackedErrorDetail | null>} */
async function errorOfSave() {
  /** @type {TrackedError[]} */
  const errors = await fetchJson("errors");
  const newest = errors.find(({ state, reload }) => state === "open" && reload != null);
  return newest ? fetchJson(`errors/${newest.id}`) : null;
}

/** @param {string} path */
async function fetchJson(path) {
  const response = await fetch(API + path, { cache: "no-store" });
  if (response.status === 401 || response.status === 403) throw new Error("Open the console by the link that `snaxum dev` printed; then this page may show the error.");
  if (!response.ok) throw new Error(`The server responded with ${response.status}.`);
  return response.json();
}
