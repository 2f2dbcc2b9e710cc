// A picture of the modules of the project and their imports: what the last save changed, and what ran again for it.
//
// Uses the current imports, which may differ from those at the save. Never decides what runs.

import { html, useMemo } from "../vendor/preact-htm.js";
import { pluralize, visible } from "../components/format.js";
import { formatHash } from "../page/url-hash.js";
import { useFetch } from "../server/use-fetch.js";

/** @import { Reload } from "snaxum-events" */

/** @typedef {{ module: string, file: string, imports: string[] }} ModuleInfo */
/** @typedef {{ name: string, level: number, x: number, y: number, width: number, state: "changed" | "ran" | "" }} Node */

// A picture of more is a ball of wool; then it has the modules of the last save, and those beside them.
const MAX_NODES = 60;
const MAX_LABEL = 26;
const [CHARACTER, ROW, HEIGHT, GAP, MARGIN] = [7.3, 34, 24, 56, 8];

/** @param {{ reload: Reload | undefined, generation: number }} props */
export function ModuleGraph({ reload, generation }) {
  const { data, problem } = useFetch("modules", { version: generation });
  const picture = useMemo(() => (data ? layOut(/** @type {ModuleInfo[]} */ (data), reload) : null), [data, reload]);
  if (problem) return html`<p class="warn" role="alert">Cannot show the modules: ${visible(problem)}.</p>`;
  if (!picture) return html`<p class="dim">Loading the modules…</p>`;
  const { nodes, edges, width, height, hidden } = picture;
  const changed = [...nodes.values()].filter(({ state }) => state === "changed");
  const ran = [...nodes.values()].filter(({ state }) => state === "ran");
  return html`
    <figure class="module-graph" data-testid="module-graph">
      <figcaption>
        ${changed.length
          ? html`<b>● ${changed.map(({ name }) => visible(name)).join(", ")}</b> changed${ran.length > 0 && html`; <b>↻ ${pluralize(ran.length, "module")}</b> that import${ran.length === 1 ? "s" : ""} it ran again: ${ran.map(({ name }) => visible(name)).join(", ")}`}.`
          : ran.length
            ? html`<b>↻ ${pluralize(ran.length, "module")}</b> ran with the last save, which changed no module: ${ran.map(({ name }) => visible(name)).join(", ")}.`
            : html`<span class="dim">No save has run a module yet. A module is to the right of those it imports.</span>`}
        ${hidden > 0 && html` <span class="dim">${pluralize(hidden, "module")} farther away left out.</span>`}
      </figcaption>
      <div class="scroll" tabindex="0" role="group" aria-label="Modules and their imports">
        <svg width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`}>
          ${edges.map(([from, to]) => {
            const [a, b] = [/** @type {Node} */ (nodes.get(from)), /** @type {Node} */ (nodes.get(to))];
            const [x1, y1, x2, y2] = [a.x + a.width, a.y + HEIGHT / 2, b.x, b.y + HEIGHT / 2];
            const isLit = a.state !== "" && b.state !== "";
            return html`<path key=${`${from} ${to}`} class=${isLit ? "edge lit" : "edge"} d=${`M${x1} ${y1} C${x1 + GAP / 2} ${y1} ${x2 - GAP / 2} ${y2} ${x2} ${y2}`} />`;
          })}
          ${[...nodes.values()].map(({ name, x, y, width, state }) => html`
            <a key=${name} class=${`module ${state}`} href=${formatHash({ tab: "routes", q: name })} aria-label=${`${visible(name)}${state && `, ${state === "ran" ? "ran again" : "changed"}`}: show its routes`}>
              <rect x=${x} y=${y} width=${width} height=${HEIGHT} rx="5" />
              <text x=${x + MARGIN} y=${y + HEIGHT / 2 + 4}>${labelOf(name, state)}<title>${visible(name)}</title></text>
            </a>
          `)}
        </svg>
      </div>
    </figure>
  `;
}

/**
 * @param {string} name
 * @param {Node["state"]} state
 */
function labelOf(name, state) {
  const sign = { changed: "● ", ran: "↻ ", "": "" }[state];
  const text = visible(name);
  return sign + (text.length > MAX_LABEL ? `…${text.slice(1 - MAX_LABEL)}` : text);
}

/**
 * Places each module to the right of its imports, near them.
 * @param {ModuleInfo[]} all
 * @param {Reload | undefined} reload
 */
export function layOut(all, reload) {
  const changedFiles = new Set(reload?.files ?? []);
  const ran = new Set((reload?.modules ?? []).map(({ name }) => name));
  const stateOf = (/** @type {ModuleInfo} */ { module, file }) => (changedFiles.has(file) ? "changed" : ran.has(module) ? "ran" : "");
  const modules = nearest(all, (module) => stateOf(module) !== "");
  const names = new Set(modules.map(({ module }) => module));
  const imports = new Map(modules.map((each) => [each.module, each.imports.filter((name) => names.has(name) && name !== each.module)]));
  const levels = levelsOf(imports);

  /** @type {Map<string, Node>} */
  const nodes = new Map();
  const columns = Map.groupBy(modules.toSorted((a, b) => (a.module < b.module ? -1 : 1)), ({ module }) => levels.get(module) ?? 0);
  let [x, height] = [MARGIN, 0];
  for (const level of [...columns.keys()].sort((a, b) => a - b)) {
    const column = columns.get(level) ?? [];
    const center = (/** @type {ModuleInfo} */ { module }) => {
      const known = (imports.get(module) ?? []).flatMap((name) => nodes.get(name)?.y ?? []);
      return known.length ? known.reduce((sum, y) => sum + y, 0) / known.length : Infinity;
    };
    const ordered = level ? column.toSorted((a, b) => center(a) - center(b) || 0) : column;
    const width = Math.max(...ordered.map((each) => labelOf(each.module, stateOf(each)).length * CHARACTER + 2 * MARGIN));
    for (const [index, each] of ordered.entries()) nodes.set(each.module, { name: each.module, level, x, y: MARGIN + index * ROW, width, state: stateOf(each) });
    x += width + GAP;
    height = Math.max(height, ordered.length * ROW);
  }
  const edges = [...imports].flatMap(([name, each]) => each.map((imported) => /** @type {[string, string]} */ ([imported, name])));
  return { nodes, edges, width: x - GAP + MARGIN, height: height + MARGIN, hidden: all.length - modules.length };
}

/**
 * Returns at most MAX_NODES modules: the lit ones, then the ones the fewest imports away.
 * @param {ModuleInfo[]} all
 * @param {(module: ModuleInfo) => boolean} isLit
 */
function nearest(all, isLit) {
  if (all.length <= MAX_NODES) return all;
  const byName = new Map(all.map((each) => [each.module, each]));
  const importers = Map.groupBy(all.flatMap((each) => each.imports.map((name) => ({ name, by: each }))), ({ name }) => name);
  const found = new Set(all.filter(isLit));
  for (const each of found) {
    if (found.size >= MAX_NODES) break;
    const beside = [...(importers.get(each.module) ?? []).map(({ by }) => by), ...each.imports.flatMap((name) => byName.get(name) ?? [])];
    for (const other of beside) found.add(other);
  }
  for (const each of all) found.add(each);
  return [...found].slice(0, MAX_NODES);
}

/**
 * Returns the longest way of imports below each module. A cycle of imports is cut where it closes.
 * @param {Map<string, string[]>} imports
 */
function levelsOf(imports) {
  const levels = /** @type {Map<string, number>} */ (new Map());
  const open = new Set();
  // By a stack of its own: a chain of imports may be longer than the stack of calls.
  for (const start of imports.keys()) {
    const stack = [{ name: start, rest: [...(imports.get(start) ?? [])], level: 0 }];
    if (levels.has(start)) continue;
    open.add(start);
    while (stack.length) {
      const top = stack[stack.length - 1];
      const next = top.rest.pop();
      if (next === undefined) {
        levels.set(top.name, top.level);
        open.delete(top.name);
        stack.pop();
        const above = stack.at(-1);
        if (above) above.level = Math.max(above.level, top.level + 1);
      } else if (levels.has(next)) {
        top.level = Math.max(top.level, (levels.get(next) ?? 0) + 1);
      } else if (!open.has(next)) {
        open.add(next);
        stack.push({ name: next, rest: [...(imports.get(next) ?? [])], level: 0 });
      }
    }
  }
  return levels;
}
