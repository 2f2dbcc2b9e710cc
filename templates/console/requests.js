// The Requests tab: the newest requests as a table, one of them opened beside it.
//
// Owns the row, the chips and the pause. What the filter means is in query.js, the opened request in
// request-details.js.

import { Component, html, useEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";
import { clock, counted, isGivenUp, milliseconds, statusClass, visible } from "./format.js";
import { SlowRequests } from "./now.js";
import { PhaseBar, PhaseLegend, REQUEST_PHASES } from "./phases.js";
import { CHIPS, hasTerm, parse, toggleTerm } from "./query.js";
import { Pins } from "./replay.js";
import { RequestDetails } from "./request-details.js";
import { onPick, walkRows } from "./rows.js";
import { appAddress } from "./server.js";
import { useSaid } from "./spoken.js";
import { Holder } from "./waited.js";

// Rows drawn at first, and again each time the end of the list comes into sight:
// a browser cannot lay out thousands of rows anew for every burst of requests.
const ROWS_AT_A_TIME = 60;

export function Requests({ state, filter, onFilter, open: selected, run, part, onOpen }) {
  // The list as it was when the person paused; the newest go on arriving behind it.
  const [frozen, setFrozen] = useState(null);
  const [drawn, setDrawn] = useState(ROWS_AT_A_TIME);

  // A restarted server counts its requests from 1 again, so old numbers mean other requests.
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
  // The focus goes back to the row.
  function closeDetails() {
    document.querySelector('.request-rows [aria-current="true"]')?.focus();
    onOpen(null);
  }
  const { matches, problems } = useMemo(() => parse(filter), [filter]);
  const listed = frozen ?? state.requests;
  const requests = useMemo(() => listed.filter(matches), [listed, matches]);
  const pinned = useMemo(() => new Set(state.pins.map(({ id }) => id)), [state.pins]);
  useSaid("filter", problems.length ? `left out: ${problems.map(visible).join("; ")}` : "");

  const isOfAnotherRun = selected !== null && Boolean(run) && run !== state.runId;
  if (isOfAnotherRun) return html`<${OtherRun} id=${selected} close=${() => onOpen(null)} />`;
  if (!state.requests.length) return html`<div><${SlowRequests} metrics=${state.metrics} /><${NoRequest} routes=${state.routes} /></div>`;

  const reachable = requests.slice(0, drawn).some(({ id }) => id === selected) ? selected : requests[0]?.id;

  return html`
    <div class=${selected === null ? "requests" : "requests opened"}>
      <div class="list">
        <div class="toolbar">
          <${Chips} filter=${filter} onFilter=${onFilter} />
          <${PhaseLegend} phases=${REQUEST_PHASES} />
          ${state.missed > 0 && html`<span class="warn">${counted(state.missed, "event")} missed</span>`}
          ${filter && html`<span class="dim" data-testid="found">${requests.length} of ${listed.length}</span>`}
          <button type="button" aria-pressed=${frozen !== null} onClick=${() => setFrozen(frozen ? null : state.requests)}>
            ${frozen ? `Resume · ${waiting(frozen, state.requests)} new` : "Pause"}
          </button>
        </div>
        <div id="filter-problems" data-testid="filter-problems">
          ${problems.map((problem) => html`<p class="problem"><b class="warn">▲ left out</b> ${visible(problem)}</p>`)}
        </div>
        <${SlowRequests} metrics=${state.metrics} />
        <${Pins} pins=${state.pins} select=${onOpen} />
        <table class="rows request-rows">
          <caption class="unseen">Newest requests first</caption>
          <thead>
            <tr>
              <th scope="col" class="c-id number"><abbr title="as in x-request-id">#</abbr></th>
              <th scope="col" class="c-time">Time</th>
              <th scope="col" class="c-method">Method</th>
              <th scope="col" class="c-path">Path</th>
              <th scope="col" class="c-status">Status</th>
              <th scope="col" class="c-total number">Total</th>
              <th scope="col" class="c-bar">Phases</th>
              <th scope="col" class="c-generation number"><abbr title="generation of the code that answered">G</abbr></th>
            </tr>
          </thead>
          <tbody onKeyDown=${walkRows}>
            ${requests.slice(0, drawn).map(
              (request) => html`
                <${RequestRow}
                  key=${request.id}
                  request=${request}
                  isSelected=${request.id === selected}
                  isReachable=${request.id === reachable}
                  isPinned=${pinned.has(request.id)}
                  select=${onOpen}
                />
              `,
            )}
          </tbody>
        </table>
        ${requests.length > drawn && html`<${ListEnd} key=${drawn} reached=${() => setDrawn(drawn + ROWS_AT_A_TIME)} />`}
        ${!requests.length && html`<p class="nothing">No request matches <q>${filter}</q>.</p>`}
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

/** The commonest terms as buttons. They write the filter's text, and nothing else. */
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
  return html`<p ref=${end} class="nothing"><button type="button" onClick=${reached}>Show more</button></p>`;
}

function waiting(frozen, requests) {
  // By its number: a snapshot has made the objects anew.
  const seen = requests.findIndex(({ id }) => id === frozen[0].id);
  return seen < 0 ? `${requests.length}+` : seen;
}

// A request never changes once it has ended, so most rows need no second drawing.
class RequestRow extends Component {
  shouldComponentUpdate(next) {
    return ["request", "isSelected", "isReachable", "isPinned"].some((name) => next[name] !== this.props[name]);
  }

  render({ request, isSelected, isReachable, isPinned, select }) {
    const { id, time_ms, method, path, query, status, total_ms, phases, generation, error, replay_of } = request;
    const address = visible(path) + (query ? `?${visible(query)}` : "");
    return html`
      <tr
        data-row
        data-testid="request-row"
        tabindex=${isReachable ? 0 : -1}
        aria-current=${isSelected ? "true" : null}
        onClick=${onPick(() => select(id))}
      >
        <td class="c-id number dim">${visible(id)}</td>
        <td class="c-time dim">${clock(time_ms)}</td>
        <td class="c-method">${visible(method)}</td>
        <td class="c-path" title=${address}>
          ${replay_of && html`<span class="dim" title=${`repeats #${visible(replay_of)}`}>↺ </span>`}${address}${error && html` <span class="bad">${visible(error.type)}</span>`}${isGivenUp(request) && html` <span class="dim">the client went away</span>`}${isPinned && html` <b class="warn">⚑ pinned</b>`}<${Holder} request=${request} />
        </td>
        <td class=${`c-status ${statusClass(status)}`}>${status}</td>
        <td class="c-total number">${milliseconds(total_ms)}</td>
        <td class="c-bar"><${PhaseBar} phases=${phases} total_ms=${total_ms} /></td>
        <td class="c-generation number dim">${generation}</td>
      </tr>
    `;
  }
}

function OtherRun({ id, close }) {
  return html`
    <div class="empty" data-testid="other-run">
      <h2>Request #${visible(id)} is gone</h2>
      <p>The link is of a process that has ended; the one that runs now counts its own requests.</p>
      <p><button type="button" onClick=${close}>Show its requests</button></p>
    </div>
  `;
}

function NoRequest({ routes }) {
  const route = routes.find(({ methods, params }) => methods.includes("GET") && !params?.length);
  const address = route && appAddress(route.path);
  return html`
    <div class="empty">
      <h2>No request yet</h2>
      ${address
        ? html`<p>Open <a href=${address} target="_blank" rel="noopener noreferrer">${visible(address)}</a> and it shows up here, with the time each phase took.</p>`
        : html`<p>Call one of your routes below <code>${location.origin}</code> and it shows up here, with the time each phase took.</p>`}
    </div>
  `;
}
