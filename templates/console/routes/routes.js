// The Routes tab: all routes, and which of them the last reload added, moved, changed or removed.
//
// Shows the routes in the server's order. Never matches a path to a route: the server does. An open
// route is in route-details.js.

import { html, useContext, useEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { ColumnHeads, ColumnMenu, useColumns } from "../components/columns.js";
import { textMatcher } from "../components/filter.js";
import { execution, pluralize, visible } from "../components/format.js";
import { Editor, openSource } from "../components/source-link.js";
import { KeyedRows, navigateRows, onRowClick, toggled } from "../components/table-nav.js";
import { useActions } from "../page/actions.js";
import { lastSuccessfulReload } from "../server/store.js";
import { ModuleGraph } from "./module-graph.js";
import { routeColumns } from "./route-columns.js";
import { RouteDetails } from "./route-details.js";
import { RouteLookup } from "./route-lookup.js";
import { collectStats, statsKey } from "./route-stats.js";

/** @import { Reload, RouteInfo, ServerStatus } from "snaxum-events" */
/** @import { Column } from "../components/columns.js" */
/** @import { State } from "../server/store.js" */
/** @import { View } from "../types.js" */
/** @import { LineContext, RouteLine } from "./route-columns.js" */
/** @import { RouteStats } from "./route-stats.js" */

/** @satisfies {Record<string, { label: string, className: string }>} */
export const MARKERS = {
  added: { label: "+ new", className: "good" },
  moved: { label: "~ moved", className: "warn" },
  changed: { label: "~ changed", className: "warn" },
  shadowed: { label: "◐ shadowed", className: "warn" },
  removed: { label: "− removed", className: "bad" },
};

/** @param {View} props */
export function Routes({ state, filter, onFilter }) {
  const [opened, setOpened] = useState(/** @type {Set<string>} */ (new Set()));
  const [isGrouped, setGrouped] = useState(true);
  const stats = useMemo(() => collectStats(state.requests), [state.requests]);
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const [keyToFocus, setKeyToFocus] = useState(/** @type {string | null} */ (null));
  useEffect(() => {
    if (!keyToFocus) return;
    /** @type {HTMLElement | null | undefined} */ (list.current?.querySelector(`[data-key="${CSS.escape(keyToFocus)}"]`))?.focus();
    setKeyToFocus(null);
  }, [keyToFocus]);
  const matches = textMatcher(filter);
  const all = withRemoved(state, stats);
  const columns = useColumns("routes", routeColumns(all.some(({ route }) => Boolean(route.via?.length))));
  const rows = all.filter(({ route, marker }) =>
    matches(
      route.methods.join(" "), route.path, route.handler, execution(route), route.file, marker?.label ?? "", ...(route.via ?? []),
    ),
  );
  const editor = useContext(Editor);
  useActions([{ title: "Open the code of the route in the editor", key: "e", run: () => openSource(editor, placeOfFocus(rows)) }]);

  /** @param {{ methods: string[], path: string }} route */
  function show(route) {
    const key = routeKey(route);
    if (!rows.some((row) => row.key === key)) onFilter("");
    setOpened(new Set([...opened, key]));
    setKeyToFocus(key);
  }

  if (!all.length) return html`<${NoRoutes} status=${state.status} />`;
  const modules = Map.groupBy(rows, ({ route }) => route.module ?? route.handler.split(".").slice(0, -1).join("."));
  /** @type {[string, RouteLine[]][]} */
  const groups = isGrouped ? [...modules] : [["", rows]];
  const save = state.reloads.find(({ cause, outcome }) => cause !== "start" && outcome !== "noop");
  const generation = state.status?.generation ?? 0;
  const first = columns.sorted(groups[0]?.[1] ?? [], { isOpen: false })[0]?.key;
  return html`
    <div class="list" ref=${list}>
      <div class="toolbar">
        <${RouteLookup} open=${show} />
        <button type="button" aria-pressed=${isGrouped} onClick=${() => setGrouped(!isGrouped)}>By module</button>
        <${ColumnMenu} columns=${columns} />
      </div>
      <${Modules} save=${save} generation=${generation} />
      <table class="rows route-rows" ref=${columns.ref}>
        <caption class="visually-hidden">Routes of the code that is live</caption>
        <thead><tr><${ColumnHeads} columns=${columns} /></tr></thead>
        <tbody onKeyDown=${navigateRows}>
          ${groups.map(([module, group]) => html`<${KeyedRows} key=${`module ${module}`}>
            ${isGrouped && modules.size > 1 && html`<${GroupHead} module=${module} group=${group} save=${save} span=${columns.shown.length} />`}
            ${columns.sorted(group, { isOpen: false }).map((line) => html`<${KeyedRows} key=${line.key}>
              <${RouteRow} line=${line} isFirst=${line.key === first} columns=${columns.shown}
                isOpen=${opened.has(line.key)} toggle=${() => setOpened(toggled(opened, line.key))} />
              ${opened.has(line.key) && html`<tr class="expanded-row"><td colspan=${columns.shown.length}>
                <${RouteDetails} route=${line.route} stats=${line.stats} isServed=${line.marker !== MARKERS.removed} generation=${generation} runId=${state.runId} />
              </td></tr>`}
            </>`)}
          </>`)}
        </tbody>
      </table>
      ${!rows.length && html`<p class="no-results">No route matches <q>${filter}</q>.</p>`}
    </div>
  `;
}

/**
 * The picture of the modules, drawn when it is unfolded.
 * @param {{ save?: Reload, generation: number }} props
 */
function Modules({ save, generation }) {
  const [isOpen, setOpen] = useState(false);
  const count = save?.modules?.length ?? 0;
  return html`
    <details class="modules-picture" data-testid="modules" onToggle=${(/** @type {{ target: HTMLDetailsElement }} */ { target }) => setOpen(target.open)}>
      <summary>Modules${count > 0 && html` <span class="dim">· the last save ran ${count}</span>`}</summary>
      ${isOpen && html`<${ModuleGraph} reload=${save} generation=${generation} />`}
    </details>
  `;
}

/** @param {{ module: string, group: RouteLine[], save?: Reload, span: number }} props */
function GroupHead({ module, group, save, span }) {
  const hasRun = save?.modules?.some(({ name }) => name === module);
  return html`
    <tr class="group" data-testid="route-group">
      <th scope="colgroup" colspan=${span}>${visible(module)} <span class="dim">${visible(group[0].route.file)} · ${pluralize(group.length, "route")}${hasRun && " · ran with the last save"}</span></th>
    </tr>
  `;
}

/**
 * Returns the source of the route that has the focus, or is open around it.
 * @param {RouteLine[]} rows
 */
function placeOfFocus(rows) {
  const focused = document.activeElement;
  const row = focused?.closest("[data-key]") ?? focused?.closest(".expanded-row")?.previousElementSibling;
  const route = rows.find(({ key }) => key === row?.getAttribute("data-key"))?.route;
  if (!route) throw new Error("Move to a route with j or k");
  return { file: route.file, line: route.line, target: { route: route.id } };
}

/**
 * Returns the routes with their markers, followed by the routes that the last reload removed.
 * @param {State} state
 * @param {Map<string, RouteStats>} stats
 * @returns {RouteLine[]}
 */
function withRemoved(state, stats) {
  const reload = lastSuccessfulReload(state);
  /** @type {Map<string, { label: string, className: string }>} */
  const markers = new Map();
  // At startup every route is new, so markers would carry no information.
  const diff = reload && reload.cause !== "start" ? reload.diff : null;
  for (const kind of /** @type {const} */ (["shadowed", "changed", "moved", "added"])) {
    for (const route of diff?.[kind] ?? []) markers.set(routeKey(route), MARKERS[kind]);
  }
  return [
    ...state.routes.map((route) => ({ route, marker: markers.get(routeKey(route)), key: routeKey(route), stats: stats.get(statsKey(route.path, route.handler)) })),
    ...(diff?.removed ?? []).map((removed) => ({ route: /** @type {RouteInfo} */ (removed), marker: MARKERS.removed, key: `removed ${routeKey(removed)}` })),
  ];
}

/** @param {{ methods: string[], path: string }} route */
function routeKey({ methods, path }) {
  return `${methods.join(",")} ${path}`;
}

/** @param {{ line: RouteLine, isFirst: boolean, isOpen: boolean, columns: Column<RouteLine, LineContext>[], toggle: () => void }} props */
function RouteRow({ line, isFirst, isOpen, columns, toggle }) {
  const isRemoved = line.marker === MARKERS.removed;
  return html`
    <tr data-row data-key=${line.key} data-testid="route-row" class=${isRemoved ? "removed" : ""} tabindex=${isFirst ? 0 : -1} onClick=${onRowClick(toggle)}>
      ${columns.map(({ name, isNumber, cell, cellClass }) => html`<td key=${name} class=${`c-${name}${isNumber ? " number" : ""} ${cellClass?.(line) ?? ""}`}>${cell(line, { isOpen })}</td>`)}
    </tr>
  `;
}

const FIRST_ROUTE = `from snaxum import route, Request

@route("/python/hello")
def hello(request: Request) -> dict:
    return {"hello": "world"}
`;

/** @param {{ status: ServerStatus | null }} props */
function NoRoutes({ status }) {
  if (status?.state === "failing" && !status.generation) {
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
