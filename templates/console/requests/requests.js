// The Requests tab: a table of the newest requests, and the open request beside it.
//
// Owns the rows, the filter buttons, and when the list is frozen. The filter language is in request-filter.js, the open
// request in request-details.js.

import { Component, html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { appUrl } from "../server/api.js";
import { SlowRequests } from "../components/current-load.js";
import { ColumnHeads, ColumnMenu, useColumns } from "../components/columns.js";
import { pluralize, visible } from "../components/format.js";
import { ListEnd } from "../components/list-end.js";
import { HarButton } from "../export/har-button.js";
import { AddColumn } from "./add-column.js";
import { useHeaderColumns } from "./header-columns.js";
import { useAnnouncement } from "../page/live-region.js";
import { PhaseLegend, REQUEST_PHASES } from "../components/phases.js";
import { Pins } from "./replay.js";
import { ProfileView } from "./profile.js";
import { useRequestActions } from "./request-actions.js";
import { RequestDetails } from "./request-details.js";
import { CHIPS, hasTerm, parseFilter, toggleTerm } from "./request-filter.js";
import { REQUEST_COLUMNS } from "./request-columns.js";
import { KeyedRows, navigateRows, onRowClick } from "../components/table-nav.js";
import { BurstHead, WATERFALL_COLUMNS, bursts } from "./waterfall.js";

/** @import { RouteInfo } from "snaxum-events" */
/** @import { Column } from "../components/columns.js" */
/** @import { ListedRequest, View } from "../types.js" */
/** @import { Axis, RowContext } from "./request-columns.js" */

// Rows drawn at first, and added each time the end of the list is visible: a browser cannot lay out
// thousands of rows for every burst of requests.
const PAGE_SIZE = 60;

// The name of the view in the URL.
const WATERFALL = "waterfall";

/** @param {View} props */
export function Requests({ state, filter, onFilter, open: selected, run, part, onOpen, order, onOrder }) {
  // The list at the moment the user froze it; new requests are still added to the state.
  const [frozen, setFrozen] = useState(/** @type {ListedRequest[] | null} */ (null));
  const [drawn, setDrawn] = useState(PAGE_SIZE);
  const isWaterfall = order.view === WATERFALL;

  // A restarted server numbers its requests from 1 again, so old numbers mean other requests.
  const runId = useRef(state.runId);
  useEffect(() => {
    if (runId.current === state.runId) return;
    runId.current = state.runId;
    if (selected !== null) onOpen(null);
    setFrozen(null);
  }, [state.runId]);
  useEffect(() => {
    function close(/** @type {KeyboardEvent} */ event) {
      // In a text field, such as in Edit and replay, the key must not discard what was typed.
      if (event.key !== "Escape" || selected === null || (event.target instanceof Element && event.target.closest("input, textarea, select"))) return;
      if (!document.querySelector("dialog[open]")) closeDetails();
    }
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  });
  const { list, hold } = useListPosition(selected !== null);
  /** @param {string} id */
  function openRequest(id) {
    hold(id);
    onOpen(id);
  }
  useRequestActions({ state, selected, onOpen });
  // Moves the focus back to the row, once the list is visible again.
  const latest = useRef(selected);
  latest.current = selected;
  function closeDetails() {
    // The key may come before the effect with the newer id.
    const id = latest.current ?? "";
    hold(id);
    onOpen(null);
    const row = () => /** @type {HTMLElement | null} */ (document.querySelector(`.requests > .list [data-id="${CSS.escape(id)}"]`));
    setTimeout(() => row()?.focus({ preventScroll: true }));
  }
  const { matches, problems } = useMemo(() => parseFilter(filter), [filter]);
  const listed = frozen ?? state.requests;
  const added = useHeaderColumns(state);
  // The time axis stays the last column, below the scale of its burst.
  const allColumns = useMemo(() => (isWaterfall ? [...WATERFALL_COLUMNS.slice(0, -1), ...added.columns, ...WATERFALL_COLUMNS.slice(-1)] : [...REQUEST_COLUMNS, ...added.columns]), [isWaterfall, added.columns]);
  const columns = useColumns("requests", allColumns, { order, onOrder });
  const profiled = useProfiled(state.profiles);
  const groups = useMemo(() => {
    const matching = listed.filter((request) => matches(request, { profiled }));
    const sorted = (/** @type {ListedRequest[]} */ rows) => columns.sorted(rows, ({ id }) => ({ isPinned: false, isProfiled: profiled.has(id) }));
    if (!isWaterfall) return { requests: sorted(matching), burstOf: null };
    const all = bursts(matching).map((burst) => ({ ...burst, requests: sorted(burst.requests) }));
    return { requests: all.flatMap((burst) => burst.requests), burstOf: new Map(all.flatMap((burst) => burst.requests.map(({ id }) => [id, burst]))) };
  }, [listed, matches, profiled, columns.sort, columns.all, isWaterfall]);
  const { requests, burstOf } = groups;
  const byId = useMemo(() => new Map(isWaterfall ? listed.map((request) => [request.id, request]) : []), [listed, isWaterfall]);
  const showProfile = (/** @type {string} */ id) => html`<${ProfileView} id=${id} report=${state.profiles.get(id)} isRunning />`;
  const pinned = useMemo(() => new Set(state.pins.map(({ id }) => id)), [state.pins]);
  useAnnouncement("filter", problems.length ? `filter term ignored: ${problems.map(visible).join("; ")}` : "");

  const isFromOtherRun = selected !== null && Boolean(run) && run !== state.runId;
  if (isFromOtherRun) return html`<${OtherRun} id=${selected} close=${() => onOpen(null)} />`;
  if (!state.requests.length) return html`<div><${SlowRequests} metrics=${state.metrics} showProfile=${showProfile} /><${NoRequests} routes=${state.routes} /></div>`;

  const tabStop = requests.slice(0, drawn).some(({ id }) => id === selected) ? selected : requests[0]?.id;

  return html`
    <div class=${selected === null ? "requests" : "requests opened"}>
      <div class="list" ref=${list}>
        <div class="toolbar">
          <${Chips} filter=${filter} onFilter=${onFilter} />
          <${PhaseLegend} phases=${REQUEST_PHASES} />
          ${state.droppedEvents > 0 && html`<span class="warn">${pluralize(state.droppedEvents, "event")} dropped</span>`}
          ${filter && html`<span class="dim" data-testid="match-count">${requests.length} of ${listed.length}</span>`}
          <${SlowRequests} metrics=${state.metrics} showProfile=${showProfile} />
          <${ColumnMenu} columns=${columns} add=${html`<${AddColumn} add=${added.add} />`} remove=${added.remove} reset=${added.reset}><${HarButton} requests=${requests} /></>
          <button type="button" aria-pressed=${isWaterfall} title="The requests by their start, on one time axis" onClick=${() => onOrder({ view: isWaterfall ? null : WATERFALL })}>Waterfall</button>
          <button type="button" aria-pressed=${frozen !== null} onClick=${() => setFrozen(frozen ? null : state.requests)}>
            ${frozen ? `Show ${countNew(frozen, state.requests)} new` : "Freeze list"}
          </button>
        </div>
        <div id="filter-problems" data-testid="filter-problems">
          ${problems.map((problem) => html`<p class="problem"><b class="warn">▲ ignored</b> ${visible(problem)}</p>`)}
        </div>
        <${Pins} pins=${state.pins} select=${onOpen} />
        <table class="rows request-rows" ref=${columns.ref}>
          <caption class="visually-hidden">${columns.sort ? "Requests" : "Newest requests first"}</caption>
          <thead><tr><${ColumnHeads} columns=${columns} /></tr></thead>
          <tbody onKeyDown=${navigateRows}>
            ${requests.slice(0, drawn).map((request) => {
              const burst = burstOf?.get(request.id);
              return html`<${KeyedRows} key=${request.id}>
                ${burst && burst.requests[0] === request && html`<${BurstHead} burst=${burst} span=${columns.shown.length} />`}
                <${RequestRow}
                  request=${request}
                  from=${burst?.from}
                  to=${burst?.to}
                  byId=${byId}
                  isSelected=${request.id === selected}
                  isTabStop=${request.id === tabStop}
                  isPinned=${pinned.has(request.id)}
                  isProfiled=${profiled.has(request.id)}
                  columns=${columns.shown}
                  select=${openRequest}
                />
              </>`;
            })}
          </tbody>
        </table>
        ${requests.length > drawn && html`<${ListEnd} key=${drawn} reached=${() => setDrawn(drawn + PAGE_SIZE)} />`}
        ${!requests.length && html`<p class="no-results">No request matches <q>${filter}</q>.</p>`}
      </div>
      ${selected !== null && html`
        <div>
          <${PageNav} requests=${requests} selected=${selected} open=${onOpen} close=${closeDetails} />
          <${RequestDetails}
            key=${selected}
            id=${selected}
            summary=${listed.find(({ id }) => id === selected)}
            state=${state}
            part=${part}
            select=${onOpen}
            close=${closeDetails}
          />
        </div>
      `}
    </div>
  `;
}

/**
 * The ids of the requests that have a profile: the same set until another request has one.
 * @param {View["state"]["profiles"]} profiles
 * @returns {Set<string>}
 */
function useProfiled(profiles) {
  const ids = [...profiles.keys()].sort().join();
  return useMemo(() => new Set(ids.split(",")), [ids]);
}

/**
 * Where an open request is a page of its own: the way back to the list, and to the rows around it.
 * @param {{ requests: ListedRequest[], selected: string, open: (id: string) => void, close: () => void }} props
 */
function PageNav({ requests, selected, open, close }) {
  const index = requests.findIndex(({ id }) => id === selected);
  const step = (/** @type {string} */ label, /** @type {string} */ title, /** @type {ListedRequest | undefined} */ request) => html`
    <button type="button" title=${title} aria-disabled=${request ? null : "true"} onClick=${() => request && open(request.id)}>${label}</button>
  `;
  return html`
    <nav class="page-nav" aria-label="Open request" data-testid="page-nav">
      <button type="button" onClick=${close}><span aria-hidden="true">←</span> Requests</button>
      <span class="spacer"></span>
      ${index >= 0 && html`
        <span class="dim">${index + 1} of ${requests.length}</span>
        ${step("Previous", "the row above (k)", requests[index - 1])} ${step("Next", "the row below (j)", requests[index + 1])}
      `}
    </nav>
  `;
}

/**
 * Buttons for common terms. They only edit the filter's text.
 * @param {Pick<View, "filter" | "onFilter">} props
 */
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

/**
 * @param {ListedRequest[]} frozen
 * @param {ListedRequest[]} requests
 */
function countNew(frozen, requests) {
  // Compares ids, because a snapshot replaces the objects.
  const index = requests.findIndex(({ id }) => id === frozen[0].id);
  return index < 0 ? `${requests.length}+` : index;
}

/**
 * Restores the place of the list while a request opens and closes: it is hidden behind the request, or its rows move
 * because it is narrower. Returns the list's ref, and a function to call before `id` opens or closes.
 * @param {boolean} isOpen
 */
function useListPosition(isOpen) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const hidden = useRef(/** @type {{ list: number, page: number } | null} */ (null));
  const anchor = useRef(/** @type {{ id: string, top?: number } | null} */ (null));
  const rowOf = (/** @type {string} */ id) => list.current?.querySelector(`[data-id="${CSS.escape(id)}"]`);
  /** @param {string} id */
  function hold(id) {
    const isHidden = !list.current?.offsetParent;
    if (list.current && !isHidden) hidden.current = { list: list.current.scrollTop, page: scrollY };
    anchor.current = isHidden ? null : { id, top: rowOf(id)?.getBoundingClientRect().top };
  }
  useLayoutEffect(() => {
    if (!list.current?.offsetParent) {
      scrollTo(0, 0);
    } else if (anchor.current?.top !== undefined) {
      const { id, top } = anchor.current;
      list.current.scrollTop += (rowOf(id)?.getBoundingClientRect().top ?? top) - top;
    } else if (hidden.current && !isOpen) {
      list.current.scrollTop = hidden.current.list;
      scrollTo(0, hidden.current.page);
    }
    anchor.current = null;
  }, [isOpen]);
  return { list, hold };
}

/** @typedef {{ request: ListedRequest, isSelected: boolean, isTabStop: boolean, isPinned: boolean, isProfiled: boolean, from?: number, to?: number, byId: Axis["byId"], columns: Column<ListedRequest, RowContext>[], select: (id: string) => void }} RowProps */

/** @type {(keyof RowProps)[]} */
const DRAWN_PROPS = ["request", "isSelected", "isTabStop", "isPinned", "isProfiled", "from", "to", "columns"];

/**
 * A finished request never changes, so most rows need not be drawn again.
 * @extends {Component<RowProps>}
 */
class RequestRow extends Component {
  /** @param {RowProps} next */
  shouldComponentUpdate(next) {
    return DRAWN_PROPS.some((name) => next[name] !== this.props[name]);
  }

  /** @param {RowProps} props */
  render({ request, isSelected, isTabStop, isPinned, isProfiled, from, to, byId, columns, select }) {
    const axis = from === undefined || to === undefined ? null : { from, to, byId };
    return html`
      <tr
        data-row
        data-testid="request-row"
        data-id=${request.id}
        tabindex=${isTabStop ? 0 : -1}
        aria-current=${isSelected ? "true" : null}
        onClick=${onRowClick(() => select(request.id))}
      >
        ${columns.map(({ name, isNumber, cell, cellClass }) => html`<td key=${name} class=${`c-${name}${isNumber ? " number" : ""} ${cellClass?.(request) ?? ""}`}>${cell(request, { isPinned, isProfiled, axis })}</td>`)}
      </tr>
    `;
  }
}

/** @param {{ id: string, close: () => void }} props */
function OtherRun({ id, close }) {
  return html`
    <div class="empty" data-testid="other-run">
      <h2>Request #${visible(id)} is not available</h2>
      <p>The link belongs to a server process that has ended. The current process has requests of its own.</p>
      <p><button type="button" onClick=${close}>Show current requests</button></p>
    </div>
  `;
}

/** @param {{ routes: RouteInfo[] }} props */
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
