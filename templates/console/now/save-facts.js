// The meaning of a save for the routes: which ran again, and their requests before and after it.
//
// Pure functions over the state of store.js. Never matches a path to a route: the server did.

/** @import { Reload, RouteInfo } from "snaxum-events" */
/** @import { ListedRequest } from "../types.js" */
/** @import { State } from "../server/store.js" */

/**
 * A route whose module ran again, and its newest requests on older code (`before`) and on the code of the
 * save (`after`).
 * @typedef {{ key: string, route: RouteInfo, before: ListedRequest | null, after: ListedRequest | null }} AffectedRoute
 */

// The newest requests that are read: with more, a busy server would take the page's time with each draw.
const MAX_REQUESTS = 3000;
const FIRST_FAILURE = 500;

/** The reloads that are saves of the user, newest first: not the load at the start. */
export const isSave = (/** @type {Reload} */ { cause }) => cause !== "start";

/**
 * Returns the routes whose module ran with a save.
 * @param {Reload} reload
 * @param {RouteInfo[]} routes
 */
export function routesOf({ modules, outcome }, routes) {
  if (outcome !== "ok") return [];
  const ran = new Set(modules.map(({ name }) => name));
  return routes.filter((route) => ran.has(route.module));
}

/**
 * Returns the affected routes of a save with their requests.
 * @param {Reload} reload
 * @param {State} state
 * @returns {AffectedRoute[]}
 */
export function affectedRoutes(reload, { routes, requests, reloads }) {
  /** @type {AffectedRoute[]} */
  const rows = routesOf(reload, routes).map((route) => ({ key: route.id, route, before: null, after: null }));
  /** @type {Map<string, AffectedRoute>} */
  const byTarget = new Map();
  for (const row of rows) for (const method of row.route.methods) byTarget.set(`${method} ${row.route.path}`, row);
  // A later save that ran a module again: from then on, requests are of its code.
  /** @type {Map<string, number>} */
  const ends = new Map();
  for (const { outcome, generation, modules } of reloads) {
    if (outcome !== "ok" || generation <= reload.generation) continue;
    for (const { name } of modules) ends.set(name, Math.min(generation, ends.get(name) ?? Infinity));
  }
  let missing = 2 * rows.length;
  for (const request of requests.slice(0, MAX_REQUESTS)) {
    if (!missing) break;
    if (request.generation == null || request.route == null) continue;
    const row = byTarget.get(`${request.method} ${request.route}`);
    const side = request.generation < reload.generation ? "before" : "after";
    if (!row || row[side] || request.generation >= (ends.get(row.route.module ?? "") ?? Infinity)) continue;
    row[side] = request;
    missing -= 1;
  }
  return rows;
}

/**
 * Returns whether the newest request of a route failed on the code of the save, and not before.
 * @param {AffectedRoute} row
 */
export function isNewlyFailing({ before, after }) {
  return after !== null && after.status >= FIRST_FAILURE && (before === null || before.status < FIRST_FAILURE);
}

/**
 * Returns whether the newest request of a route failed before the save, and does not on its code.
 * @param {AffectedRoute} row
 */
export function isMended({ before, after }) {
  return before !== null && after !== null && before.status >= FIRST_FAILURE && after.status < FIRST_FAILURE;
}
