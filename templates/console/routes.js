// The Routes tab: every route, with what the last reload added, moved or removed.
//
// Draws the table the server sent, in its order. Never matches a path to a route: the server does.

import { html, useState } from "./vendor/preact-htm.js";
import { matcher } from "./filter.js";
import { place, visible } from "./format.js";
import { onPick, toggled, walkRows } from "./rows.js";
import { appAddress } from "./server.js";
import { lastGoodReload } from "./store.js";

export const MARKERS = {
  added: { word: "+ new", className: "good" },
  moved: { word: "~ moved", className: "warn" },
  changed: { word: "~ changed", className: "warn" },
  shadowed: { word: "◐ shadowed", className: "warn" },
  removed: { word: "− removed", className: "bad" },
};

export function Routes({ state, filter }) {
  const [opened, setOpened] = useState(new Set());
  const matches = matcher(filter);
  const all = withRemoved(state);
  const rows = all.filter(({ route, marker }) =>
    matches(route.methods.join(" "), route.path, route.handler, route.mode ?? "", route.file, marker?.word ?? ""),
  );

  if (!all.length) return html`<${NoRoute} status=${state.status} />`;
  return html`
    <div class="list">
      <table class="rows route-rows">
        <caption class="unseen">Routes of the code that serves now</caption>
        <thead>
          <tr>
            <th scope="col" class="c-methods">Method</th>
            <th scope="col" class="c-path">Path</th>
            <th scope="col" class="c-handler">Handler</th>
            <th scope="col" class="c-mode">Mode</th>
            <th scope="col" class="c-source">Source</th>
          </tr>
        </thead>
        <tbody onKeyDown=${walkRows}>
          ${rows.map(({ route, marker, key }, index) => html`
            <${RouteRow} key=${key} route=${route} marker=${marker} isFirst=${index === 0}
              isOpen=${opened.has(key)} toggle=${() => setOpened(toggled(opened, key))} />
            ${opened.has(key) && html`<tr class="unfolded" key=${`${key} details`}><td colspan="5"><${RouteDetails} route=${route} /></td></tr>`}
          `)}
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

function RouteRow({ route, marker, isFirst, isOpen, toggle }) {
  const isRemoved = marker === MARKERS.removed;
  return html`
    <tr data-row data-testid="route-row" class=${isRemoved ? "removed" : ""} tabindex=${isFirst ? 0 : -1} onClick=${onPick(toggle)}>
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
      <td class="c-source dim" title=${place(route.file, route.line)}><span class="struck">${place(route.file, route.line)}</span></td>
    </tr>
  `;
}

function RouteDetails({ route }) {
  const canOpen = route.methods.includes("GET") && route.params?.length === 0;
  const address = canOpen ? appAddress(route.path) : null;
  return html`
    <div class="unfolded-content">
      ${route.doc ? html`<p class="doc">${visible(route.doc)}</p>` : html`<p class="dim">The handler has no docstring.</p>`}
      ${(route.warnings ?? []).map((warning) => html`<p class="warn">⚠ ${visible(warning)}</p>`)}
      ${route.params?.length > 0 && html`
        <p>Takes ${route.params.map(({ name, type }, index) => html`${index > 0 && ", "}<code>${visible(name)}</code> <span class="dim">(${visible(type)})</span>`)}</p>
      `}
      <p><code>${visible(route.handler)}</code> <span class="dim">in</span> <code>${place(route.file, route.line)}</code>${route.mode && html` <span class="dim">· ${visible(route.mode)}</span>`}</p>
      ${address && html`<p><a href=${address} target="_blank" rel="noopener noreferrer">Open ${visible(address)}</a></p>`}
    </div>
  `;
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
