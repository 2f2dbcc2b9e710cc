// The changed lines of a save, from the texts as they were loaded.
//
// Shows what the server compared; never compares itself.

/** @import { Reload } from "snaxum-events" */

import { html } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";
import { SourceLink } from "../components/source-link.js";
import { colored } from "../errors/code-frame.js";
import { colorLines } from "../errors/python-source.js";

/** @typedef {{ sign: string, before: number | null, after: number | null, text: string }} DiffLine */
/** @typedef {{ name: string, change: string, line: number | null }} ChangedFunction */
/** @typedef {{ file: string, kind: string, hunks: DiffLine[][], functions: ChangedFunction[], is_cut: boolean }} FileDiff */

const KINDS = /** @type {Record<string, string>} */ ({ created: "new file", deleted: "deleted" });
const CHANGES = /** @type {Record<string, { sign: string, className: string }>} */ ({
  added: { sign: "+", className: "good" },
  removed: { sign: "−", className: "bad" },
  changed: { sign: "~", className: "warn" },
});

/**
 * `diff` and `problem` are null until the server has responded.
 * @param {{ reload: Reload, diff: { is_stored: boolean, files: FileDiff[] } | null, problem: string | null }} props
 */
export function SaveDiff({ reload, diff, problem }) {
  if (problem) return html`<p class="warn" role="alert">Cannot show the changed lines: ${visible(problem)}.</p>`;
  if (!diff) return html`<p class="dim delayed">Loading the changed lines…</p>`;
  const reason = reload.build ? "The lines of a save that has built the program are not compared." : "The text of this save is not stored: only the newest saves are.";
  if (!diff.is_stored) return html`<p class="dim">${reason}</p>${reload.files.map((file) => html`<p><${SourceLink} file=${file} /></p>`)}`;
  return diff.files.map((file) => html`<${FileChanges} key=${file.file} file=${file} />`);
}

/** @param {{ file: FileDiff }} props */
function FileChanges({ file: { file, kind, hunks, functions, is_cut } }) {
  return html`
    <section class="file-changes" data-testid="file-changes">
      <h3><${SourceLink} file=${file} />${KINDS[kind] && html` <span class="dim">${KINDS[kind]}</span>`}</h3>
      ${functions.length > 0 && html`<p class="changed-functions" data-testid="changed-functions">${functions.map(({ name, change, line }) => html`
        <span key=${name}><b class=${CHANGES[change]?.className} title=${change}>${CHANGES[change]?.sign}<span class="visually-hidden"> ${change}</span></b> <${FunctionName} file=${file} name=${name} line=${line} /></span>
      `)}</p>`}
      ${kind === "other" && html`<p class="dim">Not code: your modules read this file when they ran.</p>`}
      ${kind !== "other" && !hunks.length && html`<p class="dim">No line differs.</p>`}
      ${hunks.length > 0 && html`<pre class="source diff" tabindex="0" data-testid="diff">${hunks.map((lines, index) => html`
        ${index > 0 && html`<span class="line dim" aria-hidden="true"><span class="gutter">⋯</span></span>`}
        <${Hunk} lines=${lines} />
      `)}</pre>`}
      ${is_cut && html`<p class="dim">… and more lines: the diff is long.</p>`}
    </section>
  `;
}

/** @param {{ file: string, name: string, line: number | null }} props */
function FunctionName({ file, name, line }) {
  if (!name) return "outside of functions";
  return html`<code>${visible(name)}</code>${line !== null && html` <span class="dim"><${SourceLink} file=${file} line=${line} /></span>`}`;
}

/** @param {{ lines: DiffLine[] }} props */
function Hunk({ lines }) {
  const pieces = colorLines(lines.map(({ text }) => text));
  return lines.map((line, index) => html`<${Line} line=${line} pieces=${pieces[index]} />`);
}

/** @param {{ line: DiffLine, pieces: import("../errors/python-source.js").Piece[] }} props */
function Line({ line: { sign, before, after }, pieces }) {
  const className = sign === "+" ? "line added-line" : sign === "-" ? "line removed-line" : "line";
  const word = sign === "+" ? "added " : sign === "-" ? "removed " : "";
  return html`<span class=${className}><span class="gutter">${after ?? before}</span><span aria-hidden="true">${sign} </span>${word && html`<span class="visually-hidden">${word}</span>`}<code>${colored(pieces)}</code></span>`;
}
