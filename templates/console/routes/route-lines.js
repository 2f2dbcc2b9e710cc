// The lines of the list of routes: the routes with the changes of the last reload and their statistics.
//
// A line is the same object until its route, its change or its statistics differ, so that only such rows are drawn.

import { useMemo, useRef } from "../vendor/preact-htm.js";
import { textMatcher } from "../components/filter.js";
import { execution } from "../components/format.js";
import { lastSuccessfulReload } from "../server/store.js";
import { routeKey } from "./find-route.js";
import { StatsOfRoutes, statsKey } from "./route-stats.js";

/** @import { Reload, RouteInfo } from "snaxum-events" */
/** @import { State } from "../server/store.js" */
/** @import { RouteLine } from "./route-columns.js" */

/** @typedef {{ label: string, className: string }} Marker */

/** @satisfies {Record<string, Marker>} */
export const MARKERS = {
  added: { label: "+ new", className: "good" },
  moved: { label: "~ moved", className: "warn" },
  changed: { label: "~ changed", className: "warn" },
  shadowed: { label: "◐ shadowed", className: "warn" },
  removed: { label: "− removed", className: "bad" },
};

/**
 * Returns the lines that match the filter: the same array until one of them differs; and whether there are any
 * lines, and hooks.
 * @param {State} state
 * @param {string} filter
 */
export function useRouteLines({ routes, reloads, requests }, filter) {
  const reload = lastSuccessfulReload({ reloads });
  const all = useMemo(() => withRemoved(routes, reload), [routes, reload]);
  const matching = useMemo(() => all.filter(lineMatcher(filter)), [all, filter]);
  const counted = useRef(new StatsOfRoutes());
  const before = useRef(/** @type {RouteLine[]} */ ([]));
  const stats = counted.current.update(requests);
  const lines = matching.map((line, index) => {
    const known = before.current[index];
    const statsNow = line.marker === MARKERS.removed ? undefined : stats.get(statsKey(line.route.path, line.route.handler));
    return known?.route === line.route && known.marker === line.marker && known.stats === statsNow ? known : { ...line, stats: statsNow };
  });
  if (lines.length !== before.current.length || lines.some((line, index) => line !== before.current[index])) before.current = lines;
  const hasHooks = useMemo(() => all.some(({ route }) => Boolean(route.via?.length)), [all]);
  return { lines: before.current, isEmpty: !all.length, hasHooks };
}

/** @param {string} filter */
function lineMatcher(filter) {
  const matches = textMatcher(filter);
  return (/** @type {RouteLine} */ { route, marker }) =>
    matches(route.methods.join(" "), route.path, route.handler, execution(route), route.file, marker?.label ?? "", ...(route.via ?? []));
}

/**
 * Returns the routes with their markers, followed by the routes that the last reload removed.
 * @param {RouteInfo[]} routes
 * @param {Reload | undefined} reload
 * @returns {RouteLine[]}
 */
function withRemoved(routes, reload) {
  /** @type {Map<string, Marker>} */
  const markers = new Map();
  // At startup every route is new, so markers would carry no information.
  const diff = reload && reload.cause !== "start" ? reload.diff : null;
  for (const kind of /** @type {const} */ (["shadowed", "changed", "moved", "added"])) {
    for (const route of diff?.[kind] ?? []) markers.set(routeKey(route), MARKERS[kind]);
  }
  return [
    ...routes.map((route) => ({ route, marker: markers.get(routeKey(route)), key: routeKey(route) })),
    ...(diff?.removed ?? []).map((removed) => ({ route: /** @type {RouteInfo} */ (removed), marker: MARKERS.removed, key: `removed ${routeKey(removed)}` })),
  ];
}
