// The columns of the list of routes.
//
// Never decides which columns have room: components/columns.js does.

import { html } from "../vendor/preact-htm.js";
import { execution, fileLine, milliseconds, visible } from "../components/format.js";
import { SourceLink } from "../components/source-link.js";
import { formatHash } from "../page/url-hash.js";
import { quoteValue } from "../requests/request-filter.js";

/** @import { RouteInfo } from "snaxum-events" */
/** @import { Column } from "../components/columns.js" */
/** @import { RouteStats } from "./route-stats.js" */

/** A line of the list; `marker` names the change by the last save. @typedef {{ key: string, route: RouteInfo, marker?: { label: string, className: string }, stats?: RouteStats }} RouteLine */
/** @typedef {{ isOpen: boolean }} LineContext */

/** @type {Column<RouteLine, LineContext>[]} */
const COLUMNS = [
  {
    name: "methods", title: "Method", width: 7.5, rank: 9, sortBy: ({ route }) => route.methods.join(" "),
    cell: ({ route }, { isOpen }) => html`<button type="button" class="expander" tabindex="-1" aria-expanded=${isOpen}><span class="visually-hidden">Details of </span>${visible(route.methods.join(" "))}</button>`,
  },
  {
    name: "path", title: "Path", min: 17, sortBy: ({ route }) => route.path,
    cell: ({ route, marker }) => html`
      <span title=${visible(route.path)}><span class="route-text">${visible(route.path)}</span>
      ${marker && html` <b class=${`marker ${marker.className}`}>${marker.label}</b>`}
      ${route.warnings?.length > 0 && html` <span class="warn" title=${route.warnings.map(visible).join("\n")}>⚠ ${visible(route.warnings[0])}</span>`}</span>
    `,
  },
  { name: "handler", title: "Handler", width: 14, rank: 5, sortBy: ({ route }) => route.handler, cell: ({ route }) => html`<span class="route-text" title=${visible(route.handler)}>${visible(route.handler)}</span>` },
  { name: "mode", title: "Mode", hint: "where the handler runs", width: 7.5, rank: 2, sortBy: ({ route }) => route.mode, cell: ({ route }) => visible(execution(route)), cellClass: () => "dim" },
  {
    name: "via", title: "Via", hint: "hooks that its requests meet", min: 10, rank: 3, sortBy: ({ route }) => hookNames(route).join(", ") || null,
    cell: ({ route }) => html`<span class="route-text" title=${(route.via ?? []).map(visible).join("\n")}>${visible(hookNames(route).join(", "))}</span>`, cellClass: () => "dim",
  },
  {
    name: "source", title: "Source", width: 15, rank: 4, sortBy: ({ route }) => `${route.file}:${String(route.line).padStart(6, "0")}`, cellClass: () => "dim",
    cell: ({ route }) => html`<span class="route-text" title=${fileLine(route.file, route.line)}><${SourceLink} file=${route.file} line=${route.line} target=${route.id ? { route: route.id } : null} skipTab /></span>`,
  },
  {
    name: "hits", title: "Hits", hint: "requests that this page has received", width: 4.75, rank: 6, isNumber: true, sortBy: ({ stats }) => stats?.hits ?? 0,
    cell: ({ route, stats }) => (stats ? html`<a tabindex="-1" href=${requestsLink(route)}>${stats.hits}</a>` : html`<span class="dim">0</span>`),
  },
  {
    name: "p95", title: "p95", hint: "95 % of the requests took at most this long", width: 5.5, rank: 1, isNumber: true, sortBy: ({ stats }) => stats?.p95_ms,
    cell: ({ stats }) => (stats ? milliseconds(stats.p95_ms) : html`<span class="dim">–</span>`),
  },
  {
    name: "errors", title: "Errors", hint: "responses with status 500 or higher", width: 5, rank: 7, isNumber: true, sortBy: ({ stats }) => stats?.errors ?? 0,
    cell: ({ stats }) => stats?.errors ?? 0, cellClass: ({ stats }) => (stats?.errors ? "bad" : "dim"),
  },
];
const COLUMNS_WITHOUT_HOOKS = COLUMNS.filter(({ name }) => name !== "via");

/** Returns the columns; without any hook, none for hooks. @param {boolean} hasHooks */
export function routeColumns(hasHooks) {
  return hasHooks ? COLUMNS : COLUMNS_WITHOUT_HOOKS;
}

/**
 * Returns the functions of its hooks, without their kinds.
 * @param {RouteInfo} route
 */
function hookNames({ via }) {
  return (via ?? []).map((hook) => hook.slice(hook.lastIndexOf(" ") + 1));
}

/** @param {RouteInfo} route */
function requestsLink({ path, handler }) {
  return formatHash({ tab: "requests", q: `route:${quoteValue(path)} handler:${quoteValue(handler)}` });
}
