// Requests as an HTTP Archive (HAR 1.2), which browsers, proxies and load generators import.
//
// Pure. Secrets stay masked, so an archive can be attached to an issue.

import { targetOf } from "./recorded-request.js";

/** @import { BodyContent as Body } from "snaxum-events" */
/** @import { RequestDetail } from "snaxum-events" */
/** @import { Headers } from "./recorded-request.js" */

const FORM = /^application\/x-www-form-urlencoded\b/i;

/**
 * Returns the archive of some requests, in the order in which they came.
 * @param {RequestDetail[]} requests
 * @param {{ origin: string, version: string }} server
 */
export function harOf(requests, { origin, version }) {
  const entries = requests.toSorted((a, b) => a.time_ms - b.time_ms).map((request) => entryOf(request, origin));
  return JSON.stringify({ log: { version: "1.2", creator: { name: "Snaxum", version }, entries } }, null, 2);
}

/**
 * @param {RequestDetail} request
 * @param {string} origin
 */
function entryOf(request, origin) {
  const { id, time_ms, total_ms, method, path, query, phases, status, handler, generation, error } = request;
  const [sent, received] = [pairsOf(request.request_headers), pairsOf(request.response_headers)];
  const mimeType = valueOf(received, "content-type") ?? "x-unknown";
  const timings = timingsOf(/** @type {Record<string, number>} */ (/** @type {unknown} */ (phases ?? {})), total_ms);
  return {
    startedDateTime: new Date(time_ms).toISOString(),
    time: timings.send + timings.wait + timings.receive,
    request: {
      method,
      url: origin + targetOf({ path, query }),
      httpVersion: "HTTP/1.1",
      cookies: cookiesOf(valueOf(sent, "cookie"), ";"),
      headers: sent,
      queryString: [...new URLSearchParams(query ?? "")].map(([name, value]) => ({ name, value })),
      ...postDataOf(request.request_body, valueOf(sent, "content-type")),
      headersSize: -1,
      bodySize: request.request_body?.size ?? -1,
    },
    response: {
      status,
      statusText: "",
      httpVersion: "HTTP/1.1",
      cookies: received.filter(({ name }) => name === "set-cookie").flatMap(({ value }) => cookiesOf(value.split(";")[0], ";")),
      headers: received,
      content: { size: request.response_body?.size ?? 0, mimeType, ...textOf(request.response_body) },
      redirectURL: valueOf(received, "location") ?? "",
      headersSize: -1,
      bodySize: request.response_body?.size ?? -1,
    },
    cache: {},
    timings,
    comment: [`#${id}`, handler, generation == null ? null : `version ${generation}`, error?.type].filter(Boolean).join(", "),
  };
}

/**
 * The phases by HAR's names: reading the body is `send`, writing the response is `receive`.
 * @param {Record<string, number>} phases
 * @param {number} total_ms
 */
function timingsOf(phases, total_ms) {
  const [send, receive] = [phases.read ?? 0, phases.send ?? 0];
  return { send, wait: Math.max(0, total_ms - send - receive), receive };
}

/** @param {Headers | undefined} pairs */
function pairsOf(pairs) {
  return (pairs ?? []).map(([name, value]) => ({ name, value }));
}

/**
 * @param {{ name: string, value: string }[]} pairs
 * @param {string} wanted
 */
function valueOf(pairs, wanted) {
  return pairs.find(({ name }) => name === wanted)?.value;
}

/**
 * @param {string | undefined} text
 * @param {string} separator
 */
function cookiesOf(text, separator) {
  return (text ?? "").split(separator).flatMap((part) => {
    const [name, ...value] = part.trim().split("=");
    return name ? [{ name, value: value.join("=") }] : [];
  });
}

/**
 * @param {Body | null | undefined} body
 * @param {string} [type]
 */
function postDataOf(body, type = "") {
  if (!body?.size) return {};
  const params = FORM.test(type) ? [...new URLSearchParams(body.text ?? "")].map(([name, value]) => ({ name, value })) : [];
  return { postData: { mimeType: type, params, text: body.text ?? "", ...(body.note ? { comment: body.note } : {}) } };
}

/** @param {Body | null | undefined} body */
function textOf(body) {
  return { ...(body?.text == null ? {} : { text: body.text }), ...(body?.note ? { comment: body.note } : {}) };
}
