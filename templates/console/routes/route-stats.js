// Statistics of each route, from the requests that this page has received.
//
// Pure. Never asks the server, which stores fewer requests.

/** @import { ListedRequest } from "../types.js" */

/** `recent` has the newest requests first. @typedef {{ hits: number, errors: number, p95_ms: number, recent: ListedRequest[] }} RouteStats */

const RECENT_REQUESTS = 5;

/**
 * Returns the statistics by `statsKey`.
 * @param {ListedRequest[]} requests
 * @returns {Map<string, RouteStats>}
 */
export function collectStats(requests) {
  /** @type {Map<string, RouteStats & { times: number[] }>} */
  const byRoute = new Map();
  for (const request of requests) {
    if (request.route == null) continue;
    const key = statsKey(request.route, request.handler);
    let stats = byRoute.get(key);
    if (!stats) byRoute.set(key, (stats = { hits: 0, errors: 0, p95_ms: 0, times: [], recent: [] }));
    stats.hits += 1;
    if (request.status >= 500) stats.errors += 1;
    stats.times.push(request.total_ms);
    if (stats.recent.length < RECENT_REQUESTS) stats.recent.push(request);
  }
  for (const stats of byRoute.values()) {
    const sorted = Float64Array.from(stats.times).sort();
    stats.p95_ms = sorted[Math.ceil(sorted.length * 0.95) - 1];
  }
  return byRoute;
}

/**
 * Returns a route's key in the statistics: one pattern may have several handlers.
 * @param {string | null | undefined} path
 * @param {string | null | undefined} handler
 */
export function statsKey(path, handler) {
  return `${handler} ${path}`;
}
