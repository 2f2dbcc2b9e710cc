// Statistics of each route, from the requests that this page has received.
//
// Reads only the requests that are new since the last update. Never asks the server, which stores fewer requests.

import { listChanges } from "../server/list-changes.js";

/** @import { ListedRequest } from "../types.js" */

/** `recent` has the newest requests first. @typedef {{ hits: number, errors: number, p95_ms: number, recent: ListedRequest[] }} RouteStats */

const RECENT_REQUESTS = 5;

export class StatsOfRoutes {
  /** @type {ListedRequest[]} */
  #requests = [];
  /** The requests of each route. @type {Map<string, Set<ListedRequest>>} */
  #byRoute = new Map();
  /** @type {Map<string, RouteStats>} */
  #stats = new Map();

  /**
   * Returns the statistics by `statsKey`: the same objects where no request is new.
   * @param {ListedRequest[]} requests the newest first
   */
  update(requests) {
    const changes = listChanges(this.#requests, requests);
    this.#requests = requests;
    const changed = new Set();
    for (const { before } of changes) {
      if (before?.route == null) continue;
      changed.add(keyOf(before));
      this.#byRoute.get(keyOf(before))?.delete(before);
    }
    for (const { after } of changes) {
      if (after?.route == null) continue;
      const key = keyOf(after);
      changed.add(key);
      const known = this.#byRoute.get(key);
      if (known) known.add(after);
      else this.#byRoute.set(key, new Set([after]));
    }
    for (const key of changed) {
      const ofRoute = this.#byRoute.get(key);
      if (ofRoute?.size) {
        this.#stats.set(key, statsOf(ofRoute));
      } else {
        this.#byRoute.delete(key);
        this.#stats.delete(key);
      }
    }
    return this.#stats;
  }
}

/**
 * @param {Set<ListedRequest>} requests the oldest first
 * @returns {RouteStats}
 */
function statsOf(requests) {
  const times = Float64Array.from(requests, ({ total_ms }) => total_ms).sort();
  let errors = 0;
  for (const { status } of requests) if (status >= 500) errors += 1;
  const recent = [...requests].slice(-RECENT_REQUESTS).reverse();
  return { hits: requests.size, errors, p95_ms: times[Math.ceil(times.length * 0.95) - 1], recent };
}

/** @param {ListedRequest} request */
function keyOf({ route, handler }) {
  return statsKey(route, handler);
}

/**
 * Returns a route's key in the statistics: one pattern may have several handlers.
 * @param {string | null | undefined} path
 * @param {string | null | undefined} handler
 */
export function statsKey(path, handler) {
  return `${handler} ${path}`;
}
