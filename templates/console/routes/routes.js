// The Routes tab: all routes, and which of them the last reload added, moved, changed or removed.
//
// Shows the routes in the server's order. Never matches a path to a route: the server does. An open
// route is in route-details.js.

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { textMatcher } from "../components/filter.js";
import { execution, fileLine, milliseconds, visible } from "../components/format.js";
import { quoteValue } from "../requests/request-filter.js";
import { RouteDetails } from "./route-details.js";
import { RouteLookup } from "./route-lookup.js";
import { collectStats, statsKey } from "./route-stats.js";
import { SourceLink } from "../components/source-link.js";
import { lastSuccessfulReload } from "../server/store.js";
import { KeyedRows, navigateRows, onRowClick, toggled } from "../components/table-nav.js";
import { formatHash } from "../page/url-hash.js";

export const MARKERS = {
  added: { label: "+ new", className: "good" },
  moved: { label: "~ moved", className: "warn" },
  changed: { label: "~ changed", className: "warn" },
  shadowed: { label: "◐ shadowed", className: "warn" },
  removed: { label: "− removed", className: "bad" },
};

export function Routes({ state, filter, onFilter }) {
  const [opened, setOpened] = useState(new Set());
  const stats = useMemo(() => collectStats(state.requests), [state.requests]);
  const list = useRef(null);
  const [keyToFocus, setKeyToFocus] = useState(null);
  useEffect(() => {
    if (!keyToFocus) return;
    list.current?.querySelector(`[data-key="${CSS.escape(keyToFocus)}"]`)?.focus();
    setKeyToFocus(null);
  }, [keyToFocus]);
  const matches = textMatcher(filter);
  const all = withRemoved(state);
  const rows = all.filter(({ route, marker }) =>
    matches(
      route.methods.join(" "), route.path, route.handler, execution(route), route.file, marker?.label ?? "", ...(route.via ?? []),
    ),
  );

  function show(route) {
    const key = routeKey(route);
    if (!rows.some((row) => row.key === key)) onFilter("");
    setOpened(new Set([...opened, key]));
    setKeyToFocus(key);
  }

  const hasHooks = all.some(({ route }) => route.via?.length > 0);
  if (!all.length) return html`<${NoRoutes} status=${state.status} />`;
  return html`
    <div class="list" ref=${list}>
      <div class="toolbar"><${RouteLookup} open=${show} /></div>
      <table class=${`rows route-rows ${hasHooks ? "has-via" : ""}`}>
        <caption class="visually-hidden">Routes of the live version</caption>
        <thead>
          <tr>
            <th scope="col" class="c-methods">Method</th>
            <th scope="col" class="c-path">Path</th>
            <th scope="col" class="c-handler">Handler</th>
            <th scope="col" class="c-mode">Mode</th>
            ${hasHooks && html`<th scope="col" class="c-via"><abbr title="hooks that its requests meet">Via</abbr></th>`}
            <th scope="col" class="c-source">Source</th>
            <th scope="col" class="c-count number"><abbr title="requests that this page has received">Hits</abbr></th>
            <th scope="col" class="c-total number"><abbr title="95 % of the requests took at most this long">p95</abbr></th>
            <th scope="col" class="c-count number"><abbr title="responses with status 500 or higher">Errors</abbr></th>
          </tr>
        </thead>
        <tbody onKeyDown=${navigateRows}>
          ${rows.map(({ route, marker, key }, index) => {
            const isServed = marker !== MARKERS.removed;
            const routeStats = isServed ? stats.get(statsKey(route.path, route.handler)) : undefined;
            return html`<${KeyedRows} key=${key}>
              <${RouteRow} name=${key} route=${route} marker=${marker} isFirst=${index === 0} stats=${routeStats}
                isOpen=${opened.has(key)} hasHooks=${hasHooks} toggle=${() => setOpened(toggled(opened, key))} />
              ${opened.has(key) && html`<tr class="expanded-row"><td colspan=${hasHooks ? 9 : 8}>
                <${RouteDetails} route=${route} stats=${routeStats} isServed=${isServed} generation=${state.status.generation} />
              </td></tr>`}
            </>`;
          })}
        </tbody>
      </table>
      ${!rows.length && html`<p class="no-results">No route matches <q>${filter}</q>.</p>`}
    </div>
  `;
}

/** Returns the routes with their markers, followed by the routes that the last reload removed. */
function withRemoved(state) {
  const reload = lastSuccessfulReload(state);
  const markers = new Map();
  // At startup every route is new, so markers would carry no information.
  const diff = reload && reload.cause !== "start" ? reload.diff : null;
  for (const kind of ["shadowed", "changed", "moved", "added"]) {
    for (const route of diff?.[kind] ?? []) markers.set(routeKey(route), MARKERS[kind]);
  }
  return [
    ...state.routes.map((route) => ({ route, marker: markers.get(routeKey(route)), key: routeKey(route) })),
    ...(diff?.removed ?? []).map((route) => ({ route, marker: MARKERS.removed, key: `removed ${routeKey(route)}` })),
  ];
}

function routeKey({ methods, path }) {
  return `${methods.join(",")} ${path}`;
}

function RouteRow({ name, route, marker, stats, isFirst, isOpen, hasHooks, toggle }) {
  const isRemoved = marker === MARKERS.removed;
  return html`
    <tr data-row data-key=${name} data-testid="route-row" class=${isRemoved ? "removed" : ""} tabindex=${isFirst ? 0 : -1} onClick=${onRowClick(toggle)}>
      <td class="c-methods">
        <button type="button" class="expander" tabindex="-1" aria-expanded=${isOpen}><span class="visually-hidden">Details of </span>${visible(route.methods.join(" "))}</button>
      </td>
      <td class="c-path">
        <span class="route-text">${visible(route.path)}</span>
        ${marker && html` <b class=${`marker ${marker.className}`}>${marker.label}</b>`}
        ${route.warnings?.length > 0 && html` <span class="warn" title=${route.warnings.map(visible).join("\n")}>⚠ ${visible(route.warnings[0])}</span>`}
      </td>
      <td class="c-handler"><span class="route-text">${visible(route.handler)}</span></td>
      <td class="c-mode dim">${visible(execution(route))}</td>
      ${hasHooks && html`<td class="c-via dim" title=${(route.via ?? []).map(visible).join("\n")}><span class="route-text">${visible(hookNames(route).join(", "))}</span></td>`}
      <td class="c-source dim" title=${fileLine(route.file, route.line)}><span class="route-text"><${SourceLink} file=${route.file} line=${route.line} target=${route.id && { route: route.id }} skipTab /></span></td>
      <td class="c-count number">${stats ? html`<a tabindex="-1" href=${requestsLink(route)}>${stats.hits}</a>` : html`<span class="dim">0</span>`}</td>
      <td class="c-total number">${stats ? milliseconds(stats.p95_ms) : html`<span class="dim">–</span>`}</td>
      <td class=${`c-count number ${stats?.errors ? "bad" : "dim"}`}>${stats?.errors ?? 0}</td>
    </tr>
  `;
}

/** Returns the functions of its hooks, without their kinds. */
function hookNames(route) {
  return (route.via ?? []).map((hook) => hook.slice(hook.lastIndexOf(" ") + 1));
}

function requestsLink({ path, handler }) {
  return formatHash({ tab: "requests", q: `route:${quoteValue(path)} handler:${quoteValue(handler)}` });
}

const FIRST_ROUTE = `from snaxum import route, Request

@route("/python/hello")
def hello(request: Request) -> dict:
    return {"hello": "world"}
`;

function NoRoutes({ status }) {
  if (!status.generation && status.state === "failing") {
    return html`
      <div class="empty">
        <h2>No routes are served</h2>
        <p>Your code has not loaded yet: see <a href="#errors">its traceback</a>. Fix and save the file, and the routes appear here.</p>
      </div>
    `;
  }
  return html`
    <div class="empty">
      <h2>No routes yet</h2>
      <p>Save this as <code>python/hello.py</code>. It is served as soon as it is saved.</p>
      <pre>${FIRST_ROUTE}</pre>
    </div>
  `;
}
