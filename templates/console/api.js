// The addresses of this server and the one way its JSON is read.
//
// Only looks: what changes the server is in actions.js.

export const page = document.getElementById("console");
const base = page.dataset.base;

/** Reads JSON without the keys that Preact would take for its own (see vendor/README.md). */
export function parse(text) {
  return JSON.parse(text, (key, value) => (key.startsWith("__") ? undefined : value));
}

/** Where the event stream is, resuming after the last event that `state` holds. */
export function streamAddress(state) {
  const resumed = state.runId ? { since: state.seq, run: state.runId } : {};
  const query = new URLSearchParams({ metrics: 1, ...resumed });
  // The page's own scheme without its first four letters: nothing, or the "s" of a secure one.
  return `ws${location.protocol.slice(4)}//${location.host}${base}ws?${query}`;
}

/** Fetches one request whole. The error it throws is a sentence for the person. */
export async function fetchRequest(id, signal) {
  const answer = await fetch(`${base}api/requests/${encodeURIComponent(id)}`, { signal });
  if (answer.status === 404) throw new Error("the server keeps only its newest requests, and this one has left");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return parse(await answer.text());
}

/** Fetches what else a path of the API tells. The error it throws is a sentence for the person. */
export async function fetchJson(path, signal) {
  const answer = await fetch(`${base}api/${path}`, { signal, cache: "no-store" });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text.trim().replace(/\.$/, "") || `the server answered ${answer.status}`);
  return parse(text);
}

/** Tells whether the server is up but no longer accepts this page's cookie. */
export async function isSignedOut() {
  try {
    const answer = await fetch(`${base}api/status`, { cache: "no-store" });
    return answer.status === 401 || answer.status === 403;
  } catch {
    return false;
  }
}

/** The address of a path of the user's app, or null when it would lead to another host. */
export function appAddress(path) {
  try {
    const address = new URL(path, location.origin);
    return address.origin === location.origin ? address.href : null;
  } catch {
    return null;
  }
}
