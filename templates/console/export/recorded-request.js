// The parts of a recorded request that all exports share: its URL, and the headers that are sent again.
//
// Pure. Secrets are masked by the server.

/** @typedef {[string, string][]} Headers */

export const MASK = "••••";

// These describe how one message was transferred and would be wrong for the next one.
export const OMITTED_HEADERS = new Set(["host", "content-length", "connection", "transfer-encoding", "accept-encoding"]);

/**
 * Returns the path and the query, as they are in a URL.
 * @param {{ path: string, query?: string | null }} request
 */
export function targetOf({ path, query }) {
  return String(path).split("/").map(encodeURIComponent).join("/") + (query ? `?${query}` : "");
}

/**
 * Returns the headers that another request needs too.
 * @param {{ request_headers?: Headers }} request
 */
export function sentHeaders({ request_headers: headers }) {
  return (headers ?? []).filter(([name]) => !OMITTED_HEADERS.has(name));
}
