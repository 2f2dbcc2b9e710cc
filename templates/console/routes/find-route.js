// The route that handles a request as a user types it: for the form above the routes and for the command palette.
//
// Asks the server. Never matches a path itself.

import { visible } from "../components/format.js";
import { fetchJson } from "../server/api.js";

/** Enough of a route to find its row. @typedef {{ methods: string[], path: string, handler: string }} FoundRoute */
/**
 * The response of `api/match`.
 * @typedef {{
 *   method: string, path: string, status: number, allow: string[], near_misses: (FoundRoute & { reason: string })[],
 *   route: (FoundRoute & { mode: string, params: { name: string, type: string, value: unknown }[], via: string[] }) | null,
 * }} Found
 */

/** A request of which the method may be open. @typedef {{ method: string | null, path: string }} TypedRequest */

/**
 * Parses a path with or without a method before it: `POST /orders/9`. Returns null for any other text.
 * @param {string} text
 * @returns {TypedRequest | null}
 */
export function parseRequest(text) {
  const found = text.trim().match(/^(?:(\S+)\s+)?(\/.*)$/s);
  return found && { method: found[1]?.toUpperCase() ?? null, path: found[2] };
}

/**
 * Without a method, it is GET, or else the first method of the path.
 * @param {TypedRequest} request
 * @param {AbortSignal} [signal]
 * @returns {Promise<Found>}
 */
export async function findRoute({ method, path }, signal) {
  const find = (/** @type {string} */ method) => fetchJson(`match?${new URLSearchParams({ method, path })}`, signal);
  const found = /** @type {Found} */ (await find(method ?? "GET"));
  const other = found.allow.find((each) => each !== "OPTIONS");
  return method === null && found.status === 405 && other ? find(other) : found;
}

/**
 * Returns why no handler gets the request.
 * @param {Found} found
 */
export function noHandlerText({ status, allow }) {
  if (status === 405) return `the path accepts ${visible(allow.join(", "))}`;
  if (status === 200) return `no handler; Snaxum responds with Allow: ${visible(allow.join(", "))}`;
  return "no route has this path";
}

/** Returns the key of a route's row. @param {{ methods: string[], path: string }} route */
export function routeKey({ methods, path }) {
  return `${methods.join(",")} ${path}`;
}
