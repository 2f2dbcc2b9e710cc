// The Reloads tab: all reloads, newest first, with their outcome and the routes they changed.
//
// Never starts a reload: reload-controls.js does.

/** @import { Reload, RouteDiff, RouteRef } from "snaxum-events" */
/** @import { Column } from "../components/columns.js" */
/** @import { View } from "../types.js" */
/** @import { State } from "../server/store.js" */

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { ContractList, ContractSummary } from "./contract.js";
import { changedSinceReload } from "../errors/failures.js";
import { ColumnMenu, useColumns } from "../components/columns.js";
import { textMatcher } from "../components/filter.js";
import { milliseconds, pluralize, timeOfDay, version, visible } from "../components/format.js";
import { ImportPaths } from "./import-path.js";
import { outcomeText } from "./outcome.js";
import { PhaseBar, PhaseLegend, PhaseScale, PhaseTable, BUILD_PHASES, RELOAD_PHASES } from "../components/phases.js";
import { Logs } from "../requests/request-parts.js";
import { MARKERS } from "../routes/route-lines.js";
import { SourceLink } from "../components/source-link.js";
import { ListTable } from "../components/list-table.js";
import { useLinkedRow } from "../components/table-nav.js";
import { Traceback } from "../errors/traceback.js";
import { useFetch } from "../server/use-fetch.js";

/** @type {Record<string, { glyph: string, word: string, className: string }>} */
const OUTCOMES = {
  ok: { glyph: "✔", word: "live", className: "good" },
  failed: { glyph: "✖", word: "not live", className: "bad" },
  noop: { glyph: "=", word: "no change", className: "dim" },
};

// More routes of one kind are folded.
const MAX_UNFOLDED = 8;

/** @type {Record<string, string>} */
const STRATEGIES = {
  none: "nothing to load",
  lines: "line numbers only",
  dependents: "the changed modules and their dependents",
  all: "all modules of the project",
  restart: "a new process",
  build: "the program was built again",
};

/** @typedef {keyof RouteDiff} Kind */
const KINDS = /** @type {Kind[]} */ (Object.keys(MARKERS));

/** @typedef {{ isOpen: boolean, pinResults?: { passing: number, failing: number } }} RowContext */

/** @type {Column<Reload, RowContext>[]} */
const COLUMNS = [
  { name: "time", title: "Time", width: 6, rank: 5, sortBy: ({ time_ms }) => time_ms, cell: ({ time_ms }) => timeOfDay(time_ms), cellClass: () => "dim" },
  {
    name: "outcome", title: "Outcome", width: 9.5, sortBy: ({ outcome }) => outcome,
    cell({ outcome }, { isOpen }) {
      const { glyph, word, className } = OUTCOMES[outcome] ?? { glyph: "?", word: outcome, className: "dim" };
      return html`<button type="button" class=${`expander ${className}`} tabindex="-1" aria-expanded=${isOpen}>${glyph} ${visible(word)}</button>`;
    },
  },
  {
    name: "serving", title: "Version", hint: "version of your code that is live after the reload", width: 5.5, rank: 2, sortBy: ({ generation }) => generation,
    cell: ({ outcome, generation }) => (outcome === "ok" ? generation : html`<span class="dim">${generation ? `still ${generation}` : "none"}</span>`),
  },
  { name: "total", title: "Total", width: 5.5, rank: 4, isNumber: true, sortBy: ({ total_ms }) => total_ms, cell: ({ total_ms }) => milliseconds(total_ms) },
  { name: "bar", title: "Phases", head: () => html`<${PhaseScale} />`, width: 10, rank: 1, cell: (reload) => html`<${PhaseBar} phases=${phasesOf(reload)} total_ms=${reload.total_ms} />` },
  { name: "modules", title: "Modules", hint: "modules that ran again", width: 5.5, rank: 3, isExtra: true, isNumber: true, sortBy: ({ modules }) => modules.length, cell: ({ modules }) => modules.length },
  { name: "files", title: "Files", min: 10, rank: 3, sortBy: ({ files, cause }) => files[0] ?? cause, cell: ({ files, cause }) => html`<span title=${files.map(visible).join("\n")}>${filesText(files, cause)}</span>` },
  {
    name: "diff", title: "Changes", min: 12,
    cell: (reload, { pinResults }) => html`${reload.traceback ? html`<span class="bad">${visible(reload.traceback.type)}</span> ${visible(reload.traceback.message)}` : diffText(reload)}${pinResults && html` <${PinResults} results=${pinResults} />`}${reload.contract && html` <${ContractSummary} contract=${reload.contract} />`}`,
  },
];

/** @param {View} props */
export function Reloads({ state, filter, open, run, onOpen, order, onOrder }) {
  const [opened, setOpened] = useState(/** @type {Set<number>} */ (new Set()));
  // A new process numbers its reloads from 1 again.
  const runId = useRef(state.runId);
  useEffect(() => {
    if (runId.current === state.runId) return;
    runId.current = state.runId;
    setOpened(new Set());
    if (open !== null) onOpen(null);
  }, [state.runId]);
  const linked = useLinkedRow(open);
  const isOfThisRun = !run || run === state.runId;
  const isOpen = (/** @type {number} */ id) => opened.has(id) || (isOfThisRun && String(id) === open);

  /** @param {number} id */
  function toggle(id) {
    const isClosing = isOpen(id);
    // The URL has the row that was opened last; the others stay open.
    if (isOfThisRun && open !== null && (!isClosing || String(id) !== open)) opened.add(Number(open));
    if (isClosing) opened.delete(id);
    setOpened(new Set(opened));
    if (!isClosing) onOpen(String(id));
    else if (String(id) === open) onOpen(null);
  }
  const columns = useColumns("reloads", COLUMNS, { order, onOrder });
  const matches = textMatcher(filter);
  const reloads = state.reloads.filter(({ generation, outcome, cause, files, traceback }) =>
    matches(version(generation), OUTCOMES[outcome]?.word, cause, ...files, traceback?.type ?? "", traceback?.message ?? ""),
  );

  if (!state.reloads.length) {
    return html`
      <div class="empty">
        <h2>No reloads yet</h2>
        <p>Save a Python file of your app. The next request runs the new code, and the reload appears here, with its modules and timing.</p>
      </div>
    `;
  }
  const isGone = open !== null && !(isOfThisRun && state.reloads.some(({ id }) => String(id) === open));
  return html`
    <div class="list" ref=${linked}>
      <div class="toolbar"><${PhaseLegend} phases=${state.reloads.some(({ build }) => build) ? { ...RELOAD_PHASES, start: BUILD_PHASES.start } : RELOAD_PHASES} /><${ColumnMenu} columns=${columns} /></div>
      ${isGone && html`<p class="problem" role="status">Reload #${visible(open)} is not listed: ${isOfThisRun ? "only the newest reloads are stored" : "it belongs to a process that has ended"}.</p>`}
      <${ListTable} columns=${columns} rows=${reloads} keyOf=${(/** @type {Reload} */ { id }) => `${state.runId} ${id}`} className="reload-rows" testid="reload-row" caption=${columns.sort ? "Reloads" : "Newest reloads first"}
        contextOf=${(/** @type {Reload} */ { id, outcome, generation }) => ({ isOpen: isOpen(id), pinResults: outcome === "ok" ? state.pinResults[generation] : undefined })}
        open=${(/** @type {Reload} */ { id }) => toggle(id)} unfolded=${(/** @type {Reload} */ reload) => isOpen(reload.id) && html`<${ReloadDetails} reload=${reload} state=${state} />`} attributesOf=${(/** @type {Reload} */ { id }) => ({ "data-key": id })} />
      ${!reloads.length && html`<p class="no-results">No reload matches <q>${filter}</q>.</p>`}
    </div>
  `;
}

/** The phases of a reload, or of a build. @param {Reload} reload */
function phasesOf({ phases, build }) {
  if (!build) return phases;
  const { cargo, start, load, handover } = build.phases;
  return { settle: phases.settle, cargo, start, load, handover };
}

/** The crates and the warnings of a build. @param {{ build: NonNullable<Reload["build"]> }} props */
function BuildDetails({ build: { crates, warnings, phases } }) {
  return html`
    <section data-testid="build">
      <h3>Crates, in the order they were compiled</h3>
      ${crates.length
        ? html`<ol class="modules">${crates.map(({ name, ms }) => html`<li><code>${visible(name)}</code>${ms > 0 && html` <span class="dim">${milliseconds(ms)}</span>`}</li>`)}</ol>`
        : html`<p class="dim">none</p>`}
      ${(phases.link ?? 0) > 0 && html`<p class="dim">linked in ${milliseconds(phases.link ?? 0)}</p>`}
      ${warnings > 0 && html`<p class="warn">▲ ${pluralize(warnings, "warning")}</p>`}
    </section>
  `;
}

/** @param {{ results: { passing: number, failing: number } }} props */
function PinResults({ results: { passing, failing } }) {
  return html`<span class="change" data-testid="pin-results">⚑ pinned: ${passing > 0 && html`<b class="good">${passing} passing</b>`}${passing > 0 && failing > 0 && ", "}${failing > 0 && html`<b class="bad">${failing} failing</b>`}</span>`;
}

/**
 * @param {string[]} files
 * @param {string} cause
 */
function filesText(files, cause) {
  if (!files.length) return html`<span class="dim">${visible(cause)}</span>`;
  return `${visible(files[0])}${files.length > 1 ? ` +${files.length - 1} more` : ""}`;
}

/** @param {Reload} reload */
function diffText(reload) {
  const { diff, cause, outcome } = reload;
  if (outcome === "noop") return html`<span class="dim">${outcomeText(reload)}</span>`;
  const kinds = kindsOf(diff);
  if (!kinds.length) return html`<span class="dim">same routes</span>`;
  if (cause === "start") return html`<span class="dim">${pluralize(listOf(diff, "added").length, "route")}</span>`;
  return kinds.map((kind) => {
    const [first, ...more] = listOf(diff, kind);
    if (kind === "moved") return html`<span class="change dim">${pluralize(more.length + 1, "route")} moved</span> `;
    const { label, className } = MARKERS[kind];
    return html`<span class="change"><b class=${className}>${label[0]}</b> ${routeText(first)}${more.length > 0 && ` +${more.length} more`}</span> `;
  });
}

/**
 * The routes of one kind of change, by file. Long lists, and routes that only moved to another line, are
 * folded.
 * @param {{ kind: Kind, routes: (RouteRef & { by?: string })[], isStart: boolean }} props
 */
function RouteChanges({ kind, routes, isStart }) {
  const { label, className } = MARKERS[kind];
  const files = Map.groupBy(routes, ({ file }) => file);
  return html`
    <details class="route-changes" open=${kind !== "moved" && !isStart && routes.length <= MAX_UNFOLDED}>
      <summary><b class=${className}>${label}</b> ${pluralize(routes.length, "route")}${kind === "moved" && html` <span class="dim">to another line</span>`}</summary>
      ${[...files].map(([file, each]) => html`
        <p key=${file}><${SourceLink} file=${file} className="dim" /></p>
        <ul>${each.map((route) => html`
          <li key=${`${route.methods} ${route.path}`}><code>${routeText(route)}</code> ${route.by && html`by <code>${visible(route.by)}</code> `}<${SourceLink} file=${route.file} line=${route.line} className="dim" /></li>
        `)}</ul>
      `)}
    </details>
  `;
}

/** @param {RouteDiff} diff */
function kindsOf(diff) {
  return KINDS.filter((kind) => listOf(diff, kind).length);
}

/**
 * @param {RouteDiff} diff
 * @param {Kind} kind
 * @returns {(RouteRef & { by?: string })[]}
 */
function listOf(diff, kind) {
  return diff[kind] ?? [];
}

/** @param {RouteRef} route */
function routeText({ methods, path }) {
  return visible(`${methods.join(" ")} ${path}`);
}

/** @param {{ reload: Reload, state: State }} props */
function ReloadDetails({ reload, state }) {
  const [showsImports, setShowsImports] = useState(false);
  const { data: lines } = useFetch("logs", { version: `${state.runId} ${reload.id}` });
  const logs = (lines ?? []).filter((/** @type {import("snaxum-events").LogLine} */ line) => line.reload === reload.id).reverse();
  const { cause, strategy, reason, files, modules, total_ms, diff, state_reset, warnings, notes, traceback, contract, build } = reload;
  const kinds = kindsOf(diff);
  return html`
    <div class="expanded-content">
      <p data-testid="reload-summary">${outcomeText(reload)}</p>
      ${traceback && html`<${Traceback} traceback=${traceback} origin=${{ reload: reload.id }} changed=${changedSinceReload(state.reloads, { last_ms: reload.time_ms })} />`}
      <div class="columns">
        <section>
          <h3>Cause</h3>
          <p>${visible(cause)}${strategy != null && html` <span class="dim">· ${visible(STRATEGIES[strategy] ?? strategy)}</span>`}</p>
          ${reason && html`<p class="dim">${visible(reason)}</p>`}
          ${files.map((file) => html`<p><${SourceLink} file=${file} /></p>`)}
        </section>
        ${build && html`<${BuildDetails} build=${build} />`}
        <section>
          <h3>Modules, in the order they ran</h3>
          ${modules?.length
            ? html`<ol class="modules">${modules.map(({ name, ms }) => html`<li><code>${visible(name)}</code> <span class="dim">${milliseconds(ms)}</span></li>`)}</ol>`
            : html`<p class="dim">none</p>`}
          ${modules?.length > 0 && cause !== "start" && !build && html`
            <p class="actions"><button type="button" aria-expanded=${showsImports} onClick=${() => setShowsImports(!showsImports)}>Why these modules?</button></p>
            ${showsImports && html`<${ImportPaths} reload=${reload} generation=${state.status?.generation} />`}
          `}
        </section>
        ${state_reset?.length > 0 && html`
          <section>
            <h3>State that was reset</h3>
            ${state_reset.map((name) => html`<p><code>${visible(name)}</code></p>`)}
          </section>
        `}
        ${warnings?.length > 0 && html`
          <section>
            <h3>Warnings</h3>
            ${warnings.map((warning) => html`<pre>${visible(warning)}</pre>`)}
          </section>
        `}
        ${notes?.length > 0 && html`
          <section>
            <h3>Notes</h3>
            ${notes.map((note) => html`<pre>${visible(note)}</pre>`)}
          </section>
        `}
        <section>
          <h3>Routes</h3>
          ${kinds.map((kind) => html`<${RouteChanges} key=${kind} kind=${kind} routes=${listOf(diff, kind)} isStart=${cause === "start"} />`)}
          ${!kinds.length && html`<p class="dim">unchanged</p>`}
        </section>
        ${contract && html`
          <section class="wide" data-testid="contract">
            <h3>Changes for clients</h3>
            <${ContractList} contract=${contract} />
          </section>
        `}
        ${reload.others?.length > 0 && html`
          <section>
            <h3>Other modules that failed to load</h3>
            ${reload.others.map(({ type, message, file, line }) => html`<p><span class="bad">${visible(type)}</span> ${visible(message)} ${file && html`<${SourceLink} file=${file} line=${line} className="dim" />`}</p>`)}
          </section>
        `}
        ${logs.length > 0 && html`
          <section>
            <h3>Logs</h3>
            <${Logs} lines=${logs} />
          </section>
        `}
        <section>
          <h3>Timing</h3>
          <${PhaseTable} phases=${phasesOf(reload)} total_ms=${total_ms} meanings=${build ? BUILD_PHASES : RELOAD_PHASES} />
        </section>
      </div>
    </div>
  `;
}
