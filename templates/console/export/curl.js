// A request as a shell command, and the names of its masked values.
//
// Pure. Secrets are masked by the server; a revealed request has them.

import { visible } from "../components/format.js";
import { MASK, OMITTED_HEADERS, targetOf } from "./recorded-request.js";

/** @import { RequestDetail } from "snaxum-events" */
/** @import { Headers } from "./recorded-request.js" */

/**
 * Returns the request as a `curl` command. Masked values stay masked; a complete text body is included.
 * @param {RequestDetail} request
 * @param {string} origin
 */
export function curlCommand(request, origin) {
  const { request_body: body, request_headers: headers } = request;
  return command({ method: request.method, headers, body: body?.note ? null : body?.text }, origin + targetOf(request));
}

/**
 * Returns a revealed request as a `curl` command with its secrets.
 * @param {{ method: string, target: string, headers: Headers, body: string | null }} revealed
 * @param {string} origin
 */
export function revealedCommand({ method, target, headers, body }, origin) {
  return command({ method, headers, body }, origin + target);
}

/**
 * @param {{ method: string, headers?: Headers, body?: string | null }} request
 * @param {string} url
 */
function command({ method, headers, body }, url) {
  const words = ["curl", "-i"];
  if (method === "HEAD") words.push("--head");
  else if (method !== "GET") words.push("-X", shellQuoted(method));
  for (const [name, value] of headers ?? []) {
    if (!OMITTED_HEADERS.has(name)) words.push("-H", shellQuoted(`${name}: ${value}`));
  }
  if (body) words.push("--data-raw", shellQuoted(body));
  return [...words, shellQuoted(url)].join(" ");
}

/**
 * Returns the names of the values that are masked in the command for a request.
 * @param {Pick<RequestDetail, "path" | "query" | "request_headers" | "request_body">} request
 */
export function maskedParts({ path, query, request_headers: headers, request_body: body }) {
  const isMasked = (/** @type {string | null | undefined} */ text) => String(text ?? "").includes(MASK);
  const parts = [
    isMasked(path) && "the path",
    ...[...new URLSearchParams(query ?? "")].filter(([, value]) => isMasked(value)).map(([name]) => name),
    ...(headers ?? []).filter(([name, value]) => !OMITTED_HEADERS.has(name) && isMasked(value)).map(([name]) => name),
    isMasked(body?.text) && "the body",
  ];
  return parts.filter((part) => part !== false);
}

/**
 * Quotes a text for a POSIX shell: within single quotes no character is special, line breaks included.
 * @param {string} text
 */
function shellQuoted(text) {
  const escaped = text.split("\n").map(visible).join("\n");
  return `'${escaped.replaceAll("'", `'\\''`)}'`;
}
