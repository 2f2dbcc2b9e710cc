// The Workers tab: latency, the running and the waiting requests, and the process pool.
//
// Fetches once a second while it is shown, and when a process started or ended. Marks data that the server
// cannot provide at the moment.

/** @import { View } from "../types.js" */
/** @import { Measured } from "../server/traffic.js" */

/**
 * The data of the server. A request that it knows only by its number has nothing else.
 * @typedef {{ id: string, method?: string, path?: string, age_ms?: number, generation?: number | null }} Running
 * @typedef {{ count: number, requests: Running[] }} RunningList
 * @typedef {{ name: string, request: Running | null, replaced?: boolean }} Thread
 * @typedef {{ method: string, route: string, requests: number, mean_ms: number, p50_ms: number | null, p99_ms: number | null, errors: number }} SlowRoute
 * @typedef {{ function: string, request: string, generation: number, age_ms: number }} BackgroundFunction
 * @typedef {{ pid: number | null, device?: number | null, address?: string, busy: boolean, task: string | null, task_ms: number | null, stale: boolean, done: number, failed: number, rss_bytes: number | null, generation: number | null }} PoolWorker
 * @typedef {{ time_ms: number, pid: number, task: string | null, exit_code: number | null, was_killed: boolean, successor: number | null }} Exit
 * @typedef {(...texts: unknown[]) => boolean} Matches
 */

import { html, useRef } from "../vendor/preact-htm.js";
import { LineChart, Sparkline } from "../components/charts.js";
import { textMatcher } from "../components/filter.js";
import { milliseconds, pluralize, timeOfDay, visible } from "../components/format.js";
import { navigateRows } from "../components/table-nav.js";
import { useFetch } from "../server/use-fetch.js";

const FETCH_INTERVAL_MS = 1000;
const SAMPLES = 60;

/** @param {View} props */
export function Workers({ state, traffic, filter }) {
  const { data, problem } = useFetch("workers", { version: state.runId, interval_ms: FETCH_INTERVAL_MS, refresh: state.workerEvents });
  const busy = useSamples(data, countBusy, state.runId);
  if (!data) {
    return html`<div class="empty"><h2>${problem ? "Cannot show the workers" : "Loading the workers…"}</h2>${problem && html`<p>${visible(problem)}.</p>`}</div>`;
  }
  const { dispatch, queue, queue_capacity: capacity, slowest_routes: slowest, loop, pool_requests: poolRequests, stream_requests: streamRequests, websockets, background, pool, generation } = data;
  const matches = textMatcher(filter);
  const threads = /** @type {Thread[]} */ (dispatch);
  const busyThreads = threads.filter(({ request }) => request);
  return html`
    <div class="workers" data-testid="workers">
      ${problem && html`<p class="warn" role="status">▲ Not up to date: ${visible(problem)}.</p>`}
      <${Latency} traffic=${traffic} />
      <section aria-labelledby="threads-title">
        <header>
          <h2 id="threads-title">Python threads</h2>
          <p class="dim" data-testid="busy-threads">${busyThreads.length} of ${dispatch.length} busy</p>
          <${Sparkline} values=${busy} top=${dispatch.length} label=${`busy Python threads in the last minute, of ${dispatch.length}`} />
        </header>
        ${busyThreads.length > 0 && html`<table class="rows">
          <caption class="visually-hidden">Busy Python threads and their requests</caption>
          <thead><tr><th scope="col" class="c-handler">Thread</th><th scope="col">Request</th><th scope="col" class="c-outcome"><abbr title="version of the code that handles the request">Version</abbr></th><th scope="col" class="c-total number"><abbr title="time since the request arrived">Age</abbr></th></tr></thead>
          <tbody onKeyDown=${navigateRows}>
            ${busyThreads.filter(({ name, request }) => matches(name, filterText(request))).map(({ name, request, replaced }, index) => html`
              <tr key=${name} class="static" data-row data-testid="dispatch-row" tabindex=${index === 0 ? 0 : -1}>
                <td class="c-handler">${visible(name)}${replaced && html` <b class="warn" title="its handler exceeded the time limit">▲ replaced</b>`}</td>
                <td class="c-path"><${RequestLine} request=${request} /></td>
                <td class="c-outcome"><${Version} number=${request?.generation} current=${generation} /></td>
                <td class="c-total number">${age(request)}</td>
              </tr>
            `)}
          </tbody>
        </table>`}
      </section>
      <${RequestList} title="Queue" about=${`waiting for a Python thread, of ${capacity} at most`} list=${queue} matches=${matches} generation=${generation} />
      <${SlowestRoutes} routes=${slowest} matches=${matches} />
      <${RequestList} title="asyncio loop" about="on the event loop" list=${loop} matches=${matches} generation=${generation} none="not started: no async handler has run yet" />
      ${streamRequests?.count > 0 && html`<${RequestList} title="Streams" about="of def handlers" list=${streamRequests} matches=${matches} generation=${generation} />`}
      ${background?.length > 0 && html`<${Background} functions=${background} matches=${matches} generation=${generation} />`}
      ${websockets?.count > 0 && html`<${RequestList} title="WebSockets" about="open" list=${websockets} matches=${matches} generation=${generation} />`}
      <${Pool} pool=${pool} poolRequests=${poolRequests} generation=${generation} matches=${matches} />
      ${pool?.handlers?.map((/** @type {any} */ each) => html`<${Pool} key=${each.handler} pool=${each} title=${`Workers of ${visible(each.handler)}`} generation=${generation} matches=${matches} />`)}
    </div>
  `;
}

/** @type {{ name: string, key: "p50_ms" | "p95_ms" | "p99_ms", about: string }[]} */
const PERCENTILES = [
  { name: "p50", key: "p50_ms", about: "50 % of the requests took at most this long" },
  { name: "p95", key: "p95_ms", about: "95 % of the requests took at most this long" },
  { name: "p99", key: "p99_ms", about: "99 % of the requests took at most this long" },
];

/** @param {{ traffic: Measured }} props */
function Latency({ traffic }) {
  const { count, seconds } = traffic;
  const lines = PERCENTILES.map(({ name, key, about }) => ({ name, about, minute: traffic[key], values: seconds.map((second) => second[key]) }));
  return html`
    <section aria-labelledby="latency-title" data-testid="latency">
      <header>
        <h2 id="latency-title">Latency</h2>
        <p class="dim">${pluralize(count, "request")} in the last minute, by second</p>
      </header>
      <${LineChart} lines=${lines} format=${milliseconds} title="Latency percentiles" span="60 s" />
    </section>
  `;
}

/**
 * The slowest routes since the start of the server, as `snaxum top` shows them.
 * @param {{ routes: SlowRoute[], matches: Matches }} props
 */
function SlowestRoutes({ routes, matches }) {
  const shown = routes.filter(({ route, method }) => matches(route, method));
  return html`
    <section aria-labelledby="slowest-title" data-testid="slowest-routes">
      <header>
        <h2 id="slowest-title">Slowest routes</h2>
        <p class="dim">${routes.length === 0 ? "no requests yet" : "by their mean time since the start of the server"}</p>
      </header>
      ${shown.length > 0 && html`
        <table class="rows slowest-rows">
          <caption class="visually-hidden">Slowest routes first</caption>
          <thead><tr><th scope="col" class="c-method">Method</th><th scope="col">Route</th><th scope="col" class="c-count number">Requests</th><th scope="col" class="c-total number">Mean</th><th scope="col" class="c-total c-p50 number"><abbr title="50 % of the requests took at most this long">p50</abbr></th><th scope="col" class="c-total number"><abbr title="99 % of the requests took at most this long">p99</abbr></th><th scope="col" class="c-count number"><abbr title="responses with a status from 500 on">Errors</abbr></th></tr></thead>
          <tbody onKeyDown=${navigateRows}>
            ${shown.map((row, index) => html`
              <tr key=${`${row.method} ${row.route}`} class="static" data-row data-testid="slowest-row" tabindex=${index === 0 ? 0 : -1}>
                <td class="c-method">${visible(row.method)}</td>
                <td class="c-path"><code>${visible(row.route)}</code></td>
                <td class="c-count number">${row.requests}</td>
                <td class="c-total number">${milliseconds(row.mean_ms)}</td>
                <td class="c-total c-p50 number">${bound(row.p50_ms)}</td>
                <td class="c-total number">${bound(row.p99_ms)}</td>
                <td class=${`c-count number ${row.errors ? "bad" : "dim"}`}>${row.errors}</td>
              </tr>
            `)}
          </tbody>
        </table>
      `}
    </section>
  `;
}

/**
 * A quantile, of which only the bound is known.
 * @param {number | null} ms
 */
function bound(ms) {
  return ms == null ? "> 30 s" : `≤ ${milliseconds(ms)}`;
}

/**
 * A list of requests with their ages, or the reason why there is none.
 * @param {{ title: string, about?: string, list: RunningList | null, none?: string, matches: Matches, generation: number }} props
 */
function RequestList({ title, about, list, none, matches, generation }) {
  const id = `list-${title.replaceAll(" ", "-")}`;
  const shown = list?.requests.filter((request) => matches(filterText(request))) ?? [];
  return html`
    <section aria-labelledby=${id} data-testid=${id}>
      <header>
        <h2 id=${id}>${title}</h2>
        <p class="dim">${list ? `${pluralize(list.count, "request")} ${about}` : (none ?? "unknown during a reload")}</p>
      </header>
      ${shown.length > 0 && html`
        <table class="rows">
          <caption class="visually-hidden">${title}: ${about}</caption>
          <thead><tr><th scope="col">Request</th><th scope="col" class="c-outcome"><abbr title="version of the code that handles the request">Version</abbr></th><th scope="col" class="c-total number"><abbr title="time since the request arrived">Age</abbr></th></tr></thead>
          <tbody onKeyDown=${navigateRows}>
            ${shown.map((request, index) => html`<tr key=${request.id} class="static" data-row tabindex=${index === 0 ? 0 : -1}><td class="c-path"><${RequestLine} request=${request} /></td><td class="c-outcome"><${Version} number=${request.generation} current=${generation} /></td><td class="c-total number">${age(request)}</td></tr>`)}
          </tbody>
        </table>
      `}
      ${list && list.count > list.requests.length && html`<p class="dim">Showing the first ${list.requests.length}.</p>`}
    </section>
  `;
}

/**
 * The functions that run after a response, or wait for it.
 * @param {{ functions: BackgroundFunction[], matches: Matches, generation: number }} props
 */
function Background({ functions, matches, generation }) {
  const shown = functions.filter((each) => matches(each.function, `#${each.request}`));
  return html`
    <section aria-labelledby="background-title" data-testid="background">
      <header>
        <h2 id="background-title">After responses</h2>
        <p class="dim">${pluralize(functions.length, "background function")}</p>
      </header>
      <table class="rows">
        <caption class="visually-hidden">Background functions and their requests</caption>
        <thead><tr><th scope="col">Function</th><th scope="col" class="c-outcome"><abbr title="version of its code">Version</abbr></th><th scope="col" class="c-total number">Age</th></tr></thead>
        <tbody onKeyDown=${navigateRows}>
          ${shown.map((each, index) => html`<tr key=${index} class="static" data-row tabindex=${index === 0 ? 0 : -1}><td class="c-path"><span class="dim">#${visible(each.request)}</span> <code>${visible(each.function)}</code></td><td class="c-outcome"><${Version} number=${each.generation} current=${generation} /></td><td class="c-total number">${age(each)}</td></tr>`)}
        </tbody>
      </table>
    </section>
  `;
}

/** @param {{ pool: any, poolRequests?: RunningList, generation: number, matches: Matches, title?: string }} props */
function Pool({ pool, poolRequests, generation, matches, title = "Process pool" }) {
  if (!pool) return html`<${RequestList} title="Process pool" list=${null} />`;
  /** @type {PoolWorker[]} */
  const workers = pool.workers;
  const { size, busy, waiting, done, failed, replaced, exits = [], kind, dashboard, problem } = pool;
  const isDask = kind === "dask";
  // The workers of one handler.
  const areNumbered = workers.some(({ device }) => device != null);
  return html`
    <section aria-label=${title}>
      <header>
        <h2>${isDask ? "Dask pool" : title}</h2>
        <p class="dim">
          ${busy} of ${size} busy · ${pluralize(waiting, "task")} waiting · ${done} done · <span class=${failed ? "bad" : ""}>${failed} failed</span>
          ${replaced > 0 && html` · <span class="warn">▲ ${pluralize(replaced, "worker")} ${isDask ? "lost" : "replaced"}</span>`}
          ${/^https?:/.test(dashboard ?? "") && html` · <a href=${dashboard} target="_blank" rel="noopener noreferrer" data-testid="dashboard">dashboard</a>`}
        </p>
      </header>
      ${problem && html`<p class="warn" role="status" data-testid="pool-problem">▲ ${visible(problem)}.</p>`}
      ${workers.length === 0
        ? html`<p class="dim">${isDask ? "No workers: tasks wait until the cluster has one." : "No processes yet: the first handler that uses the pool starts them."}</p>`
        : html`
          <table class="rows pool-rows">
            <caption class="visually-hidden">Processes of the pool</caption>
            <thead>
              <tr>
                <th scope="col" class="c-method">PID</th>
                ${areNumbered && html`<th scope="col" class="c-count number"><abbr title="its number: snaxum.worker.device">Device</abbr></th>`}
                <th scope="col" class="c-outcome"><abbr title="version of the code that the process has">Version</abbr></th>
                <th scope="col" class="c-method">State</th>
                <th scope="col">Task</th>
                <th scope="col" class="c-total number">Elapsed</th>
                <th scope="col" class="c-count number">Done</th>
                <th scope="col" class="c-count number">Failed</th>
                <th scope="col" class="c-total number"><abbr title="resident memory">RSS</abbr></th>
              </tr>
            </thead>
            <tbody onKeyDown=${navigateRows}>
              ${workers.filter(({ pid, address, task }) => matches(String(pid), address ?? "", task ?? "")).map((worker, index) => html`<${PoolRow} key=${worker.address ?? worker.pid ?? index} worker=${worker} isNumbered=${areNumbered} isFirst=${index === 0} generation=${generation} />`)}
            </tbody>
          </table>
        `}
      ${exits.length > 0 && html`<${Exits} exits=${exits} replaced=${replaced} />`}
      ${poolRequests && poolRequests.count > 0 && html`<${RequestList} title="Requests using the pool" about="running in the pool or waiting for it" list=${poolRequests} matches=${matches} generation=${generation} />`}
    </section>
  `;
}

/** @param {{ worker: PoolWorker, isNumbered: boolean, isFirst: boolean, generation: number }} props */
function PoolRow({ worker, isNumbered, isFirst, generation }) {
  const { pid, device, address, busy, task, task_ms, stale, done, failed, rss_bytes } = worker;
  return html`
    <tr class="static" data-row data-testid="pool-row" tabindex=${isFirst ? 0 : -1}>
      <td class="c-method" title=${address && visible(address)}>${pid ?? html`<span class="dim">${address ? "–" : "ended"}</span>`}</td>
      ${isNumbered && html`<td class="c-count number">${device}</td>`}
      <td class="c-outcome">${worker.generation ? String(worker.generation) : html`<span class="dim">–</span>`}${stale && html` <b class="warn" title=${`version ${generation} is live; the process updates before its next task`}>▲ stale</b>`}</td>
      <td class="c-method">${busy ? "● busy" : html`<span class="dim">○ idle</span>`}</td>
      <td class="c-path">${task && html`<code>${visible(task)}</code>`}</td>
      <td class="c-total number">${task_ms != null && milliseconds(task_ms)}</td>
      <td class="c-count number">${done}</td>
      <td class=${`c-count number ${failed ? "bad" : "dim"}`}>${failed}</td>
      <td class="c-total number">${rss_bytes == null ? html`<span class="dim">–</span>` : `${(rss_bytes / 2 ** 20).toFixed(0)} MiB`}</td>
    </tr>
  `;
}

/**
 * The processes that exited, newest first.
 * @param {{ exits: Exit[], replaced: number }} props
 */
function Exits({ exits, replaced }) {
  return html`
    <section aria-labelledby="exits-title" data-testid="exits">
      <header>
        <h3 id="exits-title">Exited processes</h3>
        ${replaced > exits.length && html`<p class="dim">Showing the newest ${exits.length} of ${replaced}.</p>`}
      </header>
      <table class="rows exit-rows">
        <caption class="visually-hidden">Newest exits first</caption>
        <thead>
          <tr>
            <th scope="col" class="c-time">Time</th>
            <th scope="col" class="c-method">PID</th>
            <th scope="col" class="c-files">Reason</th>
            <th scope="col">Task</th>
            <th scope="col" class="c-outcome">Replaced by</th>
          </tr>
        </thead>
        <tbody onKeyDown=${navigateRows}>
          ${exits.toReversed().map(({ time_ms, pid, task, exit_code, was_killed, successor }, index) => html`
            <tr key=${`${pid} ${time_ms}`} class="static" data-row tabindex=${index === 0 ? 0 : -1}>
              <td class="c-time dim">${timeOfDay(time_ms)}</td>
              <td class="c-method">${pid}</td>
              <td class="c-files">${was_killed ? "stopped: its request was cancelled" : html`<span class="bad">✖ ${exitText(exit_code)}</span>`}</td>
              <td class="c-path">${task ? html`<code>${visible(task)}</code>` : html`<span class="dim">none</span>`}</td>
              <td class="c-outcome">${successor}</td>
            </tr>
          `)}
        </tbody>
      </table>
    </section>
  `;
}

/** @param {number | null} code */
function exitText(code) {
  if (code == null) return "exited";
  return code < 0 ? `killed by signal ${-code}` : `exited with code ${code}`;
}

/**
 * The version that handles a request, marked if it is not the live one.
 * @param {{ number?: number | null, current: number }} props
 */
function Version({ number, current }) {
  if (number == null) return html`<span class="dim">–</span>`;
  return html`${number}${number < current && html` <b class="warn" title=${`version ${current} is live; a request finishes with the code that it started with`}>▲ old</b>`}`;
}

/** @param {{ request: Running | null }} props */
function RequestLine({ request }) {
  if (!request) return html`<span class="dim">○ idle</span>`;
  return html`<span class="dim">#${visible(request.id)}</span> <code>${visible(request.method)} ${visible(request.path)}</code>`;
}

/** @param {Running | null} request */
function filterText(request) {
  return request ? `#${request.id} ${request.method ?? ""} ${request.path ?? ""}` : "idle";
}

/** @param {{ age_ms?: number } | null} request */
function age(request) {
  return request?.age_ms == null ? "" : milliseconds(request.age_ms);
}

/** @param {{ dispatch: Thread[] }} data */
function countBusy({ dispatch }) {
  return dispatch.filter(({ request }) => request).length;
}

/**
 * Returns `measure(data)` for each fetch of the last minute, oldest first. A new run starts over.
 * @param {any} data
 * @param {(data: any) => number} measure
 * @param {string | null} runId
 */
function useSamples(data, measure, runId) {
  const samples = useRef({ last: null, values: /** @type {number[]} */ ([]), runId }).current;
  if (runId !== samples.runId) Object.assign(samples, { runId, values: [] });
  if (data && data !== samples.last) {
    samples.last = data;
    samples.values = [...samples.values.slice(1 - SAMPLES), measure(data)];
  }
  return [...Array(SAMPLES - samples.values.length).fill(null), ...samples.values];
}
