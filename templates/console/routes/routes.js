// The Routes tab: the routes by module, and which of them the last reload added, moved, changed or removed.
//
// Shows the routes in the server's order. Never matches a path to a route: the server does. The lines are in
// route-lines.js, an open route in route-details.js.

import { Component, html, useContext, useMemo, useState } from "../vendor/preact-htm.js";
import { ColumnHeads, ColumnMenu, useColumns } from "../components/columns.js";
import { pluralize, visible } from "../components/format.js";
import { ListEnd } from "../components/list-end.js";
import { Editor, openSource } from "../components/source-link.js";
import { focusRow, KeyedRows, navigateRows, onRowClick, useLinkedRow } from "../components/table-nav.js";
import { useActions } from "../page/actions.js";
import { routeKey } from "./find-route.js";
import { ModuleGraph } from "./module-graph.js";
import { routeColumns } from "./route-columns.js";
import { RouteDetails } from "./route-details.js";
import { RouteLookup } from "./route-lookup.js";
import { MARKERS, useRouteLines } from "./route-lines.js";

/** @import { Reload, ServerStatus } from "snaxum-events" */
/** @import { Column } from "../components/columns.js" */
/** @import { View } from "../types.js" */
/** @import { LineContext, RouteLine } from "./route-columns.js" */

// Rows drawn at first, and added each time the end of the list is visible.
const PAGE_SIZE = 100;

/** @type {LineContext} */
const CLOSED = { isOpen: false };

/** @param {View} props */
export function Routes({ state, filter, onFilter, open, onOpen, order, onOrder }) {
  const [opened, setOpened] = useState(/** @type {Set<string>} */ (new Set()));
  const [isGrouped, setGrouped] = useState(true);
  const [drawn, setDrawn] = useState(PAGE_SIZE);
  const { lines, isEmpty, hasHooks } = useRouteLines(state, filter);
  const columns = useColumns("routes", routeColumns(hasHooks), { order, onOrder });
  const list = useLinkedRow(open);
  const editor = useContext(Editor);
  useActions([{ title: "Open the code of the route in the editor", key: "e", run: () => openSource(editor, placeOfFocus(lines)) }]);
  const groups = useMemo(() => {
    /** @type {[string, RouteLine[]][]} */
    const all = isGrouped ? [...Map.groupBy(lines, moduleOf)] : [["", lines]];
    return all.map(([module, group]) => /** @type {[string, RouteLine[]]} */ ([module, columns.sorted(group, () => CLOSED)]));
  }, [lines, isGrouped, columns.all, columns.sort]);
  const isOpen = (/** @type {string} */ key) => opened.has(key) || key === open;

  /** @param {string} key */
  function toggle(key) {
    const isClosing = isOpen(key);
    // The URL has the row that was opened last; the others stay open.
    if (open !== null && key !== open) opened.add(open);
    if (isClosing) opened.delete(key);
    setOpened(new Set(opened));
    if (!isClosing) onOpen(key);
    else if (key === open) onOpen(null);
  }

  /** @param {{ methods: string[], path: string }} route */
  function show(route) {
    const key = routeKey(route);
    if (!lines.some((line) => line.key === key)) onFilter("");
    if (key === open) return focusRow(list.current, key);
    if (open !== null) setOpened(new Set([...opened, open]));
    return onOpen(key);
  }

  if (isEmpty) return html`<${NoRoutes} status=${state.status} />`;
  const save = state.reloads.find(({ cause, outcome }) => cause !== "start" && outcome !== "noop");
  const generation = state.status?.generation ?? 0;
  const ordered = groups.flatMap(([, group]) => group);
  const first = ordered[0]?.key;
  const end = Math.max(drawn, open === null ? 0 : ordered.findIndex(({ key }) => key === open) + 1);
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
          ${firstOf(groups, end).map(([module, group, all]) => html`<${KeyedRows} key=${`module ${module}`}>
            ${isGrouped && groups.length > 1 && html`<${GroupHead} module=${module} group=${all} save=${save} span=${columns.shown.length} />`}
            ${group.map((line) => html`<${KeyedRows} key=${line.key}>
              <${RouteRow} line=${line} isFirst=${line.key === first} columns=${columns.shown} isOpen=${isOpen(line.key)} toggle=${toggle} />
              ${isOpen(line.key) && html`<tr class="expanded-row"><td colspan=${columns.shown.length}>
                <${RouteDetails} route=${line.route} stats=${line.stats} isServed=${line.marker !== MARKERS.removed} generation=${generation} runId=${state.runId} />
              </td></tr>`}
            </>`)}
          </>`)}
        </tbody>
      </table>
      ${ordered.length > end && html`<${ListEnd} key=${end} reached=${() => setDrawn(end + PAGE_SIZE)} />`}
      ${!lines.length && html`<p class="no-results">No route matches <q>${filter}</q>.</p>`}
    </div>
  `;
}

/** @param {RouteLine} line */
function moduleOf({ route }) {
  return route.module ?? route.handler.split(".").slice(0, -1).join(".");
}

/**
 * Returns the groups with their first lines, `count` in all, and all of their lines.
 * @param {[string, RouteLine[]][]} groups
 * @param {number} count
 */
function firstOf(groups, count) {
  /** @type {[string, RouteLine[], RouteLine[]][]} */
  const shown = [];
  let left = count;
  for (const [module, lines] of groups) {
    if (left <= 0) break;
    shown.push([module, lines.slice(0, left), lines]);
    left -= lines.length;
  }
  return shown;
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

/** @typedef {{ line: RouteLine, isFirst: boolean, isOpen: boolean, columns: Column<RouteLine, LineContext>[], toggle: (key: string) => void }} RouteRowProps */

// Most requests change one row.
/** @extends {Component<RouteRowProps>} */
class RouteRow extends Component {
  /** @param {RouteRowProps} next */
  shouldComponentUpdate(next) {
    return /** @type {const} */ (["line", "isFirst", "isOpen", "columns"]).some((name) => next[name] !== this.props[name]);
  }

  /** @param {RouteRowProps} props */
  render({ line, isFirst, isOpen, columns }) {
    const isRemoved = line.marker === MARKERS.removed;
    return html`
      <tr data-row data-key=${line.key} data-testid="route-row" class=${isRemoved ? "removed" : ""} tabindex=${isFirst ? 0 : -1} onClick=${onRowClick(() => this.props.toggle(line.key))}>
        ${columns.map(({ name, isNumber, cell, cellClass }) => html`<td key=${name} class=${`c-${name}${isNumber ? " number" : ""} ${cellClass?.(line) ?? ""}`}>${cell(line, { isOpen })}</td>`)}
      </tr>
    `;
  }
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
