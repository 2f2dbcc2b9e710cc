// The columns of the tables of the Workers tab: threads, requests that run or wait, routes, and processes.
//
// Never decides which columns have room: components/columns.js does.

import { html } from "../vendor/preact-htm.js";
import { milliseconds, timeOfDay, visible } from "../components/format.js";

/** @import { Column } from "../components/columns.js" */
/** @import { BackgroundFunction, Exit, PoolWorker, Running, SlowRoute, Thread } from "./workers.js" */

/** The version of the code that is live. @typedef {{ current: number }} LiveVersion */

/** @type {Column<Thread, LiveVersion>[]} */
export const THREAD_COLUMNS = [
  {
    name: "handler", title: "Thread", width: 18, rank: 2, sortBy: ({ name }) => name,
    cell: ({ name, replaced }) => html`${visible(name)}${replaced && html` <b class="warn" title="its handler exceeded the time limit">▲ replaced</b>`}`,
  },
  { name: "path", title: "Request", min: 14, sortBy: ({ request }) => request?.path, cell: ({ request }) => requestLine(request) },
  { name: "outcome", title: "Version", hint: "version of the code that handles the request", width: 9.5, rank: 1, sortBy: ({ request }) => request?.generation, cell: ({ request }, { current }) => versionMark(request?.generation, current) },
  { name: "total", title: "Age", hint: "time since the request arrived", width: 5.5, isNumber: true, sortBy: ({ request }) => request?.age_ms, cell: ({ request }) => age(request) },
];

/** @type {Column<Running, LiveVersion>[]} */
export const RUNNING_COLUMNS = [
  { name: "path", title: "Request", min: 14, sortBy: ({ path }) => path, cell: requestLine },
  { name: "outcome", title: "Version", hint: "version of the code that handles the request", width: 9.5, rank: 1, sortBy: ({ generation }) => generation, cell: ({ generation }, { current }) => versionMark(generation, current) },
  { name: "total", title: "Age", hint: "time since the request arrived", width: 5.5, isNumber: true, sortBy: ({ age_ms }) => age_ms, cell: age },
];

/** @type {Column<BackgroundFunction, LiveVersion>[]} */
export const BACKGROUND_COLUMNS = [
  { name: "path", title: "Function", min: 14, sortBy: ({ function: name }) => name, cell: ({ request, function: name }) => html`<span class="dim">#${visible(request)}</span> <code>${visible(name)}</code>` },
  { name: "outcome", title: "Version", hint: "version of its code", width: 9.5, rank: 1, sortBy: ({ generation }) => generation, cell: ({ generation }, { current }) => versionMark(generation, current) },
  { name: "total", title: "Age", width: 5.5, isNumber: true, sortBy: ({ age_ms }) => age_ms, cell: age },
];

/** @type {Column<SlowRoute, unknown>[]} */
export const SLOWEST_COLUMNS = [
  { name: "method", title: "Method", width: 5.5, rank: 3, sortBy: ({ method }) => method, cell: ({ method }) => visible(method) },
  { name: "path", title: "Route", min: 12, sortBy: ({ route }) => route, cell: ({ route }) => html`<code>${visible(route)}</code>` },
  { name: "count", title: "Requests", width: 6, rank: 2, isNumber: true, sortBy: ({ requests }) => requests, cell: ({ requests }) => requests },
  { name: "mean", title: "Mean", width: 7, isNumber: true, sortBy: ({ mean_ms }) => mean_ms, cell: ({ mean_ms }) => milliseconds(mean_ms) },
  { name: "p50", title: "p50", hint: "50 % of the requests took at most this long", width: 7, rank: 1, isNumber: true, sortBy: ({ p50_ms }) => p50_ms ?? Infinity, cell: ({ p50_ms }) => bound(p50_ms) },
  { name: "p99", title: "p99", hint: "99 % of the requests took at most this long", width: 7, rank: 4, isNumber: true, sortBy: ({ p99_ms }) => p99_ms ?? Infinity, cell: ({ p99_ms }) => bound(p99_ms) },
  { name: "errors", title: "Errors", hint: "responses with a status from 500 on", width: 6, isNumber: true, sortBy: ({ errors }) => errors, cell: ({ errors }) => errors, cellClass: ({ errors }) => (errors ? "bad" : "dim") },
];

/** @type {Column<PoolWorker, LiveVersion>[]} */
const POOL_COLUMNS = [
  { name: "pid", title: "PID", width: 5.5, sortBy: ({ pid }) => pid, cell: ({ pid, address }) => html`<span title=${address && visible(address)}>${pid ?? html`<span class="dim">${address ? "–" : "ended"}</span>`}</span>` },
  { name: "device", title: "Device", hint: "its number: snaxum.worker.device", width: 5, rank: 4, isNumber: true, sortBy: ({ device }) => device, cell: ({ device }) => device },
  {
    name: "outcome", title: "Version", hint: "version of the code that the process has", width: 8, rank: 5, sortBy: ({ generation }) => generation,
    cell: ({ generation, stale }, { current }) => html`${generation ? String(generation) : html`<span class="dim">–</span>`}${stale && html` <b class="warn" title=${`version ${current} is live; the process updates before its next task`}>▲ stale</b>`}`,
  },
  { name: "state", title: "State", width: 5.5, rank: 6, sortBy: ({ busy }) => (busy ? "busy" : "idle"), cell: ({ busy }) => (busy ? "● busy" : html`<span class="dim">○ idle</span>`) },
  { name: "path", title: "Task", min: 10, sortBy: ({ task }) => task, cell: ({ task }) => task && html`<code>${visible(task)}</code>` },
  { name: "total", title: "Elapsed", width: 5.5, isNumber: true, sortBy: ({ task_ms }) => task_ms, cell: ({ task_ms }) => task_ms != null && milliseconds(task_ms) },
  { name: "done", title: "Done", width: 4.5, rank: 1, isNumber: true, sortBy: ({ done }) => done, cell: ({ done }) => done },
  { name: "failed", title: "Failed", width: 4.5, rank: 2, isNumber: true, sortBy: ({ failed }) => failed, cell: ({ failed }) => failed, cellClass: ({ failed }) => (failed ? "bad" : "dim") },
  { name: "memory", title: "Memory", hint: "resident memory", width: 5.5, rank: 3, isNumber: true, sortBy: ({ rss_bytes }) => rss_bytes, cell: ({ rss_bytes }) => (rss_bytes == null ? html`<span class="dim">–</span>` : `${(rss_bytes / 2 ** 20).toFixed(0)} MiB`) },
];
const SHARED_POOL_COLUMNS = POOL_COLUMNS.filter(({ name }) => name !== "device");

/** Returns the columns of a pool; only the workers of one handler have a number. @param {boolean} areNumbered */
export function poolColumns(areNumbered) {
  return areNumbered ? POOL_COLUMNS : SHARED_POOL_COLUMNS;
}

/** @type {Column<Exit, unknown>[]} */
export const EXIT_COLUMNS = [
  { name: "time", title: "Time", width: 6, rank: 2, sortBy: ({ time_ms }) => time_ms, cell: ({ time_ms }) => timeOfDay(time_ms), cellClass: () => "dim" },
  { name: "pid", title: "PID", width: 5.5, sortBy: ({ pid }) => pid, cell: ({ pid }) => pid },
  { name: "reason", title: "Reason", min: 12, sortBy: reason, cell: (exit) => (exit.was_killed ? reason(exit) : html`<span class="bad">✖ ${reason(exit)}</span>`) },
  { name: "path", title: "Task", min: 10, sortBy: ({ task }) => task, cell: ({ task }) => (task ? html`<code>${visible(task)}</code>` : html`<span class="dim">none</span>`) },
  { name: "successor", title: "Replaced by", width: 7, rank: 1, sortBy: ({ successor }) => successor, cell: ({ successor }) => successor },
];

/** @param {Exit} exit */
function reason({ was_killed, exit_code: code }) {
  if (was_killed) return "stopped: its request was cancelled";
  if (code == null) return "exited";
  return code < 0 ? `killed by signal ${-code}` : `exited with code ${code}`;
}

/**
 * A quantile, of which only the bound is known.
 * @param {number | null} ms
 */
function bound(ms) {
  return ms == null ? "> 30 s" : `≤ ${milliseconds(ms)}`;
}

/**
 * The version that handles a request, marked if it is not the live one.
 * @param {number | null | undefined} number
 * @param {number} current
 */
function versionMark(number, current) {
  if (number == null) return html`<span class="dim">–</span>`;
  return html`${number}${number < current && html` <b class="warn" title=${`version ${current} is live; a request finishes with the code that it started with`}>▲ old</b>`}`;
}

/** @param {Running | null} request */
function requestLine(request) {
  if (!request) return html`<span class="dim">○ idle</span>`;
  return html`<span class="dim">#${visible(request.id)}</span> <code>${visible(request.method)} ${visible(request.path)}</code>`;
}

/** @param {{ age_ms?: number } | null} request */
function age(request) {
  return request?.age_ms == null ? "" : milliseconds(request.age_ms);
}
