// The Logs tab: the output and the log records of the code, in one timeline with the requests and reloads.
//
// Each line links to its request or reload, to the code that wrote it, and to the routes of its module. The order is
// in timeline.js, the filter in timeline-filter.js.

import { Component, html, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { Breakable } from "../components/breakable.js";
import { milliseconds, pluralize, statusClass, timeOfDay, visible } from "../components/format.js";
import { SourceLink } from "../components/source-link.js";
import { navigateRows, onRowClick } from "../components/table-nav.js";
import { formatHash } from "../page/url-hash.js";
import { useFetch } from "../server/use-fetch.js";
import { Timeline } from "./timeline.js";
import { parseTimelineFilter } from "./timeline-filter.js";

/** @import { LogLine, Reload, RouteInfo } from "snaxum-events" */
/** @import { ListedRequest, View } from "../types.js" */
/** @import { State } from "../server/store.js" */
/** @import { Row } from "./timeline.js" */

// Rows in the document; a button adds as many.
const DRAWN = 300;
const CHIPS = ["log:", "level:warning", "error:*", "logger:", "file:", "request:"];

/** @param {View} view */
export function Logs({ state, filter, onFilter }) {
  const [drawn, setDrawn] = useState(DRAWN);
  // The state at the moment the user froze the list; new rows are still added to the state.
  const [frozen, setFrozen] = useState(/** @type {State | null} */ (null));
  const { runId, logs, requests, reloads } = frozen?.runId === state.runId ? frozen : state;
  const isFrozen = frozen?.runId === state.runId;
  const older = useOlderLines(state.runId, state.logs);
  const { matches, problems } = useMemo(() => parseTimelineFilter(filter), [filter]);
  const timeline = useTimeline(runId);
  const listed = timeline.update({ logs, older, requests, reloads }, matches);
  const modules = useMemo(() => modulesByFile(state.routes), [state.routes]);

  return html`<div class="log-view">
    <div class="toolbar">
      <span class="chips" role="group" aria-label="Add to the filter">
        ${CHIPS.map((chip) => html`<button type="button" key=${chip} onClick=${() => onFilter(`${filter} ${chip}`.trim())}>${chip}</button>`)}
      </span>
      <span class="dim" data-testid="row-count">${pluralize(listed.length, "row")}, the newest first</span>
      <span class="spacer"></span>
      <button type="button" aria-pressed=${isFrozen} onClick=${() => setFrozen(isFrozen ? null : state)}>${isFrozen ? `Show ${countNew(frozen, state)} new` : "Freeze list"}</button>
    </div>
    ${problems.length > 0 && html`<p class="problem" id="filter-problems">${problems.map(visible).join("; ")}</p>`}
    ${listed.length === 0 && html`<p class="no-results">${filter ? html`Nothing matches <q>${filter}</q>.` : "Nothing was printed or logged yet."}</p>`}
    <ol class="timeline" aria-label="Timeline" onKeyDown=${navigateRows}>
      ${listed.slice(0, drawn).map((row, index) => html`<${Entry} key=${`${runId} ${row.key}`} row=${row} isFirst=${index === 0} modules=${modules} />`)}
    </ol>
    ${listed.length > drawn && html`<p class="toolbar"><button type="button" onClick=${() => setDrawn(drawn + DRAWN)}>Show ${Math.min(DRAWN, listed.length - drawn)} more</button></p>`}
  </div>`;
}

/**
 * Each process has a timeline of its own.
 * @param {string | null} runId
 */
function useTimeline(runId) {
  const current = useRef({ runId, timeline: new Timeline() });
  if (current.current.runId !== runId) current.current = { runId, timeline: new Timeline() };
  return current.current.timeline;
}

/**
 * Returns the number of rows that have been added to the state.
 * @param {State} before
 * @param {State} now
 */
function countNew(before, now) {
  const lists = /** @type {("logs" | "requests" | "reloads")[]} */ (["logs", "requests", "reloads"]);
  return lists.reduce((sum, name) => sum + countAdded(before[name], now[name]), 0);
}

/**
 * Compares ids too, because an event may replace an object.
 * @param {(LogLine | ListedRequest | Reload)[]} before
 * @param {(LogLine | ListedRequest | Reload)[]} now
 */
function countAdded([newest], now) {
  const index = now.findIndex((each) => each === newest || (newest && "id" in newest && "id" in each && each.id === newest.id));
  return index < 0 ? now.length : index;
}

/**
 * Returns the module of each file that has routes.
 * @param {RouteInfo[]} routes
 */
function modulesByFile(routes) {
  return new Map(routes.map(({ file, module }) => [file, module ?? ""]));
}

/** @typedef {{ row: Row, isFirst: boolean, modules: Map<string, string> }} EntryProps */

// A row never changes, so most need not be drawn again.
/** @extends {Component<EntryProps>} */
class Entry extends Component {
  /** @param {EntryProps} next */
  shouldComponentUpdate(next) {
    return next.row !== this.props.row || next.isFirst !== this.props.isFirst || next.modules !== this.props.modules;
  }

  /** @param {EntryProps} props */
  render({ row, isFirst, modules }) {
    return html`
      <li class=${`entry ${row.kind} ${levelClass(row)}`} data-row data-testid=${`${row.kind}-entry`} tabindex=${isFirst ? 0 : -1} onClick=${onRowClick(() => open(row))}>
        <span class="dim time">${timeOfDay(row.time_ms)}</span>
        ${row.kind === "log" ? html`<${Line} log=${row.log} modules=${modules} />` : row.kind === "request" ? html`<${RequestEntry} request=${row.request} />` : html`<${ReloadEntry} reload=${row.reload} />`}
      </li>
    `;
  }
}

/** @param {Row} row */
function open(row) {
  const target = row.kind === "request" ? linkToRequest(row.request.id) : row.kind === "reload" ? linkToReload(row.reload.id) : linkOfLine(row.log);
  if (target) location.hash = target;
}

/** @param {LogLine} log */
function linkOfLine({ request, reload }) {
  return request != null ? linkToRequest(request, "logs") : reload != null ? linkToReload(reload) : null;
}

/** @param {string} id @param {string | null} [part] */
function linkToRequest(id, part = null) {
  return formatHash({ tab: "requests", open: id, part });
}

/** @param {number} id */
function linkToReload(id) {
  return formatHash({ tab: "reloads", open: String(id) });
}

/** @param {{ log: LogLine, modules: Map<string, string> }} props */
function Line({ log, modules }) {
  const { stream, level, logger, file, file_line, request, reload, is_late } = log;
  const about = level ?? (stream === "stderr" ? "stderr" : "print");
  const module = modules.get(file ?? "");
  return html`
    <b class="level">${about}</b> <code class="text">${visible(textOf(log))}</code>
    <span class="links dim">
      ${logger && html`<span>${visible(logger)}</span> `}
      ${file && html`<${SourceLink} file=${file} line=${file_line} /> `}
      ${module && html`<a href=${formatHash({ tab: "routes", q: file })} title="The routes of the module">module ${visible(module)}</a> `}
      ${is_late && "after the end of "}${request && html`<a href=${linkToRequest(request, "logs")}>request #${visible(request)}</a>`}
      ${reload && html`<a href=${linkToReload(reload)}>save #${reload}</a>`}
    </span>
  `;
}

/**
 * Returns the text of a line, without the level and the logger that the usual format puts before it: the row has both.
 * @param {LogLine} log
 */
function textOf({ line, level, logger }) {
  const head = `${level?.toUpperCase()} ${logger}: `;
  return level && logger && line.startsWith(head) ? line.slice(head.length) : line;
}

/** @param {{ request: ListedRequest }} props */
function RequestEntry({ request: { id, method, path, status, total_ms, error } }) {
  return html`
    <b class=${`level ${statusClass(status)}`}>${status}</b>
    <code class="text">${visible(method)} <${Breakable} text=${path} /></code> <span class="dim">${milliseconds(total_ms)}</span>
    ${error && html` <b class="bad">${visible(error.type)}</b>`}
    <span class="links dim"><a href=${linkToRequest(id)}>request #${visible(id)}</a></span>
  `;
}

/** @param {{ reload: Reload }} props */
function ReloadEntry({ reload: { id, outcome, files, cause, total_ms, traceback } }) {
  return html`
    <b class=${`level ${outcome === "failed" ? "bad" : "good"}`}>${outcome === "failed" ? "▲ not live" : "↻ live"}</b>
    <code class="text"><${Breakable} text=${files.join(", ") || cause} /></code> <span class="dim">${milliseconds(total_ms)}</span>
    ${traceback && html` <b class="bad">${visible(traceback.type)}</b>`}
    <span class="links dim"><a href=${linkToReload(id)}>save #${id}</a></span>
  `;
}

/** @param {Row} row */
function levelClass(row) {
  if (row.kind !== "log") return "";
  return { warning: "is-warn", error: "is-bad", critical: "is-bad" }[row.log.level ?? ""] ?? "";
}

/**
 * Returns the lines that the server had before the first one of this page.
 * @param {string | null} runId
 * @param {LogLine[]} logs
 * @returns {LogLine[]}
 */
function useOlderLines(runId, logs) {
  const { data } = useFetch("logs", { version: runId });
  const first = useRef({ runId, time_ms: Infinity });
  if (first.current.runId !== runId) first.current = { runId, time_ms: Infinity };
  // Once the page stores no more lines, its oldest one is a later one with each event.
  first.current.time_ms = Math.min(first.current.time_ms, logs.at(-1)?.time_ms ?? Infinity);
  const { time_ms: end } = first.current;
  return useMemo(() => /** @type {LogLine[]} */ (data ?? []).filter(({ time_ms }) => time_ms < end), [data, end]);
}
