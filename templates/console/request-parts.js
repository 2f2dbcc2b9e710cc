// What there is to see of one request, part by part: its timing, what came, what was answered, what it
// printed, how it failed, and what a replay answers otherwise.
//
// Owns what each part shows, and which one comes first. Never knows which one is looked at.

import { html } from "./vendor/preact-htm.js";
import { Compare } from "./compare.js";
import { changedSince } from "./failures.js";
import { clock, counted, visible } from "./format.js";
import { PhaseTable, REQUEST_PHASES } from "./phases.js";
import { Preview } from "./preview.js";
import { Traceback } from "./traceback.js";
import { Waited } from "./waited.js";

/** The parts that a whole request has, in their order. */
export function partsOf(request, { state, select }) {
  const { id, logs, traceback, replay_of } = request;
  return [
    ...partsOfSummary(request, { select }),
    { name: "request", title: "Request", content: html`<${Asked} request=${request} />` },
    { name: "response", title: "Response", content: html`<${Answered} request=${request} />` },
    logs?.length > 0 && { name: "logs", title: "Logs", count: logs.length, content: html`<${Logs} lines=${logs} />` },
    traceback && {
      name: "error",
      title: "Error",
      content: html`<${Traceback} traceback=${traceback} origin=${{ request: id }} changed=${changedSince(state.reloads, request)} />`,
    },
    replay_of && { name: "diff", title: "Diff", content: html`<${Compare} request=${request} runId=${state.runId} />` },
  ].filter(Boolean);
}

/** Those of a request that the server keeps no more. */
export function partsOfSummary(request, { select }) {
  const content = html`
    <${PhaseTable} phases=${request.phases} total_ms=${request.total_ms} meanings=${REQUEST_PHASES} />
    <${Waited} request=${request} select=${select} />
  `;
  return [{ name: "timing", title: "Timing", content }];
}

/**
 * The name of the part that is shown: the one that the address names, else what went wrong, else what
 * the person has chosen last, of another request.
 */
export function shownOf(parts, { named, chosen }) {
  const has = (wanted) => parts.some(({ name }) => name === wanted);
  return [named, "error", chosen].find(has) ?? "timing";
}

function Asked({ request: { query, request_headers: headers, request_body: body } }) {
  return html`
    ${query && html`<h3>Query</h3><${Pairs} pairs=${[...new URLSearchParams(String(query))]} />`}
    <h3>Headers</h3>
    <${Pairs} pairs=${headers} />
    ${body?.size > 0 && html`<h3>Body</h3><${Body} body=${body} />`}
  `;
}

function Answered({ request: { response_headers: headers, response_body: body } }) {
  return html`
    <h3>Headers</h3>
    <${Pairs} pairs=${headers} />
    ${body?.size > 0 && html`
      <h3>Body</h3>
      <${Body} body=${body} />
      ${body.text && isHtml(headers) && html`<${Preview} text=${body.text} />`}
    `}
  `;
}

function isHtml(headers) {
  return headers.some(([name, value]) => name === "content-type" && /^text\/html\b/i.test(value));
}

/** HTML is shown as its source, like any other text. */
function Body({ body: { size, text, note } }) {
  return html`
    ${text !== null && html`<pre class="body" tabindex="0" data-testid="body">${text.split("\n").map((line) => `${visible(line)}\n`)}</pre>`}
    <p class="dim">${counted(size, "byte")}${note && `: ${note}`}</p>
  `;
}

export function Logs({ lines }) {
  return html`
    <pre class="logs" tabindex="0" data-testid="logs">${lines.map(
      ({ time_ms, stream, line }) => html`<span class="dim">${clock(time_ms)}</span> ${stream === "stderr" && html`<span class="warn">stderr </span>`}${visible(line)}${"\n"}`,
    )}</pre>
  `;
}

function Pairs({ pairs }) {
  if (!pairs?.length) return html`<p class="dim">none</p>`;
  return html`
    <table class="facts">
      <tbody>
        ${pairs.map(([name, value]) => html`<tr><th scope="row"><code>${visible(name)}</code></th><td><code>${visible(value)}</code></td></tr>`)}
      </tbody>
    </table>
  `;
}
