// The parts of an open request: timing, request, response, logs, error, and the diff of a replay.
//
// Owns the content of each part, and which one is shown first. The current choice is in layout.js.

import { html } from "../vendor/preact-htm.js";
import { changedSince } from "../errors/failures.js";
import { timeOfDay, visible } from "../components/format.js";
import { PhaseTable, REQUEST_PHASES } from "../components/phases.js";
import { Calls } from "./calls.js";
import { Cookies } from "./cookies.js";
import { ProfileView } from "./profile.js";
import { ReplayProfiled } from "./replay.js";
import { ResponseDiff } from "./response-diff.js";
import { Traceback } from "../errors/traceback.js";
import { Body } from "../viewers/body.js";
import { EntryList } from "../viewers/entry-list.js";
import { WaitReasons } from "./wait-reasons.js";

/** @import { LogLine, RequestDetail, WebSocketMessage } from "snaxum-events" */
/** @import { TabPart } from "../components/tabs.js" */
/** @import { State } from "../server/store.js" */
/** @import { ListedRequest, Part } from "../types.js" */

/**
 * Returns the parts of a request with all details, in their order. Parts without content are omitted.
 * @param {RequestDetail} request
 * @param {{ state: State, select: (id: string) => void, choose: (part: string) => void }} page
 */
export function partsOf(request, { state, select, choose }) {
  const { id, logs, traceback, replay_of } = request;
  const messages = messagesOf(request, state);
  const report = state.profiles.get(id);
  const hasProfile = Boolean(report) || request.has_profile || (canProfile(request) && asksForProfile(request));
  const cookies = request.request_cookies.length + request.response_cookies.length;
  const isCut = request.are_request_cookies_cut || request.are_response_cookies_cut;
  /** @type {(TabPart | "" | null | undefined | false)[]} */
  const parts = [
    { name: "response", title: "Response", content: html`<${ResponsePart} request=${request} />` },
    { name: "request", title: "Request", content: html`<${RequestPart} request=${request} />` },
    ...partsOfSummary(request, { select, profiler: !hasProfile && canProfile(request) && html`<${ReplayProfiled} request=${request} select=${select} choose=${choose} />` }),
    hasProfile && { name: "profile", title: "Profile", content: html`<${ProfileView} id=${id} report=${report} />` },
    request.calls.length > 0 && { name: "calls", title: "Calls", count: request.call_summary?.count ?? request.calls.length, content: html`<${Calls} request=${request} />` },
    (cookies > 0 || isCut) && { name: "cookies", title: "Cookies", count: cookies, content: html`<${Cookies} request=${request} />` },
    messages.length > 0 && { name: "messages", title: "Messages", count: messages.length, content: html`<${Messages} request=${request} messages=${messages} />` },
    logs.length > 0 && { name: "logs", title: "Logs", count: logs.length, content: html`<${Logs} lines=${logs} />` },
    traceback && {
      name: "error",
      title: "Error",
      content: html`<${Traceback} traceback=${traceback} origin=${{ request: id }} changed=${changedSince(state.reloads, request)} />`,
    },
    replay_of && { name: "diff", title: "Diff", content: html`<${ResponseDiff} request=${request} runId=${state.runId} />` },
  ];
  return parts.filter((part) => typeof part === "object" && part !== null);
}

/**
 * Returns the parts of a request of which only the summary is known.
 * @param {ListedRequest} request
 * @param {{ select: (id: string) => void, profiler?: unknown }} page
 * @returns {TabPart[]}
 */
export function partsOfSummary(request, { select, profiler }) {
  const content = html`
    <${PhaseTable} phases=${request.phases} total_ms=${request.total_ms} meanings=${REQUEST_PHASES} stream=${request.stream} />
    <${WaitReasons} request=${request} select=${select} />
    ${profiler}
  `;
  return [{ name: "timing", title: "Timing", content }];
}

/**
 * Returns the name of the part to show: the part in the URL, else the error, else the part that the user
 * chose last, else the response.
 * @param {TabPart[]} parts
 * @param {Partial<Part>} chosen
 */
export function partToShow(parts, { inUrl, lastChosen }) {
  const found = [inUrl, "error", lastChosen, "messages", "response"].find((wanted) => parts.some(({ name }) => name === wanted));
  return found ?? "timing";
}

/**
 * The profile of such a request comes a moment after its end.
 * @param {RequestDetail} request
 */
function asksForProfile({ query, request_headers: headers }) {
  return new URLSearchParams(query).has("profile") || headers.some(([name]) => name === "x-snaxum-profile");
}

/**
 * Whether a replay gives a profile of what the request does.
 * @param {RequestDetail} request
 */
function canProfile(request) {
  return request.handler != null && !request.is_call && request.method !== "WS";
}

/** @param {{ request: RequestDetail }} props */
function RequestPart({ request: { id, time_ms, query, request_headers: headers, request_body: body } }) {
  return html`
    ${query && html`<h3>Query</h3><${Pairs} pairs=${[...new URLSearchParams(query)]} />`}
    ${body && body.size > 0 && html`<h3>Body</h3><${Body} id=${id} time_ms=${time_ms} part="request" body=${body} headers=${headers} />`}
    <h3>Headers</h3>
    <${Pairs} pairs=${headers} />
  `;
}

// These are the server's own, in dev mode only.
const OWN_HEADERS = new Set(["x-request-id", "x-snaxum-gen", "x-snaxum-stale", "server-timing"]);

/** @param {{ request: RequestDetail }} props */
function ResponsePart({ request: { id, time_ms, response_headers: headers, response_body: body } }) {
  const isOwn = (/** @type {[string, string]} */ [name]) => OWN_HEADERS.has(name);
  return html`
    ${body && body.size > 0 ? html`<${Body} id=${id} time_ms=${time_ms} part="response" body=${body} headers=${headers} />` : html`<p class="dim">${body ? "The body is empty." : "No body is recorded."}</p>`}
    <h3>Headers</h3>
    <${Pairs} pairs=${headers.filter((pair) => !isOwn(pair))} />
    ${headers.some(isOwn) && html`<details><summary>Headers of dev mode</summary><${Pairs} pairs=${headers.filter(isOwn)} /></details>`}
  `;
}

/**
 * Returns the messages of a WebSocket in their order: the fetched ones, then newer ones.
 * @param {RequestDetail} request
 * @param {State} state
 */
function messagesOf({ id, messages }, state) {
  const last = messages.at(-1)?.number ?? 0;
  const newer = state.messages.filter((message) => message.request === id && message.number > last);
  return [...messages, ...newer.reverse()];
}

/** @param {{ request: ListedRequest, messages: WebSocketMessage[] }} props */
function Messages({ request: { id, time_ms, close }, messages }) {
  const entries = messages.map((message) => ({ ...message, name: message.direction === "in" ? "→ in" : "← out" }));
  return html`<${EntryList} entries=${entries} label="Messages" word="message" testId="messages" place=${`messages ${id} ${time_ms}`} isOpen=${!close} />`;
}

const LATE = "The request had ended: a thread, a task or a function that it has started wrote this";

/** @param {{ lines: LogLine[] }} props */
export function Logs({ lines }) {
  return html`
    <pre class="logs" tabindex="0" data-testid="logs">${lines.map(
      ({ time_ms, stream, line, is_late }) => html`<span class="dim">${timeOfDay(time_ms)}</span> ${is_late && html`<span class="dim" title=${LATE}>after the end </span>`}${stream === "stderr" && html`<span class="warn">stderr </span>`}${visible(line)}${"\n"}`,
    )}</pre>
  `;
}

/** @param {{ pairs: [string, string][] }} props */
function Pairs({ pairs }) {
  if (!pairs.length) return html`<p class="dim">none</p>`;
  return html`
    <table class="facts">
      <tbody>
        ${pairs.map(([name, value]) => html`<tr><th scope="row"><code>${visible(name)}</code></th><td><code>${visible(value)}</code></td></tr>`)}
      </tbody>
    </table>
  `;
}
