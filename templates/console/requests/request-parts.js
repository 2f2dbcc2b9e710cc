// The parts of an open request: timing, request, response, logs, error, and the diff of a replay.
//
// Owns the content of each part, and which one is shown first. The current choice is in layout.js.

import { html } from "../vendor/preact-htm.js";
import { changedSince } from "../errors/failures.js";
import { pluralize, timeOfDay, visible } from "../components/format.js";
import { PhaseTable, REQUEST_PHASES } from "../components/phases.js";
import { Preview } from "./preview.js";
import { ResponseDiff } from "./response-diff.js";
import { Traceback } from "../errors/traceback.js";
import { WaitReasons } from "./wait-reasons.js";

/** Returns the parts of a request with all details, in their order. Parts without content are omitted. */
export function partsOf(request, { state, select }) {
  const { id, logs, traceback, replay_of } = request;
  const messages = messagesOf(request, state);
  return [
    ...partsOfSummary(request, { select }),
    { name: "request", title: "Request", content: html`<${RequestPart} request=${request} />` },
    { name: "response", title: "Response", content: html`<${ResponsePart} request=${request} />` },
    messages.length > 0 && { name: "messages", title: "Messages", count: messages.length, content: html`<${Messages} messages=${messages} />` },
    logs?.length > 0 && { name: "logs", title: "Logs", count: logs.length, content: html`<${Logs} lines=${logs} />` },
    traceback && {
      name: "error",
      title: "Error",
      content: html`<${Traceback} traceback=${traceback} origin=${{ request: id }} changed=${changedSince(state.reloads, request)} />`,
    },
    replay_of && { name: "diff", title: "Diff", content: html`<${ResponseDiff} request=${request} runId=${state.runId} />` },
  ].filter(Boolean);
}

/** Returns the parts of a request of which only the summary is known. */
export function partsOfSummary(request, { select }) {
  const content = html`
    <${PhaseTable} phases=${request.phases} total_ms=${request.total_ms} meanings=${REQUEST_PHASES} />
    <${WaitReasons} request=${request} select=${select} />
  `;
  return [{ name: "timing", title: "Timing", content }];
}

/**
 * Returns the name of the part to show: the part in the URL, else the error, else the part that the user
 * chose last.
 */
export function partToShow(parts, { inUrl, lastChosen }) {
  const exists = (wanted) => parts.some(({ name }) => name === wanted);
  return [inUrl, "error", lastChosen].find(exists) ?? "timing";
}

function RequestPart({ request: { query, request_headers: headers, request_body: body } }) {
  return html`
    ${query && html`<h3>Query</h3><${Pairs} pairs=${[...new URLSearchParams(String(query))]} />`}
    <h3>Headers</h3>
    <${Pairs} pairs=${headers} />
    ${body?.size > 0 && html`<h3>Body</h3><${Body} body=${body} />`}
  `;
}

function ResponsePart({ request: { response_headers: headers, response_body: body } }) {
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

/** Shows a body as text; HTML too, as its source. */
function Body({ body: { size, text, note } }) {
  return html`
    ${text !== null && html`<pre class="body" tabindex="0" data-testid="body">${text.split("\n").map((line) => `${visible(line)}\n`)}</pre>`}
    <p class="dim">${pluralize(size, "byte")}${note && `: ${note}`}</p>
  `;
}

/** Returns the messages of a WebSocket in their order: the fetched ones, then newer ones. */
function messagesOf({ id, messages = [] }, state) {
  const last = messages.at(-1)?.number ?? 0;
  const newer = state.messages.filter((message) => message.request === id && message.number > last);
  return [...messages, ...newer.reverse()];
}

function Messages({ messages }) {
  return html`
    <table class="facts" data-testid="messages">
      <tbody>
        ${messages.map(
          ({ number, time_ms, direction, size, text, note }) => html`
            <tr key=${number}>
              <th scope="row"><span class="dim">${timeOfDay(time_ms)}</span> ${direction === "in" ? "→ in" : "← out"}</th>
              <td>${text !== null && html`<code>${visible(text)}</code>`} <span class="dim">${pluralize(size, "byte")}${note && `: ${note}`}</span></td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}

export function Logs({ lines }) {
  return html`
    <pre class="logs" tabindex="0" data-testid="logs">${lines.map(
      ({ time_ms, stream, line }) => html`<span class="dim">${timeOfDay(time_ms)}</span> ${stream === "stderr" && html`<span class="warn">stderr </span>`}${visible(line)}${"\n"}`,
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
