// What is on every page: the state, the connection, the tabs and the banner.
//
// Owns which tab is shown, the filter of each and the address that names them. Never draws what is
// inside a tab.

import { html, useEffect, useErrorBoundary, useMemo, useRef, useState } from "./vendor/preact-htm.js";
import { addressOf, readAddress } from "./address.js";
import { ByHand } from "./by-hand.js";
import { Sparkline } from "./charts.js";
import { Editor, Place } from "./editor.js";
import { Errors } from "./errors.js";
import { failures, reloadKey } from "./failures.js";
import { FilterBox } from "./filter.js";
import { duration, milliseconds, rate, visible } from "./format.js";
import { KeysDialog, useKeys } from "./keys.js";
import { Now } from "./now.js";
import { Reloads } from "./reloads.js";
import { Requests } from "./requests.js";
import { Routes } from "./routes.js";
import { page } from "./server.js";
import { Spoken, useSaid } from "./spoken.js";
import { standingFailure } from "./store.js";
import { ThemeButton } from "./theme.js";
import { failingFrame, numbered } from "./traceback.js";
import { Workers } from "./workers.js";

const WRITE_AFTER_MS = 200;

// A tab is a row here; its place is its key.
const TABS = [
  { name: "requests", title: "Requests", content: Requests, count: (state) => state.requests.length },
  { name: "routes", title: "Routes", content: Routes, count: (state) => state.routes.length },
  { name: "errors", title: "Errors", content: Errors, count: (state) => failures(state).length },
  { name: "reloads", title: "Reloads", content: Reloads, count: (state) => state.reloads.length },
  { name: "workers", title: "Workers", content: Workers },
];

export function Frame({ state, connection, traffic }) {
  const { tab, filters, open, run, part, goTo, setFilter, setOpen } = useAddress(state.runId);
  const [picked, pick] = useState(null);
  const [helps, setHelps] = useState(false);
  useKeys({ goTo: (index) => TABS[index] && goTo(TABS[index]), toggleHelp: () => setHelps(!helps) });
  useEffect(() => pick(null), [state.runId]);

  const filter = filters[tab.name] ?? "";
  const Content = tab.content;
  const health = healthOf(state.status);
  useSaid("health", health.words + (state.status?.paused ? ", reloading is paused" : ""));
  useSaid("failure", failureWords(state));
  useEffect(() => {
    document.title = `${health.glyph} ${health.short} · Snaxum console`;
  }, [health.glyph, health.short]);

  function showFailure(reload) {
    pick(failures(state).find(({ key }) => key === reloadKey(reload)) ?? null);
    goTo(TABS.find(({ name }) => name === "errors"));
  }

  const { editor = null, opens_editor: opens = false } = state.status ?? {};
  const places = useMemo(() => ({ address: editor, opens }), [editor, opens]);
  return html`<${Editor.Provider} value=${places}>
    <header class="top">
      <h1>snaxum</h1>
      <p class=${`state ${health.className}`} data-testid="state"><span aria-hidden="true">${health.glyph}</span> ${health.words}</p>
      ${state.status?.paused && html`<p class="warn" data-testid="paused">‖ reloading is paused</p>`}
      ${state.reloading && html`<p class="dim">↻ reloading</p>`}
      <${Numbers} metrics=${state.metrics} traffic=${traffic} />
      <span class="space"></span>
      <${ConnectionState} connection=${connection} />
      <span class="tools">
        <${ByHand} status=${state.status} />
        <${ThemeButton} />
        <button type="button" class="quiet" onClick=${() => setHelps(true)} title="Keys (?)"><span aria-hidden="true">?</span><span class="unseen">Keys</span></button>
      </span>
    </header>
    <div class="bar-of-tabs">
      <nav aria-label="Tabs">
        ${TABS.map((each, index) => html`
          <a key=${each.name} href=${hashOf({ tab: each, filters })} data-testid=${`tab-${each.name}`} aria-current=${each === tab ? "page" : null}>
            <kbd aria-hidden="true">${index + 1}</kbd>${each.title}${each.count && html` <span class="count">${each.count(state)}</span>`}
          </a>
        `)}
      </nav>
      <div class="search" role="search">
        <${FilterBox} tab=${tab.name} filter=${filter} onFilter=${setFilter} />
      </div>
    </div>
    <${Banner} state=${state} show=${showFailure} />
    <${Spoken} />
    <main>
      <h2 class="unseen">${tab.title}</h2>
      ${state.status
        ? html`<${Sheltered} key=${tab.name}><${Content} state=${state} traffic=${traffic} filter=${filter} onFilter=${setFilter} open=${open} run=${run} part=${part} onOpen=${setOpen}
            picked=${picked} pick=${pick} /></>`
        : html`<${Waiting} connection=${connection} />`}
    </main>
    <${KeysDialog} isOpen=${helps} close=${() => setHelps(false)} about=${aboutServer(state)} />
  </>`;
}

/**
 * What the address names: the tab, its filter and what is opened in it, of which process, and which
 * `part` of that. Each tab keeps its filter while another one is shown, and what is opened next shows the
 * part that was chosen last.
 */
function useAddress(runId) {
  const [view, setView] = useState(() => follow({ filters: {}, chosen: null }));
  const writing = useRef(null);
  useEffect(() => {
    const onHash = () => {
      clearTimeout(writing.current);
      setView(follow);
    };
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, []);

  // A link within the page means this process.
  useEffect(() => {
    if (runId && view.open !== null && !view.run) change((view) => ({ ...view, run: runId }));
  }, [runId, view.open, view.run]);

  function change(changed) {
    setView(changed);
    // No step back for each letter typed, and browsers refuse an address that changes too often.
    clearTimeout(writing.current);
    writing.current = setTimeout(() => {
      setView((view) => {
        history.replaceState(null, "", hashOf(view));
        return view;
      });
    }, WRITE_AFTER_MS);
  }
  return {
    ...view,
    goTo: ({ name }) => (location.hash = hashOf({ ...view, tab: { name }, open: null, run: null, named: null })),
    setFilter: (text) => change((view) => ({ ...view, filters: { ...view.filters, [view.tab.name]: text } })),
    setOpen: (id) => change((view) => ({ ...view, open: id, run: id === null ? null : runId, named: id === view.open ? view.named : null })),
    part: {
      named: view.named,
      chosen: view.chosen,
      choose: (name) => change((view) => ({ ...view, named: name, chosen: name })),
    },
  };
}

function hashOf({ tab, filters, open, run, named }) {
  return addressOf({ tab: tab.name, q: filters[tab.name], open, run, part: named });
}

function follow({ filters, chosen }) {
  const { tab: name, q, open, run, part } = readAddress(location.hash);
  const tab = TABS.find((each) => each.name === name) ?? TABS[0];
  return { tab, filters: { ...filters, [tab.name]: q }, open, run, named: part, chosen: part ?? chosen };
}

function healthOf(status) {
  if (!status) return { glyph: "○", short: "waiting", words: "waiting for the server", className: "dim" };
  const { generation } = status;
  if (!generation) return { glyph: "✖", short: "no good generation", words: "no good generation", className: "bad" };
  if (status.state === "ok") return { glyph: "●", short: `G${generation} ok`, words: `G${generation} ok`, className: "good" };
  return { glyph: "▲", short: `serving G${generation}`, words: `serving G${generation}, newest save does not load`, className: "warn" };
}

function Numbers({ metrics, traffic }) {
  const { seconds } = traffic;
  return html`
    <ul class="numbers dim" aria-label="Traffic of the last minute">
      <li>${rate(traffic)} <${Sparkline} values=${seconds.map(({ count }) => count)} label="requests a second in the last minute" /></li>
      <li title="half, 95 % and 99 % of the requests took at most this long">p50 ${milliseconds(traffic.p50_ms)} · p95 ${milliseconds(traffic.p95_ms)} · p99 ${milliseconds(traffic.p99_ms)}
        ${" "}<${Sparkline} values=${seconds.map(({ p95_ms }) => p95_ms)} format=${milliseconds} label="95th percentile of each second in the last minute" /></li>
      <${Now} metrics=${metrics} />
    </ul>
  `;
}

function ConnectionState({ connection: { word, detail } }) {
  const className = { live: "good", "signed out": "bad" }[word] ?? "warn";
  const glyph = { live: "●", "signed out": "✖" }[word] ?? "◌";
  useSaid("connection", `connection ${word}${detail && `: ${visible(detail)}`}`);
  return html`
    <p class=${`connection ${className}`} data-testid="connection">
      <span aria-hidden="true">${glyph}</span> ${word}${detail && html`<span class="dim">: ${visible(detail)}</span>`}
    </p>
  `;
}

function failureWords(state) {
  const traceback = standingFailure(state)?.traceback;
  const frame = failingFrame(traceback);
  if (!traceback) return "";
  return `${visible(traceback.type)}${frame ? ` in ${visible(frame.file)}, line ${frame.line}` : ""}`;
}

function Banner({ state, show }) {
  const reload = standingFailure(state);
  if (state.status?.state !== "failing") return null;
  const { generation } = state.status;
  const traceback = reload?.traceback;
  const frame = failingFrame(traceback);
  return html`
    <section class=${generation ? "banner" : "banner grave"} aria-label="The newest save" data-testid="banner">
      <p>
        <b>${generation ? `▲ Serving G${generation}. The newest save does not load.` : "✖ Nothing is served. The code does not load."}</b>
        ${traceback && html` <span><code>${visible(traceback.type)}</code>${traceback.message && `: ${visible(traceback.message)}`}</span>`}
        ${frame && html` <${Place} file=${frame.file} line=${frame.line} target=${{ reload: reload.id, frame: numbered(traceback).get(frame) }} className="place" />`}
      </p>
      ${traceback && html`<button type="button" onClick=${() => show(reload)}>Show traceback</button>`}
    </section>
  `;
}

function Waiting({ connection: { word, detail } }) {
  return html`
    <div class="empty">
      <h2>${word === "signed out" ? "Signed out" : "Waiting for the server"}</h2>
      <p>${detail ? `${visible(detail)}.` : "This page connects by itself as soon as the server answers."}</p>
    </div>
  `;
}

// A tab that cannot be drawn must not take the others with it.
function Sheltered({ children }) {
  const [error, retry] = useErrorBoundary();
  if (!error) return children;
  return html`
    <div class="empty" role="alert">
      <h2>This tab could not be drawn</h2>
      <p>${visible(error.message)}</p>
      <button type="button" onClick=${retry}>Try again</button>
    </div>
  `;
}

function aboutServer({ status, python }) {
  const facts = [`Snaxum ${page.dataset.version}`];
  if (status?.python ?? python) facts.push(`Python ${visible(status?.python ?? python)}`);
  if (status) facts.push(`process ${status.pid}`, `up ${duration(status.uptime_s)}`);
  return facts.join(" · ");
}
