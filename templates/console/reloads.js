// The Reloads tab: each attempt to load a save, newest first, and what it changed.
//
// Shows what the server measured. Never starts a reload.

import { html, useEffect, useState } from "./vendor/preact-htm.js";
import { Place } from "./editor.js";
import { changedSinceReload } from "./failures.js";
import { useFetched } from "./fetched.js";
import { matcher } from "./filter.js";
import { clock, milliseconds, visible } from "./format.js";
import { PhaseBar, PhaseLegend, PhaseTable, RELOAD_PHASES } from "./phases.js";
import { Logs } from "./request-parts.js";
import { MARKERS } from "./routes.js";
import { Keyed, onPick, toggled, walkRows } from "./rows.js";
import { Traceback } from "./traceback.js";
import { Why } from "./why.js";

const OUTCOMES = {
  ok: { glyph: "✔", className: "good" },
  failed: { glyph: "✖", className: "bad" },
  noop: { glyph: "=", className: "dim" },
};

const STRATEGIES = {
  none: "nothing to load",
  lines: "line numbers only",
  dependents: "what changed, and what imports it",
  all: "all of your modules",
  restart: "a new process",
};

export function Reloads({ state, filter }) {
  const [opened, setOpened] = useState(new Set());
  // Another process counts its reloads from 1 again.
  useEffect(() => setOpened(new Set()), [state.runId]);
  const matches = matcher(filter);
  const reloads = state.reloads.filter(({ generation, outcome, cause, files, traceback }) =>
    matches(`G${generation}`, outcome, cause, ...files, traceback?.type ?? "", traceback?.message ?? ""),
  );

  if (!state.reloads.length) {
    return html`
      <div class="empty">
        <h2>No reload yet</h2>
        <p>Save a Python file of your app. The next request runs the new code, and this list says what was loaded and how long it took.</p>
      </div>
    `;
  }
  return html`
    <div class="list">
      <div class="toolbar"><${PhaseLegend} phases=${RELOAD_PHASES} /></div>
      <table class="rows reload-rows">
        <caption class="unseen">Newest reloads first</caption>
        <thead>
          <tr>
            <th scope="col" class="c-time">Time</th>
            <th scope="col" class="c-outcome">Outcome</th>
            <th scope="col" class="c-serving"><abbr title="generation that serves since then">G</abbr></th>
            <th scope="col" class="c-total number">Total</th>
            <th scope="col" class="c-bar">Phases</th>
            <th scope="col" class="c-files">Files</th>
            <th scope="col" class="c-diff">What changed</th>
          </tr>
        </thead>
        <tbody onKeyDown=${walkRows}>
          ${reloads.map((reload, index) => html`<${Keyed} key=${`${state.runId} ${reload.id}`}>
            <${ReloadRow} reload=${reload} round=${reload.outcome === "ok" ? state.pinRounds[reload.generation] : undefined} isFirst=${index === 0}
              isOpen=${opened.has(reload.id)} toggle=${() => setOpened(toggled(opened, reload.id))} />
            ${opened.has(reload.id) && html`<tr class="unfolded"><td colspan="7"><${ReloadDetails} reload=${reload} state=${state} /></td></tr>`}
          </>`)}
        </tbody>
      </table>
      ${!reloads.length && html`<p class="nothing">No reload matches <q>${filter}</q>.</p>`}
    </div>
  `;
}

function ReloadRow({ reload, round, isFirst, isOpen, toggle }) {
  const { time_ms, outcome, generation, total_ms, phases, files, cause, traceback } = reload;
  const { glyph, className } = OUTCOMES[outcome] ?? { glyph: "?", className: "dim" };
  return html`
    <tr data-row data-testid="reload-row" tabindex=${isFirst ? 0 : -1} onClick=${onPick(toggle)}>
      <td class="c-time dim">${clock(time_ms)}</td>
      <td class="c-outcome">
        <button type="button" class=${`fold ${className}`} tabindex="-1" aria-expanded=${isOpen}>${glyph} ${visible(outcome)}</button>
      </td>
      <td class="c-serving">${outcome === "ok" ? `G${generation}` : html`<span class="dim">${generation ? `still G${generation}` : "none"}</span>`}</td>
      <td class="c-total number">${milliseconds(total_ms)}</td>
      <td class="c-bar"><${PhaseBar} phases=${phases} total_ms=${total_ms} /></td>
      <td class="c-files" title=${files.map(visible).join("\n")}>${fileWords(files, cause)}</td>
      <td class="c-diff">${traceback ? html`<span class="bad">${visible(traceback.type)}</span> ${visible(traceback.message)}` : diffWords(reload)}${round && html` <${PinRound} round=${round} />`}</td>
    </tr>
  `;
}

function PinRound({ round: { passing, failing } }) {
  return html`<span class="change" data-testid="pin-round">⚑ pinned: ${passing > 0 && html`<b class="good">${passing} passing</b>`}${passing > 0 && failing > 0 && ", "}${failing > 0 && html`<b class="bad">${failing} failing</b>`}</span>`;
}

function fileWords(files, cause) {
  if (!files.length) return html`<span class="dim">${visible(cause)}</span>`;
  return `${visible(files[0])}${files.length > 1 ? ` +${files.length - 1} more` : ""}`;
}

function diffWords({ diff, cause, outcome, reason }) {
  if (outcome === "noop") return html`<span class="dim">no-op: ${visible(reason)}</span>`;
  const kinds = Object.keys(MARKERS).filter((kind) => diff?.[kind]?.length);
  if (!kinds.length) return html`<span class="dim">same routes</span>`;
  if (cause === "start") return html`<span class="dim">${diff.added.length} routes</span>`;
  return kinds.map((kind) => {
    const [first, ...more] = diff[kind];
    const { word, className } = MARKERS[kind];
    return html`<span class="change"><b class=${className}>${word[0]}</b> ${routeWords(first)}${more.length > 0 && ` +${more.length} more`}</span> `;
  });
}

function routeWords({ methods, path }) {
  return visible(`${methods.join(" ")} ${path}`);
}

function ReloadDetails({ reload, state }) {
  const [asks, ask] = useState(false);
  const { answer } = useFetched("logs", { version: `${state.runId} ${reload.id}` });
  const logs = (answer ?? []).filter((line) => line.reload === reload.id).reverse();
  const { cause, strategy, reason, files, modules, phases, total_ms, diff, state_reset, warnings, notes, traceback } = reload;
  const kinds = Object.keys(MARKERS).filter((kind) => diff?.[kind]?.length);
  return html`
    <div class="unfolded-content">
      ${traceback && html`<${Traceback} traceback=${traceback} origin=${{ reload: reload.id }} changed=${changedSinceReload(state.reloads, reload)} />`}
      <div class="columns">
        <section>
          <h3>Cause</h3>
          <p>${visible(cause)}${strategy != null && html` <span class="dim">· ${visible(STRATEGIES[strategy] ?? strategy)}</span>`}</p>
          ${reason && html`<p class="dim">${visible(reason)}</p>`}
          ${files.map((file) => html`<p><${Place} file=${file} /></p>`)}
        </section>
        <section>
          <h3>Modules, in the order they ran</h3>
          ${modules?.length
            ? html`<ol class="modules">${modules.map(({ name, ms }) => html`<li><code>${visible(name)}</code> <span class="dim">${milliseconds(ms)}</span></li>`)}</ol>`
            : html`<p class="dim">none</p>`}
          ${modules?.length > 0 && cause !== "start" && html`
            <p class="actions"><button type="button" aria-expanded=${asks} onClick=${() => ask(!asks)}>Why these?</button></p>
            ${asks && html`<${Why} reload=${reload} generation=${state.status.generation} />`}
          `}
        </section>
        ${state_reset?.length > 0 && html`
          <section>
            <h3>State that began anew</h3>
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
            <p><b class=${MARKERS[kind].className}>${MARKERS[kind].word}</b> <code>${routeWords(route)}</code> ${route.by && html`by <code>${visible(route.by)}</code> `}<${Place} file=${route.file} line=${route.line} className="dim" /></p>
          `))}
          ${!kinds.length && html`<p class="dim">unchanged</p>`}
        </section>
        ${reload.others?.length > 0 && html`
          <section>
            <h3>Other modules that did not load</h3>
            ${reload.others.map(({ type, message, file, line }) => html`<p><span class="bad">${visible(type)}</span> ${visible(message)} ${file && html`<${Place} file=${file} line=${line} className="dim" />`}</p>`)}
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
