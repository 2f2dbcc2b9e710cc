// The Workers tab: how long requests take, what runs now, what waits, and how the pool does.
//
// Asks once a second while it is looked at, and when a process came or went. Shows what the server can tell, and says where it cannot.

import { html, useRef } from "./vendor/preact-htm.js";
import { LineChart, Sparkline } from "./charts.js";
import { useFetched } from "./fetched.js";
import { matcher } from "./filter.js";
import { clock, counted, milliseconds, visible } from "./format.js";
import { walkRows } from "./rows.js";

const ASK_EVERY_MS = 1000;
const SAMPLES = 60;

export function Workers({ state, traffic, filter }) {
  const { answer, problem } = useFetched("workers", { version: state.runId, every_ms: ASK_EVERY_MS, again: state.workerEvents });
  const busy = useSamples(answer, busyOf, state.runId);
  if (!answer) {
    return html`<div class="empty"><h2>Looking at the workers</h2>${problem && html`<p>${visible(problem)}.</p>`}</div>`;
  }
  const { dispatch, queue, loop, pool_requests: poolRequests, stream_requests: streamRequests, pool, generation } = answer;
  const matches = matcher(filter);
  return html`
    <div class="workers" data-testid="workers">
      ${problem && html`<p class="warn" role="status">▲ As it was last told; ${visible(problem)}.</p>`}
      <${Latency} traffic=${traffic} />
      <section aria-labelledby="threads-title">
        <header>
          <h2 id="threads-title">Python threads</h2>
          <p class="dim">${dispatch.filter(({ request }) => request).length} of ${dispatch.length} busy</p>
          <${Sparkline} values=${busy} top=${dispatch.length} label=${`busy Python threads in the last minute, of ${dispatch.length}`} />
        </header>
        <table class="rows">
          <caption class="unseen">What each thread runs</caption>
          <thead><tr><th scope="col" class="c-handler">Thread</th><th scope="col">Runs</th><th scope="col" class="c-outcome"><abbr title="generation of the code that runs it">G</abbr></th><th scope="col" class="c-total number"><abbr title="since it came in">Age</abbr></th></tr></thead>
          <tbody onKeyDown=${walkRows}>
            ${dispatch.filter(({ name, request }) => matches(name, wordsOf(request))).map(({ name, request, replaced }, index) => html`
              <tr key=${name} class="flat" data-row data-testid="dispatch-row" tabindex=${index === 0 ? 0 : -1}>
                <td class="c-handler">${visible(name)}${replaced && html` <b class="warn" title="its handler has outlived the time limit">▲ replaced</b>`}</td>
                <td class="c-path"><${Running} request=${request} /></td>
                <td class="c-outcome"><${Generation} number=${request?.generation} current=${generation} /></td>
                <td class="c-total number">${age(request)}</td>
              </tr>
            `)}
          </tbody>
        </table>
      </section>
      <${List} title="Queue" about="waiting for a Python thread" list=${queue} matches=${matches} generation=${generation} />
      <${List} title="asyncio loop" about="on the loop" list=${loop} matches=${matches} generation=${generation} none="nothing has needed the loop yet" />
      ${streamRequests?.count > 0 && html`<${List} title="Streams" about="of def handlers" list=${streamRequests} matches=${matches} generation=${generation} />`}
      <${Pool} pool=${pool} poolRequests=${poolRequests} generation=${generation} matches=${matches} />
    </div>
  `;
}

const PERCENTILES = [
  { name: "p50", key: "p50_ms", about: "half of the requests took at most this long" },
  { name: "p95", key: "p95_ms", about: "95 % of them took at most this long" },
  { name: "p99", key: "p99_ms", about: "99 % of them took at most this long" },
];

function Latency({ traffic }) {
  const { count, seconds } = traffic;
  const lines = PERCENTILES.map(({ name, key, about }) => ({ name, about, now: traffic[key], values: seconds.map((second) => second[key]) }));
  return html`
    <section aria-labelledby="latency-title" data-testid="latency">
      <header>
        <h2 id="latency-title">Latency</h2>
        <p class="dim">${counted(count, "request")} in the last minute, second by second</p>
      </header>
      <${LineChart} lines=${lines} format=${milliseconds} title="Percentiles of the time that requests took" />
    </section>
  `;
}

/** Requests with their ages, or why there are none. */
function List({ title, about, list, none, matches, generation }) {
  const id = `list-${title.replaceAll(" ", "-")}`;
  const shown = list?.requests.filter((request) => matches(wordsOf(request))) ?? [];
  return html`
    <section aria-labelledby=${id} data-testid=${id}>
      <header>
        <h2 id=${id}>${title}</h2>
        <p class="dim">${list ? `${counted(list.count, "request")} ${about}` : (none ?? "not known while the code reloads")}</p>
      </header>
      ${shown.length > 0 && html`
        <table class="rows">
          <caption class="unseen">${title}: ${about}</caption>
          <thead><tr><th scope="col">Request</th><th scope="col" class="c-outcome"><abbr title="generation of the code that runs it">G</abbr></th><th scope="col" class="c-total number"><abbr title="since it came in">Age</abbr></th></tr></thead>
          <tbody onKeyDown=${walkRows}>
            ${shown.map((request, index) => html`<tr key=${request.id} class="flat" data-row tabindex=${index === 0 ? 0 : -1}><td class="c-path"><${Running} request=${request} /></td><td class="c-outcome"><${Generation} number=${request.generation} current=${generation} /></td><td class="c-total number">${age(request)}</td></tr>`)}
          </tbody>
        </table>
      `}
      ${list?.count > list?.requests.length && html`<p class="dim">The first ${list.requests.length} are shown.</p>`}
    </section>
  `;
}

function Pool({ pool, poolRequests, generation, matches }) {
  if (!pool) return html`<${List} title="Process pool" list=${null} />`;
  const { size, workers, busy, waiting, done, failed, replaced, exits = [] } = pool;
  return html`
    <section aria-labelledby="pool-title">
      <header>
        <h2 id="pool-title">Process pool</h2>
        <p class="dim">
          ${busy} of ${size} busy · ${counted(waiting, "task")} waiting · ${done} done · <span class=${failed ? "bad" : ""}>${failed} failed</span>
          ${replaced > 0 && html` · <span class="warn">▲ ${counted(replaced, "worker")} died and replaced</span>`}
        </p>
      </header>
      ${workers.length === 0
        ? html`<p class="dim">No process has been started: they come with the first handler that uses the pool.</p>`
        : html`
          <table class="rows pool-rows">
            <caption class="unseen">Processes of the pool</caption>
            <thead>
              <tr>
                <th scope="col" class="c-method">PID</th>
                <th scope="col" class="c-outcome"><abbr title="generation of the code it was given last">G</abbr></th>
                <th scope="col" class="c-method">State</th>
                <th scope="col">Task</th>
                <th scope="col" class="c-total number">Elapsed</th>
                <th scope="col" class="c-count number">Done</th>
                <th scope="col" class="c-count number">Failed</th>
                <th scope="col" class="c-total number"><abbr title="resident memory">RSS</abbr></th>
              </tr>
            </thead>
            <tbody onKeyDown=${walkRows}>
              ${workers.filter(({ pid, task }) => matches(String(pid), task ?? "")).map((worker, index) => html`<${PoolRow} key=${worker.pid ?? index} worker=${worker} isFirst=${index === 0} generation=${generation} />`)}
            </tbody>
          </table>
        `}
      ${exits.length > 0 && html`<${Exits} exits=${exits} replaced=${replaced} />`}
      ${poolRequests?.count > 0 && html`<${List} title="Handlers at the pool" about="using or awaiting it" list=${poolRequests} matches=${matches} generation=${generation} />`}
    </section>
  `;
}

function PoolRow({ worker, isFirst, generation }) {
  const { pid, busy, task, task_ms, stale, done, failed, rss_bytes } = worker;
  return html`
    <tr class="flat" data-row data-testid="pool-row" tabindex=${isFirst ? 0 : -1}>
      <td class="c-method">${pid ?? html`<span class="dim">gone</span>`}</td>
      <td class="c-outcome">${worker.generation ? `G${worker.generation}` : html`<span class="dim">–</span>`}${stale && html` <b class="warn" title=${`G${generation} serves; it gets that code with its next task`}>▲ Stale</b>`}</td>
      <td class="c-method">${busy ? "● busy" : html`<span class="dim">○ idle</span>`}</td>
      <td class="c-path">${task && html`<code>${visible(task)}</code>`}</td>
      <td class="c-total number">${task_ms != null && milliseconds(task_ms)}</td>
      <td class="c-count number">${done}</td>
      <td class=${`c-count number ${failed ? "bad" : "dim"}`}>${failed}</td>
      <td class="c-total number">${rss_bytes == null ? html`<span class="dim">–</span>` : `${(rss_bytes / 2 ** 20).toFixed(0)} MiB`}</td>
    </tr>
  `;
}

/** The workers that died, the newest first. */
function Exits({ exits, replaced }) {
  return html`
    <section aria-labelledby="exits-title" data-testid="exits">
      <header>
        <h3 id="exits-title">Died and replaced</h3>
        ${replaced > exits.length && html`<p class="dim">The newest ${exits.length} of ${replaced}.</p>`}
      </header>
      <table class="rows loss-rows">
        <caption class="unseen">Processes that died</caption>
        <thead>
          <tr>
            <th scope="col" class="c-time">Time</th>
            <th scope="col" class="c-method">PID</th>
            <th scope="col" class="c-files">Why</th>
            <th scope="col">It ran</th>
            <th scope="col" class="c-outcome">In its place</th>
          </tr>
        </thead>
        <tbody onKeyDown=${walkRows}>
          ${exits.toReversed().map(({ time_ms, pid, task, exit_code, was_killed, successor }, index) => html`
            <tr key=${`${pid} ${time_ms}`} class="flat" data-row tabindex=${index === 0 ? 0 : -1}>
              <td class="c-time dim">${clock(time_ms)}</td>
              <td class="c-method">${pid}</td>
              <td class="c-files">${was_killed ? "ended: nobody waited for its task" : html`<span class="bad">✖ ${exitWords(exit_code)}</span>`}</td>
              <td class="c-path">${task ? html`<code>${visible(task)}</code>` : html`<span class="dim">nothing</span>`}</td>
              <td class="c-outcome">${successor}</td>
            </tr>
          `)}
        </tbody>
      </table>
    </section>
  `;
}

function exitWords(code) {
  if (code == null) return "died";
  return code < 0 ? `died of signal ${-code}` : `exited with ${code}`;
}

/** The generation that runs a request; one that serves no more is said to be old. */
function Generation({ number, current }) {
  if (number == null) return html`<span class="dim">–</span>`;
  return html`G${number}${number < current && html` <b class="warn" title=${`G${current} serves by now; a request ends on the code that it began with`}>▲ old</b>`}`;
}

function Running({ request }) {
  if (!request) return html`<span class="dim">○ idle</span>`;
  return html`<span class="dim">#${visible(request.id)}</span> <code>${visible(request.method)} ${visible(request.path)}</code>`;
}

function wordsOf(request) {
  return request ? `#${request.id} ${request.method ?? ""} ${request.path ?? ""}` : "idle";
}

function age(request) {
  return request?.age_ms == null ? "" : milliseconds(request.age_ms);
}

function busyOf({ dispatch }) {
  return dispatch.filter(({ request }) => request).length;
}

/** What `measure` made of each answer of the last minute, oldest first; of one process. */
function useSamples(answer, measure, runId) {
  const samples = useRef({ last: null, values: [] }).current;
  if (runId !== samples.runId) Object.assign(samples, { runId, values: [] });
  if (answer && answer !== samples.last) {
    samples.last = answer;
    samples.values = [...samples.values.slice(1 - SAMPLES), measure(answer)];
  }
  return [...Array(SAMPLES - samples.values.length).fill(null), ...samples.values];
}
