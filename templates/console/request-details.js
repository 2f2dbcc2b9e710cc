// One request opened: its phases, headers, body and traceback.
//
// Shows the summary at once and the rest when it has been fetched. Never changes the selection itself.

import { html } from "./vendor/preact-htm.js";
import { addressOf } from "./address.js";
import { Compare } from "./compare.js";
import { CopyButton } from "./copy.js";
import { changedSince } from "./failures.js";
import { clock, counted, statusClass, visible } from "./format.js";
import { PhaseTable, REQUEST_PHASES } from "./phases.js";
import { Preview } from "./preview.js";
import { Replay } from "./replay.js";
import { curl, report } from "./reports.js";
import { page } from "./server.js";
import { Traceback } from "./traceback.js";
import { Waited } from "./waited.js";
import { useWholeRequest } from "./whole-request.js";

export function RequestDetails({ id, summary, state, select, close }) {
  const { request: whole, problem } = useWholeRequest(state.runId, id);
  const request = whole ?? summary;

  return html`
    <aside class="details" aria-label=${`Request ${id}`} data-testid="request-details">
      <header>
        <h2>
          ${request && html`<span>${visible(request.method)}</span> <span class="path">${visible(request.path)}</span> <span class=${statusClass(request.status)}>${request.status}</span>`}
        </h2>
        <button type="button" class="quiet" onClick=${close} title="Close (Esc)"><span aria-hidden="true">✕</span><span class="unseen">Close</span></button>
      </header>
      ${request && html`<${Summary} id=${id} request=${request} select=${select} />`}
      ${problem && html`<p class="warn" role="alert">The rest cannot be shown: ${visible(problem)}.</p>`}
      ${!whole && !problem && html`<p class="dim">Loading the rest…</p>`}
      ${whole && html`<${Actions} request=${whole} state=${state} /><${Replay} key=${id} request=${whole} state=${state} select=${select} />${whole.replay_of && html`<${Compare} request=${whole} runId=${state.runId} />`}<${Rest} request=${whole} reloads=${state.reloads} />`}
    </aside>
  `;
}

function Summary({ id, request, select }) {
  const { time_ms, generation, mode, route, handler, phases, total_ms, error, traceback } = request;
  return html`
    <p class="dim">
      #${visible(id)} · ${clock(time_ms)} · G${generation}${mode && ` · ${visible(mode)}`}
    </p>
    <p>
      ${handler
        ? html`<code>${visible(handler)}</code> <span class="dim">for</span> <code>${visible(route)}</code>`
        : html`<span class="dim">No route answered it.</span>`}
    </p>
    ${error && !traceback && html`<p><b class="bad">${visible(error.type)}</b> ${visible(error.message)}</p>`}
    <h3>Timing</h3>
    <${PhaseTable} phases=${phases} total_ms=${total_ms} meanings=${REQUEST_PHASES} />
    <${Waited} request=${request} select=${select} />
  `;
}

/** The buttons that copy a request in one form or another. */
export function Actions({ request, state }) {
  const server = { version: page.dataset.version, origin: location.origin };
  return html`
    <p class="actions">
      <${CopyButton} label="Copy as cURL" text=${() => curl(request, location.origin)} />
      <${CopyButton} label="Copy for an assistant" text=${() => report(request, state, server)} />
      <${CopyButton} label="Copy link" text=${() => linkTo(request, state)} />
    </p>
  `;
}

/** Opens this request for whoever is signed in; never holds the token. */
function linkTo({ id }, { runId }) {
  return location.origin + page.dataset.base + addressOf({ tab: "requests", open: id, run: runId });
}

function Rest({ request, reloads }) {
  return html`
    ${request.traceback && html`<h3>Traceback</h3><${Traceback} traceback=${request.traceback} origin=${{ request: request.id }} changed=${changedSince(reloads, request)} />`}
    ${request.logs?.length > 0 && html`<h3>Logs</h3><${Logs} lines=${request.logs} />`}
    ${request.query && html`<h3>Query</h3><${Pairs} pairs=${[...new URLSearchParams(String(request.query))]} />`}
    <h3>Request headers</h3>
    <${Pairs} pairs=${request.request_headers} />
    ${request.request_body?.size > 0 && html`<h3>Request body</h3><${Body} body=${request.request_body} />`}
    <h3>Response headers</h3>
    <${Pairs} pairs=${request.response_headers} />
    ${request.response_body?.size > 0 && html`<h3>Response body</h3><${Body} body=${request.response_body} />
      ${request.response_body.text && isHtml(request.response_headers) && html`<${Preview} key=${request.id} text=${request.response_body.text} />`}`}
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
