// Why a module ran again: the way to it from a file that changed, import by import.
//
// Reads the modules as they are now; of an older reload they may have been others. Never decides
// what runs.

import { html } from "./vendor/preact-htm.js";
import { useFetched } from "./fetched.js";
import { visible } from "./format.js";

/** For each module of a reload, what led to it. */
export function Why({ reload, generation }) {
  const { answer, problem } = useFetched("modules", { version: generation });
  if (problem) return html`<p class="warn" role="alert">It cannot be told: ${visible(problem)}.</p>`;
  if (!answer) return html`<p class="dim">Loading the imports…</p>`;
  return html`
    <ul class="why" data-testid="why">
      ${reload.modules.map(({ name }) => html`<li key=${name}><${Way} name=${name} way=${wayTo(name, reload.files, answer)} reason=${reload.reason} /></li>`)}
    </ul>
    ${generation !== reload.generation && html`<p class="dim">By the imports of G${generation}, which serves now.</p>`}
  `;
}

function Way({ name, way, reason }) {
  if (!way) return html`<code>${visible(name)}</code> <span class="dim">${reason ? visible(reason) : "imports nothing, by now, that has changed"}</span>`;
  const { file, verb, modules } = way;
  return html`
    <code>${visible(file)}</code> <span class="dim">${verb}</span> <code>${visible(modules[0])}</code>
    ${modules.slice(1).map((each) => html` <span class="dim">→ imported by</span> <code>${visible(each)}</code>`)}
  `;
}

/**
 * The shortest way from one of `files` to the module `name`, as { file, verb, modules }, which ends
 * with `name`; null if there is none.
 */
function wayTo(name, files, modules) {
  const known = new Map(modules.map((module) => [module.module, module]));
  const changed = new Set(files);
  const ways = [[name]];
  const seen = new Set([name]);
  for (const way of ways) {
    const module = known.get(way[0]);
    if (!module) continue;
    if (changed.has(module.file)) return { file: module.file, verb: "is", modules: way };
    const input = module.inputs.find((each) => changed.has(each));
    if (input !== undefined) return { file: input, verb: "is read by", modules: way };
    for (const next of [...module.imports, ...module.wanted]) {
      if (seen.has(next)) continue;
      seen.add(next);
      ways.push([next, ...way]);
    }
  }
  return null;
}
