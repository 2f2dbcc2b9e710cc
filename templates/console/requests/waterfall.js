// The waterfall of the list: its requests in bursts, on one time axis each, with their phases and the requests that
// occupied the threads meanwhile.
//
// A burst is of requests that begin shortly after each other. Never fetches anything.

import { html } from "../vendor/preact-htm.js";
import { milliseconds, pluralize, timeOfDay, visible } from "../components/format.js";
import { REQUEST_PHASES } from "../components/phases.js";
import { REQUEST_COLUMNS } from "./request-columns.js";

/** @import { Column } from "../components/columns.js" */
/** @import { ListedRequest } from "../types.js" */
/** @import { Axis, RowContext } from "./request-columns.js" */

// A longer pause before a request begins a new burst.
const PAUSE_MS = 1000;
const MAX_ROWS = 100;
const TICKS = 4;
// In the order in which they follow each other.
const PHASES = Object.keys(REQUEST_PHASES);

/** @typedef {{ from: number, to: number }} Span */
/** @typedef {Span & { requests: ListedRequest[] }} Burst */
/** @typedef {Span & { id: string, text: string }} Holder */

/**
 * Splits the requests into bursts, the newest first; the requests of one begin with the oldest. A new request
 * changes no burst but the newest.
 * @param {ListedRequest[]} requests
 * @returns {Burst[]}
 */
export function bursts(requests) {
  const sorted = [...requests].sort((a, b) => a.time_ms - b.time_ms || Number(a.id) - Number(b.id));
  /** @type {Burst[]} */
  const found = [];
  for (const request of sorted) {
    const end = request.time_ms + request.total_ms;
    const last = found.at(-1);
    if (last && request.time_ms - last.to < PAUSE_MS && last.requests.length < MAX_ROWS) {
      last.requests.push(request);
      last.to = Math.max(last.to, end);
    } else {
      found.push({ requests: [request], from: request.time_ms, to: Math.max(end, request.time_ms + 1) });
    }
  }
  return found.reverse();
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

/**
 * The head of a burst: how many requests it has, when, and the scale of its axis in the last column.
 * @param {{ burst: Burst, span: number }} props
 */
export function BurstHead({ burst: { requests, from, to }, span }) {
  return html`
    <tr class="group burst" data-testid="burst">
      <th scope="rowgroup" colspan=${span - 1}>${pluralize(requests.length, "request")} <span class="dim">from ${timeOfDay(from)} on, in ${milliseconds(to - from)}</span></th>
      <td class="c-lane"><span class="axis dim" aria-hidden="true">${Array.from({ length: TICKS + 1 }, (_, tick) => html`<span key=${tick}>${milliseconds(((to - from) * tick) / TICKS)}</span>`)}</span></td>
    </tr>
  `;
}

/**
 * A request on the time axis of its burst.
 * @param {{ request: ListedRequest, axis: Axis }} props
 */
function Lane({ request, axis: { from, to, byId } }) {
  const place = (/** @type {Span} */ span) => ({ left: `${((span.from - from) / (to - from)) * 100}%`, width: `${((span.to - span.from) / (to - from)) * 100}%` });
  const text = laneText(request, from, byId);
  return html`
    <span class="lane" role="img" aria-label=${text} title=${text}>
      ${phaseSpans(request).map((span) => html`<i key=${span.name} class=${`phase-${span.name}`} style=${place(span)} />`)}
      ${holders(request, byId).map((span) => html`<b key=${span.id} class="holder" style=${place(span)}>${span.text}</b>`)}
    </span>
  `;
}

/** The columns of the list, with lanes instead of the phases. @type {Column<ListedRequest, RowContext>[]} */
export const WATERFALL_COLUMNS = [
  ...REQUEST_COLUMNS.filter(({ name }) => name !== "bar"),
  { name: "lane", title: "Time axis", hint: "the phases on the time axis of the burst", min: 12, cell: (request, { axis }) => axis && html`<${Lane} request=${request} axis=${axis} />` },
];

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
