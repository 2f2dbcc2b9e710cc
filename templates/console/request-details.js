// One request opened: what it was, what can be done with it, and its parts as tabs.
//
// Shows the summary at once and the rest when it has been fetched. Never changes the selection itself;
// what is in the parts is in request-parts.js.

import { html, useEffect, useState } from "./vendor/preact-htm.js";
import { addressOf } from "./address.js";
import { CopyButton } from "./copy.js";
import { clock, isGivenUp, statusClass, visible } from "./format.js";
import { Replay } from "./replay.js";
import { curl, report } from "./reports.js";
import { partsOf, partsOfSummary, shownOf } from "./request-parts.js";
import { page } from "./server.js";
import { Tabs } from "./tabs.js";
import { useWholeRequest } from "./whole-request.js";

// After so long it is worth a word that the rest has not come.
const LONG_MS = 3000;

/** `part` is { named, chosen, choose }: see `useAddress` in frame.js. */
export function RequestDetails({ id, summary, state, part, select, close }) {
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
      ${request && html`<${Summary} id=${id} request=${request} />`}
      ${problem && html`<p class="warn" role="alert">The rest cannot be shown: ${visible(problem)}.</p>`}
      ${!whole && !problem && html`<${Loading} key=${id} />`}
      ${whole && html`<${Whole} request=${whole} state=${state} part=${part} select=${select} />`}
      ${!whole && summary && html`<div class=${problem ? null : "late"}><${Tabs} label="Parts of the request" parts=${partsOfSummary(summary, { select })} shown="timing" show=${() => {}} /></div>`}
    </aside>
  `;
}

function Loading() {
  const [isLong, setIsLong] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setIsLong(true), LONG_MS);
    return () => clearTimeout(timer);
  }, []);
  return html`
    <p class="dim">Loading the rest…</p>
    ${isLong && html`<p role="status">It takes long. A browser has six connections to one address; pages that wait for the app may hold them all.</p>`}
  `;
}

function Summary({ id, request }) {
  const { time_ms, generation, mode, route, handler, error, traceback } = request;
  return html`
    <p class="dim">
      #${visible(id)} · ${clock(time_ms)} · G${generation ?? "–"}${mode && ` · ${visible(mode)}`}
    </p>
    <p>
      ${handler
        ? html`<code>${visible(handler)}</code> <span class="dim">for</span> <code>${visible(route)}</code>`
        : html`<span class="dim">${isGivenUp(request) ? "The client went away before the answer." : "No route answered it."}</span>`}
    </p>
    ${error && !traceback && html`<p><b class="bad">${visible(error.type)}</b> ${visible(error.message)}</p>`}
  `;
}

function Whole({ request, state, part, select }) {
  const parts = partsOf(request, { state, select });
  const shown = shownOf(parts, part);
  // The address names what a page that knows of no choice would not show.
  const isUsual = shown === shownOf(parts, {});
  useEffect(() => {
    if (shown !== part.named && !isUsual) part.choose(shown);
  }, [shown, part.named, isUsual]);

  return html`
    <${Actions} request=${request} state=${state} part=${shown} />
    <${Replay} request=${request} state=${state} select=${select} />
    <${Tabs} label="Parts of the request" parts=${parts} shown=${shown} show=${part.choose} />
  `;
}

/** The buttons that copy a request in one form or another; the link opens `part` of it. */
export function Actions({ request, state, part }) {
  const server = { version: page.dataset.version, origin: location.origin };
  return html`
    <p class="actions">
      <${CopyButton} label="Copy as cURL" text=${() => curl(request, location.origin)} />
      <${CopyButton} label="Copy for an assistant" text=${() => report(request, state, server)} />
      <${CopyButton} label="Copy link" text=${() => linkTo(request, state, part)} />
    </p>
  `;
}

/** Opens this request for whoever is signed in; never holds the token. */
function linkTo({ id }, { runId }, part) {
  return location.origin + page.dataset.base + addressOf({ tab: "requests", open: id, run: runId, part });
}
