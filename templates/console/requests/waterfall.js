// The requests of a list by their start, on one time axis: their phases, and the requests that occupied the
// threads meanwhile.
//
// Shows one burst at a time: requests that begin shortly after each other. Never fetches anything.

import { html, useMemo, useState } from "../vendor/preact-htm.js";
import { milliseconds, pluralize, statusClass, timeOfDay, visible } from "../components/format.js";
import { REQUEST_PHASES } from "../components/phases.js";
import { navigateRows, onRowClick } from "../components/table-nav.js";

/** @import { ListedRequest } from "../types.js" */

// A longer pause before a request begins a new burst.
const PAUSE_MS = 1000;
const MAX_ROWS = 100;
const TICKS = 4;
// In the order in which they follow each other.
const PHASES = Object.keys(REQUEST_PHASES);

/** @typedef {{ from: number, to: number }} Span */
/** @typedef {Span & { id: string, text: string }} Holder */

/**
 * Splits the requests into bursts, the newest first; the requests of one begin with the oldest.
 * @param {ListedRequest[]} requests
 * @returns {ListedRequest[][]}
 */
export function bursts(requests) {
  const sorted = [...requests].sort((a, b) => b.time_ms - a.time_ms || Number(b.id) - Number(a.id));
  /** @type {ListedRequest[][]} */
  const found = [];
  for (const request of sorted) {
    const last = found.at(-1);
    const next = last?.at(-1);
    const pause = next ? next.time_ms - (request.time_ms + request.total_ms) : Infinity;
    if (last && pause < PAUSE_MS && last.length < MAX_ROWS) last.push(request);
    else found.push([request]);
  }
  return found.map((burst) => burst.reverse());
}

/**
 * When each phase of a request was, in ms since 1970.
 * @param {ListedRequest} request
 * @returns {(Span & { name: string })[]}
 */
export function phaseSpans({ time_ms, phases }) {
  let at = time_ms;
  return PHASES.flatMap((name) => {
    const ms = new Map(Object.entries(phases)).get(name) ?? 0;
    const span = { name, from: at, to: at + ms };
    at = span.to;
    return ms > 0 ? [span] : [];
  });
}

/**
 * The requests that occupied the threads while a request waited, each at its own time if that is known.
 * @param {ListedRequest} request
 * @param {Map<string, ListedRequest>} byId
 * @returns {Holder[]}
 */
export function holders(request, byId) {
  const wait = phaseSpans(request).find(({ name }) => name === "queue");
  if (!wait) return [];
  let free = wait.from;
  return (request.blocked_by ?? []).map(({ id, path, ms }) => {
    const holder = byId.get(id);
    const ran = holder && phaseSpans(holder).find(({ name }) => name === "py");
    const from = Math.min(wait.to, Math.max(wait.from, ran ? ran.from : free));
    const to = Math.min(wait.to, from + ms);
    free = to;
    return { id, from, to, text: `#${visible(id)} ${visible(path)}` };
  });
}

/** @param {{ requests: ListedRequest[], selected: string | null, select: (id: string) => void }} props */
export function Waterfall({ requests, selected, select }) {
  const all = useMemo(() => bursts(requests), [requests]);
  // A burst is known by one of its requests: while new ones arrive, its bounds move.
  const [first, setFirst] = useState(/** @type {string | null} */ (null));
  const index = Math.max(0, all.findIndex((burst) => burst.some(({ id }) => id === first)));
  const burst = all[index] ?? [];
  const byId = useMemo(() => new Map(requests.map((request) => [request.id, request])), [requests]);
  const from = Math.min(...burst.map(({ time_ms }) => time_ms));
  const to = Math.max(...burst.map(({ time_ms, total_ms }) => time_ms + total_ms), from + 1);
  if (!burst.length) return null;
  const tabStop = burst.some(({ id }) => id === selected) ? selected : burst[0]?.id;
  const place = (/** @type {Span} */ span) => ({ left: `${((span.from - from) / (to - from)) * 100}%`, width: `${((span.to - span.from) / (to - from)) * 100}%` });
  return html`
    <div class="waterfall" data-testid="waterfall">
      <p class="actions">
        <button type="button" disabled=${index + 1 >= all.length} onClick=${() => setFirst(all[index + 1]?.[0]?.id ?? null)}>Earlier</button>
        <button type="button" disabled=${index === 0} onClick=${() => setFirst(index > 1 ? (all[index - 1]?.[0]?.id ?? null) : null)}>Later</button>
        ${" "}${pluralize(burst.length, "request")} from ${timeOfDay(from)} on, in ${milliseconds(to - from)}
      </p>
      <table class="rows">
        <caption class="visually-hidden">Requests by their start</caption>
        <thead>
          <tr>
            <th scope="col" class="c-request">Request</th>
            <th scope="col"><span class="axis" aria-hidden="true">${Array.from({ length: TICKS + 1 }, (_, tick) => html`<span key=${tick}>${milliseconds(((to - from) * tick) / TICKS)}</span>`)}</span><span class="visually-hidden">Time</span></th>
          </tr>
        </thead>
        <tbody onKeyDown=${navigateRows}>
          ${burst.map((request) => html`
            <tr key=${request.id} data-row data-testid="waterfall-row" data-id=${request.id} tabindex=${request.id === tabStop ? 0 : -1} aria-current=${request.id === selected ? "true" : null} onClick=${onRowClick(() => select(request.id))}>
              <td class="c-request" title=${visible(request.path)}><span class="dim">#${visible(request.id)}</span> <code>${visible(request.method)} ${visible(request.path)}</code> <span class=${statusClass(request.status)}>${request.status}</span></td>
              <td>
                <span class="lane" role="img" aria-label=${laneText(request, from, byId)} title=${laneText(request, from, byId)}>
                  ${phaseSpans(request).map((span) => html`<i key=${span.name} class=${`phase-${span.name}`} style=${place(span)} />`)}
                  ${holders(request, byId).map((span) => html`<b key=${span.id} class="holder" style=${place(span)}>${span.text}</b>`)}
                </span>
              </td>
            </tr>
          `)}
        </tbody>
      </table>
    </div>
  `;
}

/**
 * @param {ListedRequest} request
 * @param {number} from
 * @param {Map<string, ListedRequest>} byId
 */
function laneText(request, from, byId) {
  const parts = phaseSpans(request).map(({ name, from, to }) => `${REQUEST_PHASES[name]?.label} ${milliseconds(to - from)}`);
  const held = holders(request, byId).map(({ text, from, to }) => `thread occupied by ${text} for ${milliseconds(to - from)}`);
  return [`begins after ${milliseconds(request.time_ms - from)}`, ...parts, ...held].join(" · ");
}
