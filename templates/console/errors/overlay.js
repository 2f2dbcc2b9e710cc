// The error that a page of the app shows on demand: of its newest save, or of its own response.
//
// Fetches it with the console's cookie.

import { get } from "./page-api.js";
import { drawError } from "./standalone.js";

/** @import { TrackedError, TrackedErrorDetail } from "snaxum-events" */

/**
 * Draws the error of the request `id`, or of the newest save, below `host`. Returns whether there is one.
 * @param {HTMLElement} host
 * @param {string | undefined} id
 */
export async function showError(host, id) {
  const [status, found] = await Promise.all([get("status"), id ? get(`requests/${encodeURIComponent(id)}`) : errorOfSave()]);
  if (!found?.traceback) throw new Error("The server has no traceback of it.");
  const origin = id ? { request: id } : { error: found.id };
  await drawError(host, { traceback: found.traceback, editor: status.editor, opensEditor: status.opens_editor, run: status.run_id, origin });
}

/** @returns {Promise<TrackedErrorDetail | null>} */
async function errorOfSave() {
  /** @type {TrackedError[]} */
  const errors = await get("errors");
  const newest = errors.find(({ state, reload }) => state === "open" && reload != null);
  return newest ? get(`errors/${newest.id}`) : null;
}
