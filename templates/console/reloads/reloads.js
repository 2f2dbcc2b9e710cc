// The Reloads tab: all reloads, newest first, with their outcome and the routes they changed.
//
// Never starts a reload: reload-controls.js does.

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { ContractList, ContractSummary } from "./contract.js";
import { changedSinceReload } from "../errors/failures.js";
import { textMatcher } from "../components/filter.js";
import { milliseconds, timeOfDay, version, visible } from "../components/format.js";
import { ImportPaths } from "./import-path.js";
import { outcomeText } from "./outcome.js";
import { PhaseBar, PhaseLegend, PhaseTable, RELOAD_PHASES } from "../components/phases.js";
import { Logs } from "../requests/request-parts.js";
import { MARKERS } from "../routes/routes.js";
import { SourceLink } from "../components/source-link.js";
import { KeyedRows, navigateRows, onRowClick, toggled } from "../components/table-nav.js";
import { Traceback } from "../errors/traceback.js";
import { useFetch } from "../server/use-fetch.js";

const OUTCOMES = {
  ok: { glyph: "✔", word: "live", className: "good" },
  failed: { glyph: "✖", word: "not live", className: "bad" },
  noop: { glyph: "=", word: "no change", className: "dim" },
};

const STRATEGIES = {
  none: "nothing to load",
  lines: "line numbers only",
  dependents: "the changed modules and their dependents",
  all: "all modules of the project",
  restart: "a new process",
};

export function Reloads({ state, filter }) {
  const [opened, setOpened] = useState(new Set());
  // A new process numbers its reloads from 1 again.
  useEffect(() => setOpened(new Set()), [state.runId]);
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
  return html`
    <div class="list">
      <div class="toolbar"><${PhaseLegend} phases=${RELOAD_PHASES} /></div>
      <table class="rows reload-rows">
        <caption class="visually-hidden">Newest reloads first</caption>
        <thead>
          <tr>
            <th scope="col" class="c-time">Time</th>
            <th scope="col" class="c-outcome">Outcome</th>
            <th scope="col" class="c-serving"><abbr title="version of your code that is live after the reload">Version</abbr></th>
            <th scope="col" class="c-total number">Total</th>
            <th scope="col" class="c-bar">Phases</th>
            <th scope="col" class="c-files">Files</th>
            <th scope="col" class="c-diff">Changes</th>
          </tr>
        </thead>
        <tbody onKeyDown=${navigateRows}>
          ${reloads.map((reload, index) => html`<${KeyedRows} key=${`${state.runId} ${reload.id}`}>
            <${ReloadRow} reload=${reload} pinResults=${reload.outcome === "ok" ? state.pinResults[reload.generation] : undefined} isFirst=${index === 0}
              isOpen=${opened.has(reload.id)} toggle=${() => setOpened(toggled(opened, reload.id))} />
            ${opened.has(reload.id) && html`<tr class="expanded-row"><td colspan="7"><${ReloadDetails} reload=${reload} state=${state} /></td></tr>`}
          </>`)}
        </tbody>
      </table>
      ${!reloads.length && html`<p class="no-results">No reload matches <q>${filter}</q>.</p>`}
    </div>
  `;
}

function ReloadRow({ reload, pinResults, isFirst, isOpen, toggle }) {
  const { time_ms, outcome, generation, total_ms, phases, files, cause, traceback } = reload;
  const { glyph, word, className } = OUTCOMES[outcome] ?? { glyph: "?", word: outcome, className: "dim" };
  return html`
    <tr data-row data-testid="reload-row" tabindex=${isFirst ? 0 : -1} onClick=${onRowClick(toggle)}>
      <td class="c-time dim">${timeOfDay(time_ms)}</td>
      <td class="c-outcome">
        <button type="button" class=${`expander ${className}`} tabindex="-1" aria-expanded=${isOpen}>${glyph} ${visible(word)}</button>
      </td>
      <td class="c-serving">${outcome === "ok" ? generation : html`<span class="dim">${generation ? `still ${generation}` : "none"}</span>`}</td>
      <td class="c-total number">${milliseconds(total_ms)}</td>
      <td class="c-bar"><${PhaseBar} phases=${phases} total_ms=${total_ms} /></td>
      <td class="c-files" title=${files.map(visible).join("\n")}>${filesText(files, cause)}</td>
      <td class="c-diff">${traceback ? html`<span class="bad">${visible(traceback.type)}</span> ${visible(traceback.message)}` : diffText(reload)}${pinResults && html` <${PinResults} results=${pinResults} />`}${reload.contract && html` <${ContractSummary} contract=${reload.contract} />`}</td>
    </tr>
  `;
}

function PinResults({ results: { passing, failing } }) {
  return html`<span class="change" data-testid="pin-results">⚑ pinned: ${passing > 0 && html`<b class="good">${passing} passing</b>`}${passing > 0 && failing > 0 && ", "}${failing > 0 && html`<b class="bad">${failing} failing</b>`}</span>`;
}

function filesText(files, cause) {
  if (!files.length) return html`<span class="dim">${visible(cause)}</span>`;
  return `${visible(files[0])}${files.length > 1 ? ` +${files.length - 1} more` : ""}`;
}

function diffText(reload) {
  const { diff, cause, outcome } = reload;
  if (outcome === "noop") return html`<span class="dim">${outcomeText(reload)}</span>`;
  const kinds = Object.keys(MARKERS).filter((kind) => diff?.[kind]?.length);
  if (!kinds.length) return html`<span class="dim">same routes</span>`;
  if (cause === "start") return html`<span class="dim">${diff.added.length} routes</span>`;
  return kinds.map((kind) => {
    const [first, ...more] = diff[kind];
    const { label, className } = MARKERS[kind];
    return html`<span class="change"><b class=${className}>${label[0]}</b> ${routeText(first)}${more.length > 0 && ` +${more.length} more`}</span> `;
  });
}

function routeText({ methods, path }) {
  return visible(`${methods.join(" ")} ${path}`);
}

function ReloadDetails({ reload, state }) {
  const [showsImports, setShowsImports] = useState(false);
  const { data: lines } = useFetch("logs", { version: `${state.runId} ${reload.id}` });
  const logs = (lines ?? []).filter((line) => line.reload === reload.id).reverse();
  const { cause, strategy, reason, files, modules, phases, total_ms, diff, state_reset, warnings, notes, traceback, contract } = reload;
  const kinds = Object.keys(MARKERS).filter((kind) => diff?.[kind]?.length);
  return html`
    <div class="expanded-content">
      <p data-testid="reload-summary">${outcomeText(reload)}</p>
      ${traceback && html`<${Traceback} traceback=${traceback} origin=${{ reload: reload.id }} changed=${changedSinceReload(state.reloads, reload)} />`}
      <div class="columns">
        <section>
          <h3>Cause</h3>
          <p>${visible(cause)}${strategy != null && html` <span class="dim">· ${visible(STRATEGIES[strategy] ?? strategy)}</span>`}</p>
          ${reason && html`<p class="dim">${visible(reason)}</p>`}
          ${files.map((file) => html`<p><${SourceLink} file=${file} /></p>`)}
        </section>
        <section>
          <h3>Modules, in the order they ran</h3>
          ${modules?.length
            ? html`<ol class="modules">${modules.map(({ name, ms }) => html`<li><code>${visible(name)}</code> <span class="dim">${milliseconds(ms)}</span></li>`)}</ol>`
            : html`<p class="dim">none</p>`}
          ${modules?.length > 0 && cause !== "start" && html`
            <p class="actions"><button type="button" aria-expanded=${showsImports} onClick=${() => setShowsImports(!showsImports)}>Why these modules?</button></p>
            ${showsImports && html`<${ImportPaths} reload=${reload} generation=${state.status.generation} />`}
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
          ${kinds.map((kind) => diff[kind].map((route) => html`
            <p><b class=${MARKERS[kind].className}>${MARKERS[kind].label}</b> <code>${routeText(route)}</code> ${route.by && html`by <code>${visible(route.by)}</code> `}<${SourceLink} file=${route.file} line=${route.line} className="dim" /></p>
          `))}
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
          <${PhaseTable} phases=${phases} total_ms=${total_ms} meanings=${RELOAD_PHASES} />
        </section>
      </div>
    </div>
  `;
}
