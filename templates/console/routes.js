// The Routes tab: every route, with what the last reload added, moved or removed.
//
// Draws the table the server sent, in its order. Never matches a path to a route: the server does. An
// opened route is in route-details.js.

import { html, useEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";
import { addressOf } from "./address.js";
import { Place } from "./editor.js";
import { matcher } from "./filter.js";
import { milliseconds, place, visible } from "./format.js";
import { quoted } from "./query.js";
import { RouteDetails } from "./route-details.js";
import { statsName, statsOf } from "./route-stats.js";
import { Keyed, onPick, toggled, walkRows } from "./rows.js";
import { lastGoodReload } from "./store.js";
import { WhichHandler } from "./which-handler.js";

export const MARKERS = {
  added: { word: "+ new", className: "good" },
  moved: { word: "~ moved", className: "warn" },
  changed: { word: "~ changed", className: "warn" },
  shadowed: { word: "◐ shadowed", className: "warn" },
  removed: { word: "− removed", className: "bad" },
};

export function Routes({ state, filter, onFilter }) {
  const [opened, setOpened] = useState(new Set());
  const stats = useMemo(() => statsOf(state.requests), [state.requests]);
  const list = useRef(null);
  const [wanted, setWanted] = useState(null);
  useEffect(() => {
    if (!wanted) return;
    list.current?.querySelector(`[data-key="${CSS.escape(wanted)}"]`)?.focus();
    setWanted(null);
  }, [wanted]);
  const matches = matcher(filter);
  const all = withRemoved(state);
  const rows = all.filter(({ route, marker }) =>
    matches(route.methods.join(" "), route.path, route.handler, route.mode ?? "", route.file, marker?.word ?? ""),
  );

  function show(route) {
    const key = nameOf(route);
    if (!rows.some((row) => row.key === key)) onFilter("");
    setOpened(new Set([...opened, key]));
    setWanted(key);
  }

  if (!all.length) return html`<${NoRoute} status=${state.status} />`;
  return html`
    <div class="list" ref=${list}>
      <div class="toolbar"><${WhichHandler} open=${show} /></div>
      <table class="rows route-rows">
        <caption class="unseen">Routes of the code that serves now</caption>
        <thead>
          <tr>
            <th scope="col" class="c-methods">Method</th>
            <th scope="col" class="c-path">Path</th>
            <th scope="col" class="c-handler">Handler</th>
            <th scope="col" class="c-mode">Mode</th>
            <th scope="col" class="c-source">Source</th>
            <th scope="col" class="c-count number"><abbr title="requests that this page knows">Hits</abbr></th>
            <th scope="col" class="c-total number"><abbr title="95 % of them took at most this long">p95</abbr></th>
            <th scope="col" class="c-count number"><abbr title="answers from 500 on">Errors</abbr></th>
          </tr>
        </thead>
        <tbody onKeyDown=${walkRows}>
          ${rows.map(({ route, marker, key }, index) => {
            const serves = marker !== MARKERS.removed;
            const its = serves ? stats.get(statsName(route.path, route.handler)) : undefined;
            return html`<${Keyed} key=${key}>
              <${RouteRow} name=${key} route=${route} marker=${marker} isFirst=${index === 0} stats=${its}
                isOpen=${opened.has(key)} toggle=${() => setOpened(toggled(opened, key))} />
              ${opened.has(key) && html`<tr class="unfolded"><td colspan="8">
                <${RouteDetails} route=${route} stats=${its} serves=${serves} generation=${state.status.generation} />
              </td></tr>`}
            </>`;
          })}
        </tbody>
      </table>
      ${!rows.length && html`<p class="nothing">No route matches <q>${filter}</q>.</p>`}
    </div>
  `;
}

/** The routes with their markers, and after them those that the last reload took away. */
function withRemoved(state) {
  const reload = lastGoodReload(state);
  const markers = new Map();
  // At the start every route is new, which says nothing.
  const diff = reload && reload.cause !== "start" ? reload.diff : null;
  for (const kind of ["shadowed", "changed", "moved", "added"]) {
    for (const route of diff?.[kind] ?? []) markers.set(nameOf(route), MARKERS[kind]);
  }
  return [
    ...state.routes.map((route) => ({ route, marker: markers.get(nameOf(route)), key: nameOf(route) })),
    ...(diff?.removed ?? []).map((route) => ({ route, marker: MARKERS.removed, key: `removed ${nameOf(route)}` })),
  ];
}

function nameOf({ methods, path }) {
  return `${methods.join(",")} ${path}`;
}

function RouteRow({ name, route, marker, stats, isFirst, isOpen, toggle }) {
  const isRemoved = marker === MARKERS.removed;
  return html`
    <tr data-row data-key=${name} data-testid="route-row" class=${isRemoved ? "removed" : ""} tabindex=${isFirst ? 0 : -1} onClick=${onPick(toggle)}>
      <td class="c-methods">
        <button type="button" class="fold" tabindex="-1" aria-expanded=${isOpen}><span class="unseen">Details of </span>${visible(route.methods.join(" "))}</button>
      </td>
      <td class="c-path">
        <span class="struck">${visible(route.path)}</span>
        ${marker && html` <b class=${`marker ${marker.className}`}>${marker.word}</b>`}
        ${route.warnings?.length > 0 && html` <span class="warn" title=${route.warnings.map(visible).join("\n")}>⚠ ${visible(route.warnings[0])}</span>`}
      </td>
      <td class="c-handler"><span class="struck">${visible(route.handler)}</span></td>
      <td class="c-mode dim">${visible(route.mode)}</td>
      <td class="c-source dim" title=${place(route.file, route.line)}><span class="struck"><${Place} file=${route.file} line=${route.line} target=${route.id && { route: route.id }} quiet /></span></td>
      <td class="c-count number">${stats ? html`<a tabindex="-1" href=${requestsOf(route)}>${stats.hits}</a>` : html`<span class="dim">0</span>`}</td>
      <td class="c-total number">${stats ? milliseconds(stats.p95_ms) : html`<span class="dim">–</span>`}</td>
      <td class=${`c-count number ${stats?.errors ? "bad" : "dim"}`}>${stats?.errors ?? 0}</td>
    </tr>
  `;
}

function requestsOf({ path, handler }) {
  return addressOf({ tab: "requests", q: `route:${quoted(path)} handler:${quoted(handler)}` });
}

const FIRST_ROUTE = `from snaxum import route, Request

@route("/python/hello")
def hello(request: Request) -> dict:
    return {"hello": "world"}
`;

function NoRoute({ status }) {
  if (!status.generation && status.state === "failing") {
    return html`
      <div class="empty">
        <h2>No route is served</h2>
        <p>Your code has not loaded yet. <a href="#errors">Its traceback</a> says why; save the mended file and the routes appear here.</p>
      </div>
    `;
  }
  return html`
    <div class="empty">
      <h2>No route yet</h2>
      <p>Save this as <code>python/hello.py</code>. It is served as soon as it is saved.</p>
      <pre>${FIRST_ROUTE}</pre>
    </div>
  `;
}
