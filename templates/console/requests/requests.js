// The Requests tab: a table of the newest requests, and the open request beside it.
//
// Owns the rows, the filter buttons, and when the list is frozen. The filter language is in request-filter.js, the open
// request in request-details.js.

import { Component, html, useEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { appUrl } from "../server/api.js";
import { SlowRequests } from "../components/current-load.js";
import { isClientClosed, milliseconds, pluralize, statusClass, timeOfDay, visible } from "../components/format.js";
import { useAnnouncement } from "../page/live-region.js";
import { PhaseBar, PhaseLegend, PhaseScale, REQUEST_PHASES } from "../components/phases.js";
import { Pins } from "./replay.js";
import { RequestDetails } from "./request-details.js";
import { CHIPS, hasTerm, parseFilter, toggleTerm } from "./request-filter.js";
import { navigateRows, onRowClick } from "../components/table-nav.js";
import { MainBlocker } from "./wait-reasons.js";

// Rows drawn at first, and added each time the end of the list is visible: a browser cannot lay out
// thousands of rows for every burst of requests.
const PAGE_SIZE = 60;

export function Requests({ state, filter, onFilter, open: selected, run, part, onOpen }) {
  // The list at the moment the user froze it; new requests are still added to the state.
  const [frozen, setFrozen] = useState(null);
  const [drawn, setDrawn] = useState(PAGE_SIZE);

  // A restarted server numbers its requests from 1 again, so old numbers mean other requests.
  const runId = useRef(state.runId);
  useEffect(() => {
    if (runId.current === state.runId) return;
    runId.current = state.runId;
    if (selected !== null) onOpen(null);
    setFrozen(null);
  }, [state.runId]);
  useEffect(() => {
    const close = (event) => event.key === "Escape" && !document.querySelector("dialog[open]") && selected !== null && closeDetails();
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  });
  // Moves the focus back to the row.
  function closeDetails() {
    document.querySelector('.request-rows [aria-current="true"]')?.focus();
    onOpen(null);
  }
  const { matches, problems } = useMemo(() => parseFilter(filter), [filter]);
  const listed = frozen ?? state.requests;
  const requests = useMemo(() => listed.filter(matches), [listed, matches]);
  const pinned = useMemo(() => new Set(state.pins.map(({ id }) => id)), [state.pins]);
  useAnnouncement("filter", problems.length ? `filter term ignored: ${problems.map(visible).join("; ")}` : "");

  const isFromOtherRun = selected !== null && Boolean(run) && run !== state.runId;
  if (isFromOtherRun) return html`<${OtherRun} id=${selected} close=${() => onOpen(null)} />`;
  if (!state.requests.length) return html`<div><${SlowRequests} metrics=${state.metrics} /><${NoRequests} routes=${state.routes} /></div>`;

  const tabStop = requests.slice(0, drawn).some(({ id }) => id === selected) ? selected : requests[0]?.id;

  return html`
    <div class=${selected === null ? "requests" : "requests opened"}>
      <div class="list">
        <div class="toolbar">
          <${Chips} filter=${filter} onFilter=${onFilter} />
          <${PhaseLegend} phases=${REQUEST_PHASES} />
          ${state.droppedEvents > 0 && html`<span class="warn">${pluralize(state.droppedEvents, "event")} dropped</span>`}
          ${filter && html`<span class="dim" data-testid="match-count">${requests.length} of ${listed.length}</span>`}
          <${SlowRequests} metrics=${state.metrics} />
          <button type="button" aria-pressed=${frozen !== null} onClick=${() => setFrozen(frozen ? null : state.requests)}>
            ${frozen ? `Show ${countNew(frozen, state.requests)} new` : "Freeze list"}
          </button>
        </div>
        <div id="filter-problems" data-testid="filter-problems">
          ${problems.map((problem) => html`<p class="problem"><b class="warn">▲ ignored</b> ${visible(problem)}</p>`)}
        </div>
        <${Pins} pins=${state.pins} select=${onOpen} />
        <table class="rows request-rows">
          <caption class="visually-hidden">Newest requests first</caption>
          <thead>
            <tr>
              <th scope="col" class="c-id number"><abbr title="the request id, as in the header x-request-id">#</abbr></th>
              <th scope="col" class="c-time">Time</th>
              <th scope="col" class="c-method">Method</th>
              <th scope="col" class="c-path">Path</th>
              <th scope="col" class="c-status">Status</th>
              <th scope="col" class="c-total number">Total</th>
              <th scope="col" class="c-bar"><${PhaseScale} /></th>
            </tr>
          </thead>
          <tbody onKeyDown=${navigateRows}>
            ${requests.slice(0, drawn).map(
              (request) => html`
                <${RequestRow}
                  key=${request.id}
                  request=${request}
                  isSelected=${request.id === selected}
                  isTabStop=${request.id === tabStop}
                  isPinned=${pinned.has(request.id)}
                  select=${onOpen}
                />
              `,
            )}
          </tbody>
        </table>
        ${requests.length > drawn && html`<${ListEnd} key=${drawn} reached=${() => setDrawn(drawn + PAGE_SIZE)} />`}
        ${!requests.length && html`<p class="no-results">No request matches <q>${filter}</q>.</p>`}
      </div>
      ${selected !== null && html`
        <${RequestDetails}
          key=${selected}
          id=${selected}
          summary=${listed.find(({ id }) => id === selected)}
          state=${state}
          part=${part}
          select=${onOpen}
          close=${closeDetails}
        />
      `}
    </div>
  `;
}

/** Buttons for common terms. They only edit the filter's text. */
function Chips({ filter, onFilter }) {
  return html`
    <div class="chips" role="group" aria-label="Common filters">
      ${CHIPS.map(({ term, label }) => html`
        <button key=${term} type="button" title=${term} aria-pressed=${hasTerm(filter, term)}
          onClick=${() => onFilter(toggleTerm(filter, term))}>${label}</button>
      `)}
    </div>
  `;
}

function ListEnd({ reached }) {
  const end = useRef(null);
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && reached(), { rootMargin: "400px" });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, []);
  return html`<p ref=${end} class="no-results"><button type="button" onClick=${reached}>Show more</button></p>`;
}

function countNew(frozen, requests) {
  // Compares ids, because a snapshot replaces the objects.
  const index = requests.findIndex(({ id }) => id === frozen[0].id);
  return index < 0 ? `${requests.length}+` : index;
}

// A finished request never changes, so most rows need not be drawn again.
class RequestRow extends Component {
  shouldComponentUpdate(next) {
    return ["request", "isSelected", "isTabStop", "isPinned"].some((name) => next[name] !== this.props[name]);
  }

  render({ request, isSelected, isTabStop, isPinned, select }) {
    const { id, time_ms, method, path, query, status, total_ms, phases, error, replay_of } = request;
    const target = visible(path) + (query ? `?${visible(query)}` : "");
    return html`
      <tr
        data-row
        data-testid="request-row"
        tabindex=${isTabStop ? 0 : -1}
        aria-current=${isSelected ? "true" : null}
        onClick=${onRowClick(() => select(id))}
      >
        <td class="c-id number dim">${visible(id)}</td>
        <td class="c-time dim">${timeOfDay(time_ms)}</td>
        <td class="c-method">${visible(method)}</td>
        <td class="c-path" title=${target}>
          ${replay_of && html`<span class="dim" title=${`replay of #${visible(replay_of)}`}>↺ </span>`}${target}${error && html` <span class="bad">${visible(error.type)}</span>`}${isClientClosed(request) && html` <span class="dim">client disconnected</span>`}${isPinned && html` <b class="warn">⚑ pinned</b>`}<${MainBlocker} request=${request} />
        </td>
        <td class=${`c-status ${statusClass(status)}`}>${status}</td>
        <td class="c-total number">${milliseconds(total_ms)}</td>
        <td class="c-bar"><${PhaseBar} phases=${phases} total_ms=${total_ms} /></td>
      </tr>
    `;
  }
}

function OtherRun({ id, close }) {
  return html`
    <div class="empty" data-testid="other-run">
      <h2>Request #${visible(id)} is not available</h2>
      <p>The link belongs to a server process that has ended. The current process has requests of its own.</p>
      <p><button type="button" onClick=${close}>Show current requests</button></p>
    </div>
  `;
}

function NoRequests({ routes }) {
  const route = routes.find(({ methods, params }) => methods.includes("GET") && !params?.length);
  const url = route && appUrl(route.path);
  return html`
    <div class="empty">
      <h2>No requests yet</h2>
      ${url
        ? html`<p>Open <a href=${url} target="_blank" rel="noopener noreferrer">${visible(url)}</a>: the request appears here, with the time of each phase.</p>`
        : html`<p>Send a request to <code>${location.origin}</code>: it appears here, with the time of each phase.</p>`}
    </div>
  `;
}
