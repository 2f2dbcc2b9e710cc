// An open request: its summary, its actions, and its parts as tabs.
//
// Shows the summary immediately and the details when they have been fetched. Never changes the selection
// itself. The content of the parts is in request-parts.js.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { page } from "../server/api.js";
import { CopyButton } from "../components/copy-button.js";
import { reveal } from "../server/commands.js";
import { curlCommand, maskedParts, revealedCommand } from "../export/curl.js";
import { markdownReport } from "../export/report.js";
import { isClientClosed, statusClass, timeOfDay, version, visible } from "../components/format.js";
import { SourceLink } from "../components/source-link.js";
import { CopyMenu } from "../export/copy-menu.js";
import { Replay } from "./replay.js";
import { useRequest } from "../server/request-cache.js";
import { partToShow, partsOf, partsOfSummary } from "./request-parts.js";
import { Tabs } from "../components/tabs.js";
import { formatHash } from "../page/url-hash.js";

/** @import { RequestDetail, RouteInfo } from "snaxum-events" */
/** @import { State } from "../server/store.js" */
/** @import { ListedRequest, Part } from "../types.js" */

/** A request of which the details are known. A WebSocket has its end, once it came. @typedef {RequestDetail & Pick<ListedRequest, "close">} DetailedRequest */

// If loading takes longer, the page explains a likely reason.
const SLOW_LOADING_MS = 3000;

/** @param {{ id: string, summary?: ListedRequest, state: State, part: Part, select: (id: string) => void, close: () => void }} props */
export function RequestDetails({ id, summary, state, part, select, close }) {
  const stage = summary?.close ? "closed" : (summary?.stream?.state ?? "");
  const { request: fetched, problem } = useRequest(state.runId, id, stage, stage === "open");
  // Shows the details so far until the next ones have loaded, so that nothing flickers.
  const last = useRef(fetched);
  if (fetched) last.current = fetched;
  const details = last.current;
  const request = details ? { ...details, close: summary?.close } : summary;

  return html`
    <aside class="details" aria-label=${`Request ${id}`} data-testid="request-details">
      <header>
        <h2>
          ${request && html`<span>${visible(request.method)}</span> <span class="path">${visible(request.path)}</span> <span class=${statusClass(request.status)}>${request.status}</span>`}
        </h2>
        <button type="button" class="quiet" onClick=${close} title="Close (Esc)"><span aria-hidden="true">✕</span><span class="visually-hidden">Close</span></button>
      </header>
      ${request && html`<${Summary} id=${id} request=${request} routes=${state.routes} />`}
      ${problem && !details && html`<p class="warn" role="alert">Cannot show the details: ${visible(problem)}.</p>`}
      ${!details && !problem && html`<${Loading} key=${id} />`}
      ${details && html`<${Details} request=${request} state=${state} part=${part} select=${select} />`}
      ${!details && summary && html`<div class=${problem ? null : "delayed"}><${Tabs} label="Parts of the request" parts=${partsOfSummary(summary, { select })} shown="timing" show=${() => {}} /></div>`}
    </aside>
  `;
}

function Loading() {
  const [isSlow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), SLOW_LOADING_MS);
    return () => clearTimeout(timer);
  }, []);
  return html`
    <p class="dim">Loading the details…</p>
    ${isSlow && html`<p role="status">Loading is slow. A browser opens at most six connections to one server; pages that wait for the app may use all of them.</p>`}
  `;
}

/** @param {{ id: string, request: ListedRequest | DetailedRequest, routes: RouteInfo[] }} props */
function Summary({ id, request, routes }) {
  const { time_ms, generation, mode, route, handler, error, close } = request;
  const served = routes.find((each) => each.path === route && each.handler === handler);
  return html`
    <p class="dim">
      #${visible(id)} · ${timeOfDay(time_ms)} · ${version(generation)}${mode && ` · ${visible(mode)}`}
    </p>
    <p>
      ${handler
        ? html`<code>${visible(handler)}</code> <span class="dim">for route</span> <code>${visible(route)}</code>${served && html` · <${SourceLink} file=${served.file} line=${served.line} target=${{ route: served.id }} />`}`
        : html`<span class="dim">${withoutRoute(request)}</span>`}
    </p>
    ${handler && isClientClosed(request) && html`<p class="dim">${CLIENT_CLOSED}</p>`}
    ${close && html`<p data-testid="websocket-close">Closed by the ${close.by}: <b class=${close.code === 1011 ? "bad" : null}>${close.code}</b> ${visible(close.reason)}</p>`}
    ${error && !("traceback" in request && request.traceback) && html`<p><b class="bad">${visible(error.type)}</b> ${visible(error.message)}</p>`}
  `;
}

const CLIENT_CLOSED = "The client disconnected before the response.";

/** @param {ListedRequest | DetailedRequest} request */
function withoutRoute(request) {
  if (request.is_call) return isClientClosed(request) ? "A call from Rust that was cancelled." : "A call from Rust.";
  return isClientClosed(request) ? CLIENT_CLOSED : "No route matched.";
}

/** @param {{ request: DetailedRequest, state: State, part: Part, select: (id: string) => void }} props */
function Details({ request, state, part, select }) {
  const parts = partsOf(request, { state, select, choose: part.choose });
  const shown = partToShow(parts, part);
  // The URL omits the part that a new page would show by default.
  const isDefault = shown === partToShow(parts, {});
  useEffect(() => {
    if (shown !== part.inUrl && !isDefault) part.choose(shown);
  }, [shown, part.inUrl, isDefault]);

  return html`
    <${Replay} request=${request} state=${state} select=${select} />
    <${Actions} request=${request} state=${state} part=${shown} />
    <${Tabs} label="Parts of the request" parts=${parts} shown=${shown} show=${part.choose} />
  `;
}

/**
 * The buttons that copy a request as a command, a report or a link, which opens `part` of it.
 * @param {{ request: RequestDetail, state: State, part: string }} props
 */
export function Actions({ request, state, part }) {
  const server = { version: page.dataset.version, origin: location.origin };
  const isCall = request.is_call; // which no HTTP client can send
  const masked = isCall ? [] : maskedParts(request);
  return html`
    <div class="actions">
      ${!isCall && html`<${CopyButton} label="Copy as cURL" text=${() => curlCommand(request, location.origin)} />`}
      ${!isCall && html`<${CopyMenu} request=${request} />`}
      <${CopyButton} label="Copy for an assistant" text=${() => markdownReport(request, state, server)} />
      <${CopyButton} label="Copy link" text=${() => linkTo(request, state, part)} />
    </div>
    ${masked.length > 0 && html`
      <p class="actions"><span class="dim" data-testid="masked-parts">Masked in the copied command: ${visible(masked.join(", "))}.</span>
        <${CopyButton} label="Copy as cURL with secrets" text=${async () => revealedCommand(await reveal(request.id), location.origin)} /></p>
    `}
  `;
}

/**
 * Returns the URL of a request. It never contains the token, so it works only for a user who is signed in.
 * @param {RequestDetail} request
 * @param {State} state
 * @param {string} part
 */
function linkTo({ id }, { runId }, part) {
  return location.origin + page.dataset.base + formatHash({ tab: "requests", open: id, run: runId, part });
}
