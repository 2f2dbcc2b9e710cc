// The Logs tab: the output and the log records of the code, in one timeline with the requests and reloads.
//
// Each line links to its request or reload, and to the code that wrote it. The order and the filter are in
// timeline.js.

import { html, useMemo, useState } from "../vendor/preact-htm.js";
import { Breakable } from "../components/breakable.js";
import { milliseconds, pluralize, statusClass, timeOfDay, visible } from "../components/format.js";
import { SourceLink } from "../components/source-link.js";
import { formatHash } from "../page/url-hash.js";
import { useFetch } from "../server/use-fetch.js";
import { parseTimelineFilter, timeline } from "./timeline.js";

/** @import { LogLine, Reload } from "snaxum-events" */
/** @import { ListedRequest, View } from "../types.js" */
/** @import { Row } from "./timeline.js" */

// Rows in the document; a button adds as many.
const DRAWN = 300;
const CHIPS = ["log:", "level:warning", "error:*", "file:"];

/** @param {View} view */
export function Logs({ state, filter, onFilter }) {
  const [drawn, setDrawn] = useState(DRAWN);
  const logs = useOlderLines(state.runId, state.logs);
  const rows = useMemo(() => timeline({ logs, requests: state.requests, reloads: state.reloads }), [logs, state.requests, state.reloads]);
  const { matches, problems } = useMemo(() => parseTimelineFilter(filter), [filter]);
  const listed = useMemo(() => rows.filter(matches), [rows, matches]);

  return html`<div class="log-view">
    <div class="toolbar">
      <span class="chips" role="group" aria-label="Add to the filter">
        ${CHIPS.map((chip) => html`<button type="button" key=${chip} onClick=${() => onFilter(`${filter} ${chip}`.trim())}>${chip}</button>`)}
      </span>
      <span class="dim">${pluralize(listed.length, "row")}, the newest first</span>
    </div>
    ${problems.length > 0 && html`<p class="problem" id="filter-problems">${problems.map(visible).join("; ")}</p>`}
    ${listed.length === 0 && html`<p class="no-results">${filter ? html`Nothing matches <q>${filter}</q>.` : "Nothing was printed or logged yet."}</p>`}
    <ol class="timeline" aria-label="Timeline" tabindex="0">
      ${listed.slice(0, drawn).map((row) => html`<li key=${row.key} class=${`entry ${row.kind} ${levelClass(row)}`} data-testid=${`${row.kind}-entry`}>
        <span class="dim time">${timeOfDay(row.time_ms)}</span> <${Entry} row=${row} />
      </li>`)}
    </ol>
    ${listed.length > drawn && html`<p class="toolbar"><button type="button" onClick=${() => setDrawn(drawn + DRAWN)}>Show ${Math.min(DRAWN, listed.length - drawn)} more</button></p>`}
  </div>`;
}

/** @param {{ row: Row }} props */
function Entry({ row }) {
  if (row.kind === "log") return html`<${Line} log=${row.log} />`;
  return row.kind === "request" ? html`<${RequestEntry} request=${row.request} />` : html`<${ReloadEntry} reload=${row.reload} />`;
}

/** @param {{ log: LogLine }} props */
function Line({ log: { line, stream, level, logger, file, file_line, request, reload } }) {
  const about = level ?? (stream === "stderr" ? "stderr" : "print");
  return html`
    <b class="level">${about}</b> <code class="text">${visible(line)}</code>
    <span class="links dim">
      ${logger && html`<span>${visible(logger)}</span> `}
      ${file && html`<${SourceLink} file=${file} line=${file_line} /> `}
      ${request && html`<a href=${formatHash({ tab: "requests", open: request, part: "logs" })}>request #${visible(request)}</a>`}
      ${reload && html`<a href="#reloads">save #${reload}</a>`}
    </span>
  `;
}

/** @param {{ request: ListedRequest }} props */
function RequestEntry({ request: { id, method, path, status, total_ms, error } }) {
  return html`
    <b class=${`level ${statusClass(status)}`}>${status}</b>
    <code class="text">${visible(method)} <${Breakable} text=${path} /></code> <span class="dim">${milliseconds(total_ms)}</span>
    ${error && html` <b class="bad">${visible(error.type)}</b>`}
    <span class="links dim"><a href=${formatHash({ tab: "requests", open: id })}>request #${visible(id)}</a></span>
  `;
}

/** @param {{ reload: Reload }} props */
function ReloadEntry({ reload: { id, outcome, files, cause, total_ms, traceback } }) {
  return html`
    <b class=${`level ${outcome === "failed" ? "bad" : "good"}`}>${outcome === "failed" ? "▲ not live" : "↻ live"}</b>
    <code class="text"><${Breakable} text=${files.join(", ") || cause} /></code> <span class="dim">${milliseconds(total_ms)}</span>
    ${traceback && html` <b class="bad">${visible(traceback.type)}</b>`}
    <span class="links dim"><a href="#reloads">save #${id}</a></span>
  `;
}

/** @param {Row} row */
function levelClass(row) {
  if (row.kind !== "log") return "";
  return { warning: "is-warn", error: "is-bad", critical: "is-bad" }[row.log.level ?? ""] ?? "";
}

/**
 * Returns the lines of this page before older lines of the server.
 * @param {string | null} runId
 * @param {LogLine[]} logs
 * @returns {LogLine[]}
 */
function useOlderLines(runId, logs) {
  const { data } = useFetch("logs", { version: runId });
  const oldest = logs.at(-1)?.time_ms ?? Infinity;
  return useMemo(() => [...logs, .../** @type {LogLine[]} */ (data ?? []).filter(({ time_ms }) => time_ms < oldest)], [logs, data, oldest]);
}
