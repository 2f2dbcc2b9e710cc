// The columns of the list of requests: a new one is an entry here, and the user chooses the columns with `isExtra`.
//
// Never decides which columns have room: components/columns.js does.

import { html } from "../vendor/preact-htm.js";
import { isClientClosed, milliseconds, statusClass, timeOfDay, visible } from "../components/format.js";
import { PhaseBar, PhaseScale } from "../components/phases.js";
import { MainBlocker } from "./wait-reasons.js";

/** @import { Column } from "../components/columns.js" */
/** @import { ListedRequest } from "../types.js" */

/** The time axis of a burst, and the requests of the list. @typedef {{ from: number, to: number, byId: Map<string, ListedRequest> }} Axis */
/** Facts of the list beside its requests. @typedef {{ isPinned: boolean, isProfiled?: boolean, axis?: Axis | null }} RowContext */

/** @type {Column<ListedRequest, RowContext>[]} */
export const REQUEST_COLUMNS = [
  {
    name: "id", title: "#", hint: "the request id, as in the header x-request-id", width: 5.75, rank: 3, isNumber: true,
    sortBy: ({ id }) => Number(id), cell: ({ id }) => visible(id), cellClass: () => "dim",
  },
  { name: "time", title: "Time", width: 6, rank: 4, sortBy: ({ time_ms }) => time_ms, cell: ({ time_ms }) => timeOfDay(time_ms), cellClass: () => "dim" },
  { name: "method", title: "Method", width: 5.5, rank: 6, sortBy: ({ method }) => method, cell: ({ method }) => visible(method) },
  { name: "path", title: "Path", min: 12, sortBy: ({ path }) => path, cell: (request, { isPinned }) => html`<${Path} request=${request} isPinned=${isPinned} />` },
  { name: "status", title: "Status", width: 4.75, sortBy: ({ status }) => status, cell: ({ status }) => status, cellClass: ({ status }) => statusClass(status) },
  { name: "total", title: "Total", width: 5.5, rank: 7, isNumber: true, sortBy: ({ total_ms }) => total_ms, cell: ({ total_ms, stream }) => html`${milliseconds(total_ms)}${stream?.state === "open" && html`<span class="dim" title="the response is still streaming">+</span>`}` },
  { name: "bar", title: "Phases", head: () => html`<${PhaseScale} />`, width: 10, rank: 2, cell: ({ phases, total_ms, stream }) => html`<${PhaseBar} phases=${phases} total_ms=${total_ms} stream=${stream} />` },
  {
    name: "generation", title: "Version", hint: "the version of your code that handled the request", width: 5, rank: 1, isExtra: true, isNumber: true,
    sortBy: ({ generation }) => generation, cell: ({ generation }) => generation, cellClass: () => "dim",
  },
  {
    name: "type", title: "Type", hint: "the content type of the response", min: 9, rank: 7.5, isExtra: true,
    sortBy: typeOf, cell: (request) => html`<span title=${visible(request.response_type ?? "")}>${visible(typeOf(request) ?? "–")}</span>`, cellClass: () => "dim",
  },
  {
    name: "size", title: "Size", hint: "the bytes of the response body; of a stream, once it has ended", width: 6, rank: 7.6, isExtra: true, isNumber: true,
    sortBy: sizeOf, cell: (request) => sizeOf(request) ?? "–", cellClass: () => "dim",
  },
  { name: "handler", title: "Handler", min: 10, rank: 5, isExtra: true, sortBy: ({ handler }) => handler, cell: ({ handler }) => visible(handler) },
  {
    name: "calls", title: "Calls", hint: "to databases and HTTP servers, and their time", width: 7.5, rank: 5, isExtra: true, isNumber: true,
    sortBy: ({ call_summary }) => call_summary?.count, cell: ({ call_summary }) => call_summary && html`${call_summary.count} <span class="dim">· ${milliseconds(call_summary.ms)}</span>`,
  },
  { name: "profile", title: "Profile", hint: "whether a profile is stored", width: 5, rank: 3, isExtra: true, sortBy: (_, { isProfiled }) => (isProfiled ? 0 : null), cell: (_, { isProfiled }) => isProfiled && "✓" },
];

/** @param {ListedRequest} request */
function typeOf({ response_type: type }) {
  return type?.split(";")[0].trim();
}

/** @param {ListedRequest} request */
function sizeOf({ response_size, stream }) {
  return stream && stream.state !== "open" ? stream.bytes : response_size;
}

/** @param {{ request: ListedRequest, isPinned: boolean }} props */
function Path({ request, isPinned }) {
  const { error, replay_of, call_summary } = request;
  const target = targetOf(request);
  return html`<span title=${target}>${replay_of && html`<span class="dim" title=${`replay of #${visible(replay_of)}`}>↺ </span>`}${target}${error && html` <span class="bad">${visible(error.type)}</span>`}${isClientClosed(request) && html` <span class="dim">client disconnected</span>`}${isPinned && html` <b class="warn">⚑ pinned</b>`}${call_summary?.repeated && html` <span class="warn" title=${`one line made ${call_summary.repeated.count} calls like this: ${visible(call_summary.repeated.text)}`}>N+1</span>`}<${MainBlocker} request=${request} /></span>`;
}

/**
 * Returns the path with the query.
 * @param {{ path: string, query?: string | null }} request
 */
export function targetOf({ path, query }) {
  return visible(path) + (query ? `?${visible(query)}` : "");
}
