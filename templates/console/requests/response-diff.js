// The difference between the response of a replay and that of its original request.

import { html } from "../vendor/preact-htm.js";
import { milliseconds, version, visible } from "../components/format.js";
import { useRequest } from "../server/request-cache.js";

/** @import { RequestDetail } from "snaxum-events" */

// Time and memory of the comparison grow with the product of both lengths.
const MAX_LINES = 500;
// These differ each time, whatever the code does.
const IGNORED_HEADERS = new Set(["x-request-id", "x-snaxum-gen", "server-timing", "date"]);

/** @type {Record<string, string>} */
const SIGNS = { "+": "good", "-": "bad", " ": "dim" };

/** @param {{ request: RequestDetail, runId: string | null }} props */
export function ResponseDiff({ request, runId }) {
  const { request: original, problem } = useRequest(runId, request.replay_of);
  if (problem) return html`<p class="dim">Cannot show the original request, #${visible(request.replay_of)}: ${visible(problem)}.</p>`;
  if (!original) return html`<p class="dim">Loading the original request…</p>`;
  const lines = diffLines(responseLines(original), responseLines(request));
  const isSame = sameBody(original, request);
  return html`
    <h3>Compared with #${visible(original.id)}, ${version(original.generation)}</h3>
    <p class="dim">${milliseconds(original.total_ms)} then, ${milliseconds(request.total_ms)} now</p>
    ${lines.some(({ sign }) => sign !== " ")
      ? html`<pre class="body response-diff" tabindex="0" data-testid="response-diff">${lines.map(({ sign, text }) => html`<span class=${SIGNS[sign]}>${sign} ${visible(text)}${"\n"}</span>`)}</pre>`
      : isSame
        ? html`<p class="good" data-testid="response-diff">The response is the same.</p>`
        : html`<p class="warn" data-testid="response-diff">▲ ${isSame === false ? "The bodies differ, but not in these lines" : "Status and headers are the same; the bodies have no text here to compare"}.</p>`}
  `;
}

/**
 * Returns whether two requests have the same response body, or null if that is unknown: it is not stored as text, or
 * not whole. The lines of a response are only its first ones.
 * @param {RequestDetail} first
 * @param {RequestDetail} second
 * @returns {boolean | null}
 */
export function sameBody({ error, response_body: one }, { response_body: other }) {
  // The error page of the server itself has no body here, but its exception.
  if (!one || !other) return !one && !other && error ? true : null;
  if (one.text !== other.text || one.kind !== other.kind) return false;
  if (one.text !== null && !one.note && !other.note) return true;
  return one.size === other.size ? (one.size === 0 ? true : null) : false;
}

/**
 * A response as lines: status, exception, headers, body.
 * @param {RequestDetail} request
 * @returns {string[]}
 */
export function responseLines({ status, error, response_headers, response_body }) {
  const headers = response_headers.filter(([name]) => !IGNORED_HEADERS.has(name)).map(([name, value]) => `${name}: ${value}`);
  const body = response_body?.text ?? (response_body?.note ? `(${response_body.note})` : "");
  return [String(status), ...(error ? [`${error.type}: ${error.message}`] : []), ...headers.sort(), "", ...body.split("\n")].slice(0, MAX_LINES);
}

/**
 * Merges the lines of both, in order, by their longest common subsequence.
 * @param {string[]} before
 * @param {string[]} after
 */
export function diffLines(before, after) {
  const width = after.length + 1;
  const longest = new Uint16Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] =
        before[i] === after[j]
          ? longest[(i + 1) * width + j + 1] + 1
          : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  /** @type {{ sign: string, text: string }[]} */
  const lines = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ sign: " ", text: before[i] });
      i += 1;
      j += 1;
    } else if (j >= after.length || (i < before.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) {
      lines.push({ sign: "-", text: before[i] });
      i += 1;
    } else {
      lines.push({ sign: "+", text: after[j] });
      j += 1;
    }
  }
  return lines;
}
