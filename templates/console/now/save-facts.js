// The meaning of a save for the routes: which ran again, and their requests before and after it.
//
// Pure functions over the state of store.js. Never matches a path to a route: the server did.

/** @import { Reload, RouteInfo } from "snaxum-events" */
/** @import { ListedRequest } from "../types.js" */
/** @import { State } from "../server/store.js" */

/**
 * A route whose module ran again, and its newest requests on older code (`before`) and on the code of the
 * save (`after`). `earlier` is the newest one on older code with the target of `after`.
 * @typedef {{ key: string, route: RouteInfo, before: ListedRequest | null, after: ListedRequest | null, earlier: ListedRequest | null }} AffectedRoute
 */
/** A changed function. @typedef {{ file: string, name: string }} FunctionInFile */
/** A module of `/api/modules`; `dependents` are the modules that import it, in any number of steps. @typedef {{ module: string, file: string, dependents: string[] }} ModuleCone */

// The newest requests that are read: with more, a busy server would take the page's time with each draw.
const MAX_REQUESTS = 3000;
const FIRST_ERROR = 400;
const FIRST_FAILURE = 500;
// A client that has disconnected, such as during its upload, proves nothing about the code.
const CLIENT_CLOSED = 499;

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
  const rows = routesOf(reload, routes).map((route) => ({ key: route.id, route, before: null, after: null, earlier: null }));
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
    if (request.generation == null || request.route == null || request.status === CLIENT_CLOSED) continue;
    const row = byTarget.get(`${request.method} ${request.route}`);
    const side = request.generation < reload.generation ? "before" : "after";
    if (!row || request.generation >= (ends.get(row.route.module ?? "") ?? Infinity)) continue;
    if (side === "before" && row.after && !row.earlier && isSameTarget(row.after, request)) {
      row.earlier = request;
      if (row.after.status >= FIRST_ERROR) missing -= 1;
    }
    if (row[side]) continue;
    row[side] = request;
    missing -= 1;
    // Whether the response has become an error is known by an older request with the same target.
    if (side === "after" && request.status >= FIRST_ERROR) missing += 1;
  }
  return rows;
}

/**
 * @param {ListedRequest} one
 * @param {ListedRequest} other
 */
function isSameTarget(one, other) {
  return one.method === other.method && one.path === other.path && one.query === other.query;
}

/**
 * Returns the changed functions that a route may use without being one of them: functions of its module, and of
 * modules that this imports, by the key of the route. Which functions a handler calls is not known.
 * @param {AffectedRoute[]} rows
 * @param {FunctionInFile[]} changed
 * @param {ModuleCone[]} modules
 * @returns {Map<string, string[]>}
 */
export function changedHelpers(rows, changed, modules) {
  const helpers = changed.filter(({ file, name }) => !rows.some(({ route }) => isHandler(route, file, name)));
  const reached = helpers.flatMap(({ file, name }) => {
    const found = modules.find((each) => each.file === file);
    return found ? [{ label: name ? `${found.module}.${name}` : found.module, cone: new Set([found.module, ...found.dependents]) }] : [];
  });
  return new Map(rows.map(({ key, route }) => [key, reached.filter(({ cone }) => cone.has(route.module)).map(({ label }) => label)]));
}

/**
 * Returns whether a function is the handler of a route.
 * @param {RouteInfo} route
 * @param {string} file
 * @param {string} name
 */
export function isHandler({ handler, module, file: ofRoute }, file, name) {
  return file === ofRoute && name === (handler.startsWith(`${module}.`) ? handler.slice(module.length + 1) : handler);
}

/**
 * Returns whether the newest response of a route became an error with the save. A 4xx may be due to the request, so
 * it counts if a request with the same target passed before.
 * @param {AffectedRoute} row
 */
export function isNewlyFailing({ before, after, earlier }) {
  if (after === null || after.status < FIRST_ERROR) return false;
  if (earlier !== null) return earlier.status < FIRST_ERROR || (after.status >= FIRST_FAILURE && earlier.status < FIRST_FAILURE);
  return after.status >= FIRST_FAILURE && (before === null || before.status < FIRST_FAILURE);
}

/**
 * Returns whether the newest response of a route was an error before the save, and is not on its code.
 * @param {AffectedRoute} row
 */
export function isMended({ before, after, earlier }) {
  if (after === null || after.status >= FIRST_FAILURE) return false;
  if (earlier !== null) return after.status < FIRST_ERROR ? earlier.status >= FIRST_ERROR : earlier.status >= FIRST_FAILURE;
  return before !== null && before.status >= FIRST_FAILURE;
}
