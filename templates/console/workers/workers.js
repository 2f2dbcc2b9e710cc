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
import { ColumnMenu, useColumns } from "../components/columns.js";
import { textMatcher } from "../components/filter.js";
import { milliseconds, pluralize, visible } from "../components/format.js";
import { ListTable } from "../components/list-table.js";
import { useFetch } from "../server/use-fetch.js";
import { BACKGROUND_COLUMNS, EXIT_COLUMNS, RUNNING_COLUMNS, SLOWEST_COLUMNS, THREAD_COLUMNS, poolColumns } from "./worker-columns.js";

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
  const contextOf = () => ({ current: generation });
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
        ${busyThreads.length > 0 && html`<${WorkerTable} name="threads" all=${THREAD_COLUMNS} rows=${busyThreads.filter(({ name, request }) => matches(name, filterText(request)))} keyOf=${(/** @type {Thread} */ { name }) => name}
          contextOf=${contextOf} testid="dispatch-row" caption="Busy Python threads and their requests" />`}
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

/**
 * A table with its menu of columns; its rows are only read.
 * @param {{
 *   name: string, all: any[], rows: any[], keyOf: (row: any) => string | number, contextOf?: () => unknown, caption: string, testid?: string,
 * }} props
 */
function WorkerTable({ name, all, ...props }) {
  const columns = useColumns(`workers-${name}`, all);
  return html`
    <div class="worker-table">
      <${ColumnMenu} columns=${columns} label="Columns" />
      <${ListTable} ...${props} columns=${columns} />
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
        <${WorkerTable} name="slowest" all=${SLOWEST_COLUMNS} rows=${shown} keyOf=${(/** @type {SlowRoute} */ { method, route }) => `${method} ${route}`} testid="slowest-row" caption="Slowest routes first" />
      `}
    </section>
  `;
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
        <${WorkerTable} name=${title} all=${RUNNING_COLUMNS} rows=${shown} keyOf=${(/** @type {Running} */ request) => request.id} contextOf=${() => ({ current: generation })} caption=${`${title}: ${about}`} />
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
      <${WorkerTable} name="background" all=${BACKGROUND_COLUMNS} rows=${shown.map((each, index) => ({ ...each, index }))} keyOf=${(/** @type {{ index: number }} */ { index }) => index} contextOf=${() => ({ current: generation })}
        caption="Background functions and their requests" />
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
          <${WorkerTable} key=${String(areNumbered)} name=${areNumbered ? "handler-pool" : "pool"} all=${poolColumns(areNumbered)} rows=${workers.filter(({ pid, address, task }) => matches(String(pid), address ?? "", task ?? "")).map((worker, index) => ({ ...worker, index }))}
            keyOf=${(/** @type {PoolWorker & { index: number }} */ { address, pid, index }) => address ?? pid ?? index} contextOf=${() => ({ current: generation })} testid="pool-row" caption="Processes of the pool" />
        `}
      ${exits.length > 0 && html`<${Exits} exits=${exits} replaced=${replaced} />`}
      ${poolRequests && poolRequests.count > 0 && html`<${RequestList} title="Requests using the pool" about="running in the pool or waiting for it" list=${poolRequests} matches=${matches} generation=${generation} />`}
    </section>
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
      <${WorkerTable} name="exits" all=${EXIT_COLUMNS} rows=${exits.toReversed()} keyOf=${(/** @type {Exit} */ { pid, time_ms }) => `${pid} ${time_ms}`} caption="Newest exits first" />
    </section>
  `;
}

/** @param {Running | null} request */
function filterText(request) {
  return request ? `#${request.id} ${request.method ?? ""} ${request.path ?? ""}` : "idle";
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
