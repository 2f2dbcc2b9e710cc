// The headers and the body that a user types, parsed into what is sent.
//
// Pure. Reports what is wrong with the text; never sends anything.

/**
 * The kinds of body: content type and placeholder, and for the text that was typed `problem` and
 * `encode`. A typed content-type header overrides the content type.
 * @type {Record<string, { label: string, type: string, placeholder: string, problem: (text: string) => string | null, encode: (text: string) => string }>}
 */
export const BODY_KINDS = {
  json: { label: "JSON", type: "application/json", placeholder: '{"name": "tea"}', problem: jsonProblem, encode: (text) => text },
  form: {
    label: "Form",
    type: "application/x-www-form-urlencoded",
    placeholder: "name=tea\none field per line, not encoded",
    problem: formProblem,
    encode: (text) => new URLSearchParams(lines(text).map((line) => splitAt(line, "="))).toString(),
  },
  // With its files it is encoded by the browser, which chooses the boundary (form.js).
  multipart: { label: "Multipart form", type: "", placeholder: "name=tea\none field per line; files are above", problem: formProblem, encode: (text) => text },
  text: { label: "Text", type: "text/plain;charset=utf-8", placeholder: "", problem: () => null, encode: (text) => text },
};

/**
 * Parses lines of `name: value` into { pairs, problem, forbidden }. `forbidden` has the names of headers
 * that a browser does not let a page set, and would omit silently.
 * @param {string} text
 * @returns {{ pairs: [string, string][], problem: string | null, forbidden: string[] }}
 */
export function parseHeaders(text) {
  const pairs = lines(text).map((line) => /** @type {[string, string]} */ (splitAt(line, ":").map((part) => part.trim())));
  const invalid = lines(text).find((line) => line.indexOf(":") < 1);
  if (invalid !== undefined) return { pairs: [], problem: `"${invalid}" is not a header; write it like x-kind: tea`, forbidden: [] };
  try {
    const sent = new Request(location.origin, { headers: pairs }).headers;
    return { pairs, problem: null, forbidden: pairs.map(([name]) => name).filter((name) => !sent.has(name)) };
  } catch {
    const rejected = pairs.find((pair) => !isValidHeader(pair)) ?? pairs[0];
    return { pairs: [], problem: `"${rejected.join(": ")}" cannot be sent as a header`, forbidden: [] };
  }
}

/** @param {[string, string]} pair */
function isValidHeader(pair) {
  try {
    return Boolean(new Headers([pair]));
  } catch {
    return false;
  }
}

/** @param {string} text */
function lines(text) {
  return text.split("\n").filter((line) => line.trim());
}

/**
 * Splits at the first `separator`; without one the second part is empty.
 * @param {string} line
 * @param {string} separator
 */
function splitAt(line, separator) {
  const index = line.indexOf(separator);
  return index < 0 ? [line, ""] : [line.slice(0, index), line.slice(index + separator.length)];
}

/** @param {string} text */
function formProblem(text) {
  const invalid = lines(text).find((line) => line.indexOf("=") < 1);
  return invalid === undefined ? null : `"${invalid}" is not a form field; write it like name=tea`;
}

/** @param {string} text */
function jsonProblem(text) {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return `This is not valid JSON: ${/** @type {Error} */ (error).message}`;
  }
}
