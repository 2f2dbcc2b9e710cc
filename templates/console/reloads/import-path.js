// Why a module ran again: the chain of imports that leads to it from a changed file.
//
// Uses the current imports, which may differ from those at an older reload. Never decides what runs.

/** @import { Reload } from "snaxum-events" */

import { html } from "../vendor/preact-htm.js";
import { version, visible } from "../components/format.js";
import { useFetch } from "../server/use-fetch.js";

/** @typedef {{ module: string, file: string, imports: string[], missing_imports: string[], inputs: string[] }} Module */
/** @typedef {{ file: string, verb: string, modules: string[] }} ImportChain */

/**
 * The import path of each module of a reload.
 * @param {{ reload: Reload, generation: number }} props
 */
export function ImportPaths({ reload, generation }) {
  const { data: modules, problem } = useFetch("modules", { version: generation });
  if (problem) return html`<p class="warn" role="alert">Cannot show the imports: ${visible(problem)}.</p>`;
  if (!modules) return html`<p class="dim">Loading the imports…</p>`;
  return html`
    <ul class="import-paths" data-testid="import-paths">
      ${reload.modules.map(({ name }) => html`<li key=${name}><${ImportPath} name=${name} path=${importPathTo(name, reload.files, modules)} reason=${reload.reason} /></li>`)}
    </ul>
    ${generation !== reload.generation && html`<p class="dim">According to the imports of ${version(generation)}, which is live.</p>`}
  `;
}

/** @param {{ name: string, path: ImportChain | null, reason: string }} props */
function ImportPath({ name, path, reason }) {
  if (!path) return html`<code>${visible(name)}</code> <span class="dim">${reason ? visible(reason) : "no longer imports a changed file"}</span>`;
  const { file, verb, modules } = path;
  return html`
    <code>${visible(file)}</code> <span class="dim">${verb}</span> <code>${visible(modules[0])}</code>
    ${modules.slice(1).map((each) => html` <span class="dim">→ imported by</span> <code>${visible(each)}</code>`)}
  `;
}

/**
 * Returns the shortest path from one of `files` to the module `name`, as { file, verb, modules } whose
 * last module is `name`; null if there is none.
 * @param {string} name
 * @param {string[]} files
 * @param {Module[]} modules
 * @returns {ImportChain | null}
 */
function importPathTo(name, files, modules) {
  const byName = new Map(modules.map((module) => [module.module, module]));
  const changed = new Set(files);
  const paths = [[name]];
  const visited = new Set([name]);
  for (const path of paths) {
    const module = byName.get(path[0]);
    if (!module) continue;
    if (changed.has(module.file)) return { file: module.file, verb: "is", modules: path };
    const input = module.inputs.find((each) => changed.has(each));
    if (input !== undefined) return { file: input, verb: "is read by", modules: path };
    for (const imported of [...module.imports, ...module.missing_imports]) {
      if (visited.has(imported)) continue;
      visited.add(imported);
      paths.push([imported, ...path]);
    }
  }
  return null;
}
