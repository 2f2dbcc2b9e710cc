// A source location that opens in an editor: a link, or a button if the server starts the editor.
//
// The server provides the URL template, because only it knows the project's path. A button names a route
// or a frame, never a path. Never links to a file outside the project.

import { createContext, html, useContext, useState } from "../vendor/preact-htm.js";
import { fileLine, visible } from "./format.js";

/** @import { Click } from "../types.js" */

/**
 * `urlTemplate` has the placeholders `{file}` and `{line}`, or is null. `open` lets the server open a target,
 * by buttons, or is null.
 * @typedef {{ urlTemplate: string | null, open: ((target: object) => Promise<unknown>) | null }} Opening
 */
export const Editor = createContext(/** @type {Opening} */ ({ urlTemplate: null, open: null }));

/**
 * Returns the URL that opens a file of the project at a line, or null for any other file.
 * @param {string | null} template
 * @param {string} file
 * @param {number | null} [line]
 */
function editorUrl(template, file, line) {
  if (!template || !isInProject(file)) return null;
  const path = file.split("/").map(encodeURIComponent).join("/");
  return template.replace("{file}", () => path).replace("{line}", String(Number(line) || 1));
}

/** @param {string} file */
function isInProject(file) {
  return Boolean(file) && !/^[/<\\]/.test(file) && !file.split("/").includes("..");
}

/**
 * Opens a place in the editor, as a click on its link does.
 * @param {Opening} editor
 * @param {{ file: string, line?: number | null, target: object }} place
 */
export async function openSource({ urlTemplate, open }, { file, line, target }) {
  if (open && isInProject(file)) {
    await open(target);
    return;
  }
  const url = editorUrl(urlTemplate, file, line);
  if (!url) throw new Error(`${fileLine(file, line)} is not a file of the project`);
  Object.assign(document.createElement("a"), { href: url }).click();
}

/**
 * Shows `file:line`. `target` is the route or the frame that the server opens, if it does. `skipTab`
 * excludes the link from the Tab order, for rows that have keys of their own.
 * @param {{ file: string, line?: number | null, target?: object | null, skipTab?: boolean, className?: string }} props
 */
export function SourceLink({ file, line, target, skipTab = false, className }) {
  const { urlTemplate, open } = useContext(Editor);
  const text = html`<code class=${className}>${fileLine(file, line)}</code>`;
  if (open && target && isInProject(file)) return html`<${OpenButton} open=${() => open(target)} skipTab=${skipTab}>${text}</>`;
  const url = editorUrl(urlTemplate, file, line);
  if (!url) return text;
  return html`<a class="source-link" href=${url} title="Open in the editor" tabindex=${skipTab ? -1 : null}>${text}</a>`;
}

/** @param {{ open: () => Promise<unknown>, skipTab: boolean, children?: unknown }} props */
function OpenButton({ open, skipTab, children }) {
  const [problem, setProblem] = useState(/** @type {string | null} */ (null));
  /** @param {Click} event */
  function onClick(event) {
    event.stopPropagation(); // a click on the row itself would select it
    open().then(() => setProblem(null), (error) => setProblem(error.message));
  }
  return html`
    <button type="button" class="source-link" title="Open in the editor" tabindex=${skipTab ? -1 : null} onClick=${onClick}>${children}</button>
    ${problem && html` <span class="bad" role="alert">${visible(problem)}</span>`}
  `;
}
