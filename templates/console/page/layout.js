// The page around the tabs: the header, the newest save, the list of tabs and the filter.
//
// Owns which tab is shown, the filter of each tab, and the URL hash that stores both. Never draws the
// content of a tab.

/** @import { ServerStatus } from "snaxum-events" */
/** @import { Order, View } from "../types.js" */
/** @import { State } from "../server/store.js" */
/** @import { Measured } from "../server/traffic.js" */

import { html, useEffect, useErrorBoundary, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { page } from "../server/api.js";
import { openInEditor, reload } from "../server/commands.js";
import { Sparkline } from "../components/charts.js";
import { CurrentLoad } from "../components/current-load.js";
import { errorOfReload, openErrors } from "../errors/failures.js";
import { FilterBox } from "../components/filter.js";
import { duration, milliseconds, rate, version, visible } from "../components/format.js";
import { setIcon } from "./icon.js";
import { lazy } from "./lazy.js";
import { LiveRegion, useAnnouncement } from "./live-region.js";
import { useNotifications } from "./notifications.js";
import { Now } from "../now/now.js";
import { SaveBar } from "../now/save-bar.js";
import { handlerEntry } from "../routes/handler-entry.js";
import { Notice } from "./actions.js";
import { Palette } from "./palette.js";
import { ReloadControls } from "../reloads/reload-controls.js";
import { ShortcutsDialog, useShortcuts } from "./shortcuts.js";
import { Editor } from "../components/source-link.js";
import { currentFailure } from "../server/store.js";
import { ThemeButton } from "./theme.js";
import { failingFrame } from "../errors/traceback.js";
import { formatHash, parseHash } from "./url-hash.js";

const HASH_DELAY_MS = 200;
// The newest requests in the command palette; the filter of the list finds older ones.
const MAX_IN_PALETTE = 200;

/** @type {Order} */
const NO_ORDER = { sort: null, view: null };

/** @type {Record<string, [string, string]>} */
const CONNECTIONS = { connected: ["●", "good"], "signed out": ["✖", "bad"] };

// The number of a tab's key is its position.
/**
 * @typedef {{ name: string, title: string, content: (view: View) => unknown, count?: (state: State) => number }} Tab
 * @typedef {{ tab: Tab, filters: Record<string, string>, orders: Record<string, Order>, open: string | null, run: string | null, partInUrl: string | null, lastChosen: string | null }} Shown
 * @typedef {{ status: string, detail: string }} Connection
 */

/** @type {Tab[]} */
const TABS = [
  { name: "now", title: "Now", content: Now },
  { name: "requests", title: "Requests", content: lazy(() => import("../requests/requests.js"), "Requests"), count: (state) => state.requests.length },
  { name: "routes", title: "Routes", content: lazy(() => import("../routes/routes.js"), "Routes"), count: (state) => state.routes.length },
  { name: "errors", title: "Errors", content: lazy(() => import("../errors/errors.js"), "Errors"), count: (state) => openErrors(state.errors).length },
  { name: "reloads", title: "Reloads", content: lazy(() => import("../reloads/reloads.js"), "Reloads"), count: (state) => state.reloads.length },
  { name: "workers", title: "Workers", content: lazy(() => import("../workers/workers.js"), "Workers") },
  { name: "logs", title: "Logs", content: lazy(() => import("../logs/logs.js"), "Logs") },
];

/** @param {{ state: State, connection: Connection, traffic: Measured }} props */
export function Layout({ state, connection, traffic }) {
  const { tab, filters, orders, open, run, part, goTo, setFilter, setOrder, setOpen } = useUrlHash(state.runId);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  useShortcuts({ goTo: (index) => TABS[index] && goTo(TABS[index]), toggleHelp: () => setHelpOpen(!isHelpOpen), openPalette: () => setPaletteOpen(true) });

  const filter = filters[tab.name] ?? "";
  const Content = tab.content;
  const health = describeHealth(state.status);
  useAnnouncement("health", health.text + (state.status?.paused ? ", reloading is paused" : ""));
  useAnnouncement("failure", failureText(state));
  useEffect(() => {
    document.title = `${health.glyph} ${health.short} · Snaxum console`;
    setIcon(health.className);
  }, [health.glyph, health.short, health.className]);
  useNotifications(state.reloads[0], state.runId);

  function showFailure(/** @type {import("snaxum-events").Reload} */ reload) {
    const error = errorOfReload(state.errors, reload);
    location.hash = formatHash({ tab: "errors", q: filters.errors, open: error && String(error.id) });
  }

  const { editor: urlTemplate = null, opens_editor: serverOpens = false } = state.status ?? {};
  const editor = useMemo(() => ({ urlTemplate, open: serverOpens ? openInEditor : null }), [urlTemplate, serverOpens]);
  return html`<${Editor.Provider} value=${editor}>
    <header class="top">
      <h1>snaxum</h1>
      <p class=${`state ${health.className}`} data-testid="state"><span aria-hidden="true">${health.glyph}</span> ${health.text}</p>
      ${state.status?.paused && html`<p class="warn" data-testid="paused">‖ reloading is paused</p>`}
      ${state.reloading && html`<p class="dim">↻ reloading</p>`}
      <${TrafficSummary} metrics=${state.metrics} traffic=${traffic} />
      <${ConnectionState} connection=${connection} />
      <span class="tools">
        <${ReloadControls} status=${state.status} />
        <${ThemeButton} />
        <button type="button" class="quiet" onClick=${() => setPaletteOpen(true)} title="Find a command, a route or a request (Ctrl+K)"><span aria-hidden="true">⌘</span> <span class="tool-label">Commands</span></button>
        <button type="button" class="quiet" onClick=${() => setHelpOpen(true)} title="Keyboard shortcuts (?)"><span aria-hidden="true">?</span> <span class="tool-label">Keys</span><span class="visually-hidden">: keyboard shortcuts</span></button>
      </span>
    </header>
    <${SaveBar} state=${state} show=${showFailure} isOnNow=${tab.name === "now"} />
    <div class="tab-bar">
      <nav aria-label="Tabs">
        ${TABS.map((each, index) => html`
          <a key=${each.name} href=${hashOf({ tab: each, filters, orders, open: null, run: null, partInUrl: null })} data-testid=${`tab-${each.name}`} aria-current=${each === tab ? "page" : null}>
            <kbd aria-hidden="true">${index + 1}</kbd>${each.title}${each.count && html` <span class="count">${each.count(state)}</span>`}
          </a>
        `)}
      </nav>
      <div class="search" role="search">
        <${FilterBox} tab=${tab.name} filter=${filter} onFilter=${setFilter} />
      </div>
    </div>
    <${LiveRegion} />
    <main>
      <h2 class="visually-hidden">${tab.title}</h2>
      ${state.status
        ? html`<${ErrorBoundary} key=${tab.name}><${Content} state=${state} traffic=${traffic} filter=${filter} onFilter=${setFilter} open=${open} run=${run} part=${part} onOpen=${setOpen} order=${orders[tab.name] ?? NO_ORDER} onOrder=${setOrder} /></>`
        : html`<${Waiting} connection=${connection} />`}
    </main>
    <${Notice} />
    <${Palette} isOpen=${isPaletteOpen} close=${() => setPaletteOpen(false)} entries=${() => paletteEntries({ state, goTo, showHelp: () => setHelpOpen(true) })} typed=${handlerEntry} />
    <${ShortcutsDialog} isOpen=${isHelpOpen} close=${() => setHelpOpen(false)} about=${aboutServer(state)} />
  </>`;
}

/**
 * Returns the entries of the palette beside the actions of the tab that is shown.
 * @param {{ state: State, goTo: (tab: Tab) => void, showHelp: () => void }} page
 * @returns {import("./actions.js").Action[]}
 */
function paletteEntries({ state, goTo, showHelp }) {
  const link = (/** @type {Parameters<typeof formatHash>[0]} */ view) => () => void (location.hash = formatHash(view));
  return [
    ...TABS.map((tab, index) => ({ title: `Go to ${tab.title}`, key: String(index + 1), run: () => goTo(tab) })),
    { title: "Reload now", run: () => reload() },
    { title: "Keyboard shortcuts", key: "?", run: showHelp },
    ...state.routes.map(({ methods, path, handler }) => ({ title: `Route ${methods.join(" ")} ${path} ${handler}`, run: link({ tab: "routes", q: `${methods.join(" ")} ${path}` }) })),
    ...state.requests.slice(0, MAX_IN_PALETTE).map(({ id, method, path, status }) => ({ title: `Request #${id} ${method} ${path} ${status}`, run: link({ tab: "requests", open: id }) })),
  ];
}

/**
 * The view that the URL hash stores: the tab, its filter and order, the open row, its run and its `part`. Each tab
 * remembers its filter and its order while another tab is shown. The next row that is opened shows the part that the
 * user chose last.
 * @param {string | null} runId
 */
function useUrlHash(runId) {
  const [view, setView] = useState(() => viewFromUrl({ filters: {}, orders: {}, lastChosen: null }));
  const timer = useRef(/** @type {number | undefined} */ (undefined));
  useEffect(() => {
    const onHash = () => {
      clearTimeout(timer.current);
      setView(viewFromUrl);
    };
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, []);

  // A link within the page has no run: it means the current one.
  useEffect(() => {
    if (runId && view.open !== null && !view.run) change((view) => ({ ...view, run: runId }));
  }, [runId, view.open, view.run]);

  function change(/** @type {(view: Shown) => Shown} */ update) {
    setView(update);
    // Typing must not add a history entry per letter, and browsers limit how often the URL may change.
    clearTimeout(timer.current);
    const { hash } = location;
    timer.current = setTimeout(() => {
      setView((view) => {
        // After a click on a link the URL is new, and its event may be still to come.
        if (location.hash === hash) history.replaceState(null, "", hashOf(view));
        return view;
      });
    }, HASH_DELAY_MS);
  }
  return {
    ...view,
    goTo: (/** @type {{ name: string }} */ tab) => void (location.hash = hashOf({ ...view, tab, open: null, run: null, partInUrl: null })),
    setFilter: (/** @type {string} */ text) => change((view) => ({ ...view, filters: { ...view.filters, [view.tab.name]: text } })),
    setOrder: (/** @type {Partial<Order>} */ changed) => change((view) => ({ ...view, orders: { ...view.orders, [view.tab.name]: { ...(view.orders[view.tab.name] ?? NO_ORDER), ...changed } } })),
    setOpen: (/** @type {string | null} */ id) => change((view) => ({ ...view, open: id, run: id === null ? null : runId, partInUrl: id === view.open ? view.partInUrl : null })),
    part: {
      inUrl: view.partInUrl,
      lastChosen: view.lastChosen,
      choose: (/** @type {string} */ name) => change((view) => ({ ...view, partInUrl: name, lastChosen: name })),
    },
  };
}

/** @param {Omit<Shown, "tab" | "lastChosen"> & { tab: { name: string } }} shown */
function hashOf({ tab, filters, orders, open, run, partInUrl }) {
  return formatHash({ tab: tab.name, q: filters[tab.name], ...orders[tab.name], open, run, part: partInUrl });
}

/**
 * A link that names no order leaves that of the list as it is.
 * @param {Pick<Shown, "filters" | "orders" | "lastChosen">} before
 * @returns {Shown}
 */
function viewFromUrl({ filters, orders, lastChosen }) {
  const { tab: name, q, open, run, part, sort, view } = parseHash(location.hash);
  const tab = TABS.find((each) => each.name === name) ?? TABS[0];
  const isOrdered = sort !== null || view !== null;
  return { tab, filters: { ...filters, [tab.name]: q }, orders: isOrdered ? { ...orders, [tab.name]: { sort, view } } : orders, open, run, partInUrl: part, lastChosen: part ?? lastChosen };
}

/** @param {ServerStatus | null} status */
function describeHealth(status) {
  if (!status) return { glyph: "○", short: "waiting", text: "waiting for the server", className: "dim" };
  const { generation } = status;
  if (!generation) return { glyph: "✖", short: "not live", text: "nothing is live: no code has loaded", className: "bad" };
  if (status.state === "ok") return { glyph: "●", short: `${version(generation)} live`, text: `${version(generation)} live`, className: "good" };
  return { glyph: "▲", short: "save not live", text: `${version(generation)} live, the newest save is not`, className: "warn" };
}

/** @param {{ metrics: State["metrics"], traffic: Measured }} props */
function TrafficSummary({ metrics, traffic }) {
  const { seconds } = traffic;
  return html`
    <ul class="traffic dim" aria-label="Traffic of the last minute">
      <li>${rate(traffic)} <${Sparkline} values=${seconds.map(({ count }) => count)} label="requests per second in the last minute" /></li>
      ${traffic.count > 0 && html`<li class="percentiles" title="50 %, 95 % and 99 % of the requests took at most this long">p50 ${milliseconds(traffic.p50_ms)} · p95 ${milliseconds(traffic.p95_ms)} · p99 ${milliseconds(traffic.p99_ms)}
        ${" "}<${Sparkline} values=${seconds.map(({ p95_ms }) => p95_ms)} format=${milliseconds} label="95th percentile of each second in the last minute" /></li>`}
      <${CurrentLoad} metrics=${metrics} />
    </ul>
  `;
}

/** @param {{ connection: Connection }} props */
function ConnectionState({ connection: { status, detail } }) {
  const [glyph, className] = CONNECTIONS[status] ?? ["◌", "warn"];
  useAnnouncement("connection", `connection ${status}${detail && `: ${visible(detail)}`}`);
  return html`
    <p class=${`connection ${className}`} data-testid="connection">
      <span aria-hidden="true">${glyph}</span> <span class="status">${status}</span>${detail && html`<span class="dim">: ${visible(detail)}</span>`}
    </p>
  `;
}

/** @param {State} state */
function failureText(state) {
  const traceback = currentFailure(state)?.traceback;
  const frame = failingFrame(traceback);
  if (!traceback) return "";
  return `${visible(traceback.type)}${frame ? ` in ${visible(frame.file)}, line ${frame.line}` : ""}`;
}

/** @param {{ connection: Connection }} props */
function Waiting({ connection: { status, detail } }) {
  return html`
    <div class="empty">
      <h2>${status === "signed out" ? "Signed out" : "Waiting for the server"}</h2>
      <p>${detail ? `${visible(detail)}.` : "This page connects automatically when the server responds."}</p>
    </div>
  `;
}

// An exception in one tab must not break the others.
/** @param {{ children?: unknown }} props */
function ErrorBoundary({ children }) {
  const [error, retry] = useErrorBoundary();
  if (!error) return children;
  return html`
    <div class="empty" role="alert">
      <h2>This tab could not be displayed</h2>
      <p>${visible(error.message)}</p>
      <button type="button" onClick=${retry}>Try again</button>
    </div>
  `;
}

/** @param {State} state */
function aboutServer({ status, python }) {
  const facts = [`Snaxum ${page.dataset.version}`];
  if (status?.python ?? python) facts.push(`Python ${visible(status?.python ?? python)}`);
  if (status) facts.push(`process ${status.pid}`, `up ${duration(status.uptime_s)}`);
  return facts.join(" · ");
}
