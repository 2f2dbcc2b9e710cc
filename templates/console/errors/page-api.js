// The console's API for a page of the app: what it shows, and what it does on a click.
//
// The browser sends the console's cookie. Without it each call throws an error with the way to get one.

const API = "/__snaxum/api/";

/**
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function get(path) {
  return answerOf(await fetch(API + path, { cache: "no-store" }));
}

/**
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
export async function post(path, body = {}) {
  const headers = { "content-type": "application/json", "x-snaxum": "1" };
  return answerOf(await fetch(API + path, { method: "POST", headers, body: JSON.stringify(body) }));
}

/** @param {Response} response */
async function answerOf(response) {
  if (response.status === 401 || response.status === 403) throw new Error("Open the console by the link that `snaxum dev` printed; then this page may use it.");
  if (!response.ok) throw new Error((await response.text()).trim() || `The server responded with ${response.status}.`);
  return response.json();
}
