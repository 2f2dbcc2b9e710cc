// Sends the newest request of each affected route again, and compares the responses.
//
// Sends only on a click, one request after the other: each runs its handler with all its effects.

/** @import { RequestDetail } from "snaxum-events" */
/** @import { AffectedRoute } from "./save-facts.js" */

import { useEffect, useState } from "../vendor/preact-htm.js";
import { diffLines, responseLines, sameBody } from "../requests/response-diff.js";
import { fetchBody, fetchRequest } from "../server/api.js";
import { replay } from "../server/commands.js";

/** @typedef {{ sign: string, text: string }} ComparedLine */
/**
 * The comparison of a route's responses: `state` is "waiting", "same", "changed", "unknown" or "problem". A change has
 * its lines and both statuses.
 * @typedef {{ state: string, detail?: string, lines?: ComparedLine[], statuses?: [number, number] }} Comparison
 */

// These run their handler without a change, by the definition of HTTP (RFC 9110, section 9.2.1).
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Returns the request of a route that is sent again, or null if there is none.
 * @param {AffectedRoute} row
 * @param {boolean} withUnsafe
 */
export function requestToReplay({ route, before, after }, withUnsafe) {
  const request = before ?? after;
  if (!request || request.is_call || route.methods.includes("WS")) return null;
  return withUnsafe || SAFE.has(request.method) ? request : null;
}

/** @typedef {{ comparisons: Record<string, Comparison>, isSending: boolean }} Sent */

/** @type {Sent} */
const NOTHING = { comparisons: {}, isSending: false };
// A change has the lines of both responses.
const MAX_SAVES = 10;

/** The requests of each save, the newest last: another tab does not end them. @type {Map<string, Sent>} */
const bySave = new Map();
/** The save that is shown, or was last. */
let current = "";
/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * Returns the comparisons by the key of their route, whether requests are being sent, and how to send them. When
 * another save is shown, no more requests are sent for this one.
 * @param {string} save
 */
export function useComparisons(save) {
  const [, redraw] = useState(0);
  useEffect(() => {
    current = save;
    const listener = () => redraw((count) => count + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, [save]);
  const sent = bySave.get(save) ?? NOTHING;

  /**
   * @param {AffectedRoute[]} rows
   * @param {boolean} withUnsafe
   */
  async function send(rows, withUnsafe) {
    if (sent.isSending) return;
    const chosen = rows.flatMap((row) => {
      const request = requestToReplay(row, withUnsafe);
      return request ? [{ key: row.key, request }] : [];
    });
    /** @type {Record<string, Comparison>} */
    let comparisons = Object.fromEntries(chosen.map(({ key }) => [key, { state: "waiting" }]));
    for (const { key, request } of chosen) {
      publish(save, { comparisons, isSending: true });
      if (current !== save) break;
      comparisons = { ...comparisons, [key]: await compared(request) };
    }
    publish(save, { comparisons: Object.fromEntries(Object.entries(comparisons).filter(([, { state }]) => state !== "waiting")), isSending: false });
  }
  return { ...sent, send };
}

/**
 * @param {string} save
 * @param {Sent} sent
 */
function publish(save, sent) {
  bySave.delete(save);
  bySave.set(save, sent);
  if (bySave.size > MAX_SAVES) bySave.delete(bySave.keys().next().value ?? "");
  for (const listener of listeners) listener();
}

/**
 * @param {import("../types.js").ListedRequest} request
 * @returns {Promise<Comparison>}
 */
async function compared({ id, time_ms }) {
  try {
    const first = await fetchRequest(id);
    // A restarted server numbers its requests from 1 again: this would send another one.
    if (first.time_ms !== time_ms) throw new Error("the server has restarted, and has dropped this request");
    if (first.response_body?.note === "it is not stored") throw new Error("the body of the older response is not stored");
    const sent = await replay(id, {});
    const second = await fetchRequest(sent.id);
    const lines = /** @type {ComparedLine[]} */ (diffLines(responseLines(first), responseLines(second)));
    const isSame = lines.every(({ sign }) => sign === " ") && (await hasSameBody(first, second));
    if (isSame === false) return { state: "changed", lines, statuses: [first.status, second.status] };
    return { state: isSame ? "same" : "unknown" };
  } catch (error) {
    return { state: "problem", detail: /** @type {Error} */ (error).message };
  }
}

/**
 * @param {RequestDetail} first
 * @param {RequestDetail} second
 */
async function hasSameBody(first, second) {
  const isSame = sameBody(first, second);
  if (isSame !== null || !first.response_body?.kind) return isSame;
  const [one, other] = await Promise.all([first, second].map(({ id }) => fetchBody(`${encodeURIComponent(id)}/body/response`)));
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
