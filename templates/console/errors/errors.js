// The Errors tab: all errors with their states, and the traceback of one of them.
//
// Shows the newest open error until the user opens another. The server decides what is one error, and when it
// is mended.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { Breakable } from "../components/breakable.js";
import { ColumnMenu, useColumns } from "../components/columns.js";
import { textMatcher } from "../components/filter.js";
import { timeOfDay, version, visible } from "../components/format.js";
import { ListTable } from "../components/list-table.js";
import { formatHash } from "../page/url-hash.js";
import { Replay } from "../requests/replay.js";
import { Actions } from "../requests/request-details.js";
import { useRequest } from "../server/request-cache.js";
import { useFetch } from "../server/use-fetch.js";
import { changedSince, changedSinceReload, openErrors, placeOf, victimsOf } from "./failures.js";
import { Traceback } from "./traceback.js";
import { useErrorActions } from "./error-actions.js";

/** @import { TrackedError } from "snaxum-events" */
/** @import { Column } from "../components/columns.js" */
/** @import { State } from "../server/store.js" */
/** @import { View } from "../types.js" */

// A traceback that changes faster than this cannot be read.
const MIN_SHOWN_MS = 1000;

/** @type {Column<TrackedError, null>[]} */
const COLUMNS = [
  { name: "error", title: "Error", min: 12, sortBy: ({ error }) => error.type, cell: (tracked) => html`<${Row} tracked=${tracked} />` },
  { name: "last", title: "Last", hint: "when it was last raised", width: 6, rank: 1, isExtra: true, isNumber: true, sortBy: ({ last_ms }) => last_ms, cell: ({ last_ms }) => timeOfDay(last_ms), cellClass: () => "dim" },
  { name: "state", title: "State", width: 6, rank: 2, isExtra: true, sortBy: ({ state }) => (state === "open" ? 0 : 1), cell: ({ state }) => state },
  { name: "count", title: "Times", width: 4.5, isNumber: true, sortBy: ({ count }) => count, cell: ({ count }) => count },
];

/** @param {View} view */
export function Errors({ state, filter, open, run, onOpen, order, onOrder }) {
  const all = state.errors;
  const opened = all.find(({ id }) => String(id) === open && (!run || run === state.runId));
  useNewFailure(state, () => open !== null && onOpen(null));
  const newest = useThrottled(opened ?? openErrors(all)[0] ?? all[0]);
  const shown = opened && opened.id !== newest?.id ? opened : newest;
  const matches = textMatcher(filter);
  const columns = useColumns("errors", COLUMNS, { order, onOrder });
  const matching = all.filter((each) => matches(each.error.type, each.error.message, placeOf(each), victimsOf(each), each.state));
  const listed = columns.sorted(matching, () => null);
  useStepKeys(listed, shown, onOpen);

  if (!shown) {
    return html`
      <div class="empty">
        <h2>No errors yet</h2>
        <p>When a save does not load or a handler raises an exception, its traceback appears here, with source, failing columns and locals.</p>
      </div>
    `;
  }
  return html`
    <div class="errors">
      <div class="list">
        <div class="toolbar"><${ColumnMenu} columns=${columns} /></div>
        <${ListTable} columns=${columns} rows=${matching} keyOf=${(/** @type {TrackedError} */ { id }) => id} className="error-rows" testid="error-row" caption=${columns.sort ? "Errors" : "Errors, the newest first"}
          open=${(/** @type {TrackedError} */ { id }) => onOpen(String(id))} attributesOf=${(/** @type {TrackedError} */ { id }) => ({ "aria-current": id === shown.id ? "true" : null })} />
        ${!listed.length && html`<p class="no-results">No error matches <q>${filter}</q>.</p>`}
      </div>
      <section class="details" aria-label="Error">
        <${Detail} key=${shown.id} state=${state} tracked=${shown} />
      </section>
    </div>
  `;
}

/** @param {{ tracked: TrackedError }} props */
function Row({ tracked }) {
  const { error, state, last_ms, returns } = tracked;
  const isMended = state === "mended";
  return html`
    <p class="error-title"><b class=${isMended ? "dim" : "bad"}>${visible(error.type)}</b> <${Breakable} text=${error.message} /></p>
    <p class="dim"><${Breakable} text=${placeOf(tracked)} /></p>
    <p class="dim">
      ${timeOfDay(last_ms)} · <${Breakable} text=${victimsOf(tracked)} />${error.file != null && html` · ${versions(tracked)}`}
    </p>
    <p>
      <b class=${isMended ? "good" : tracked.changed_by == null ? "bad" : "warn"}>${stateText(tracked)}</b>
      ${returns > 0 && html` <b class="warn">↺ came back${returns > 1 && ` ${returns} times`}</b>`}
    </p>
  `;
}

/** @param {TrackedError} tracked */
function stateText({ state, mended_by, changed_by, reload }) {
  if (state === "mended") return mended_by == null ? "✓ mended" : `✓ mended by save #${mended_by}`;
  if (changed_by != null) return `◐ changed by save #${changed_by}, not tried since`;
  return reload == null ? "● open" : "▲ not fixed yet";
}

/** @param {TrackedError} tracked */
function versions({ first_generation: first, last_generation: last }) {
  if (last == null) return "before the first version";
  return first === last || first == null ? version(last) : `versions ${first} to ${last}`;
}

/** @param {{ state: State, tracked: TrackedError }} props */
function Detail({ state, tracked }) {
  const { id, count, request: requestId, reload, modules } = tracked;
  const save = tracked.mended_by ?? tracked.changed_by ?? reload;
  const { data, problem } = useFetch(`errors/${id}`, { version: state.runId, refresh: count });
  const { request } = useRequest(state.runId, requestId);
  // Shows the previous request until the next one has loaded, so that nothing flickers.
  const last = useRef(request);
  if (request) last.current = request;
  const changed = reload != null && !requestId
    ? changedSinceReload(state.reloads, tracked)
    : changedSince(state.reloads, { generation: tracked.last_generation, time_ms: tracked.last_ms });
  const hashOf = (/** @type {string} */ open) => formatHash({ tab: "requests", open });
  useErrorActions(tracked, data?.traceback ?? null);
  return html`
    <p class="dim">
      ${requestId && html`<a href=${hashOf(requestId)}>request #${visible(requestId)}</a> · ${visible(tracked.method)} <${Breakable} text=${tracked.path} /> · `}
      ${timeOfDay(tracked.last_ms)} · <b class=${tracked.state === "mended" ? "good" : "bad"}>${stateText(tracked)}</b>${save != null && html` · <a href=${formatHash({ tab: "reloads", open: String(save) })}>See save #${save}</a>`}
      ${" · "}<kbd>n</kbd> <kbd>p</kbd> next and previous error
    </p>
    ${modules.length > 0 && html`<p data-testid="dependants">Modules that do not load because of it: <code>${modules.map(visible).join(", ")}</code></p>`}
    ${last.current && html`
      <${Actions} request=${last.current} state=${state} />
      <${Replay} key=${last.current.id} request=${last.current} state=${state} select=${(/** @type {string} */ sent) => (location.hash = hashOf(sent))} />
    `}
    ${problem && html`<p class="warn" role="alert">Cannot show the traceback: ${visible(problem)}.</p>`}
    ${!data && !problem && html`<p class="dim delayed">Loading the traceback…</p>`}
    ${data && html`<${Traceback} traceback=${data.traceback} origin=${{ error: id }} changed=${changed} />`}
  `;
}

/**
 * Calls `forget` when another save fails: an error that was opened before is about older code.
 * @param {State} state
 * @param {() => void} forget
 */
function useNewFailure({ runId, errors }, forget) {
  const failed = Math.max(0, ...openErrors(errors).map(({ reload }) => reload ?? 0));
  const before = useRef({ runId, failed });
  useEffect(() => {
    const isNewer = before.current.runId === runId && failed > before.current.failed;
    before.current = { runId, failed };
    if (isNewer) forget();
  }, [runId, failed]);
}

/**
 * Opens the next and the previous error by `n` and `p`.
 * @param {TrackedError[]} listed
 * @param {TrackedError | undefined} shown
 * @param {(id: string) => void} onOpen
 */
function useStepKeys(listed, shown, onOpen) {
  useEffect(() => {
    function onKeyDown(/** @type {any} */ event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
      const step = { n: 1, p: -1 }[/** @type {"n" | "p"} */ (event.key)];
      if (!step || !listed.length) return;
      const index = listed.findIndex(({ id }) => id === shown?.id);
      const next = listed[(Math.max(index, step < 0 ? 0 : -1) + step + listed.length) % listed.length];
      onOpen(String(next.id));
      event.preventDefault();
    }
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  });
}

/**
 * Returns `value`, but changes at most once in MIN_SHOWN_MS.
 * @template T
 * @param {T} value
 * @returns {T}
 */
function useThrottled(value) {
  const [shown, setShown] = useState(value);
  const changedAt = useRef(0);
  useEffect(() => {
    if (value === shown) return;
    const update = () => {
      changedAt.current = performance.now();
      setShown(value);
    };
    const timer = setTimeout(update, Math.max(0, changedAt.current + MIN_SHOWN_MS - performance.now()));
    return () => clearTimeout(timer);
  }, [value, shown]);
  return shown;
}
