// Where code is, as what opens it in an editor: a link, or a button where the server starts one.
//
// The address comes from the server, which alone knows where the project is; what the server opens is
// named by its route or its frame, and never by a path. Never makes a link to what is not below the
// project.

import { createContext, html, useContext, useState } from "./vendor/preact-htm.js";
import { openInEditor } from "./actions.js";
import { place, visible } from "./format.js";

/** `address`: the server's, with `{file}` and `{line}` left open, or null; `opens`: it starts an editor. */
export const Editor = createContext({ address: null, opens: false });

/** The address that opens a file of the project at a line, or null for any other file. */
function editorAddress(template, file, line) {
  if (!template || !isOfProject(file)) return null;
  const path = file.split("/").map(encodeURIComponent).join("/");
  return template.replace("{file}", () => path).replace("{line}", String(Number(line) || 1));
}

function isOfProject(file) {
  return Boolean(file) && !/^[/<\\]/.test(file) && !file.split("/").includes("..");
}

/**
 * `file:line` as code. `target` is what the server opens, if it does. `quiet` keeps the link out of
 * the way of Tab, for rows that are walked.
 */
export function Place({ file, line, target, quiet = false, className }) {
  const { address: template, opens } = useContext(Editor);
  const text = html`<code class=${className}>${place(file, line)}</code>`;
  if (opens && target && isOfProject(file)) return html`<${Opener} target=${target} quiet=${quiet}>${text}</>`;
  const address = editorAddress(template, file, line);
  if (!address) return text;
  return html`<a class="place-link" href=${address} title="Open in the editor" tabindex=${quiet ? -1 : null}>${text}</a>`;
}

function Opener({ target, quiet, children }) {
  const [problem, setProblem] = useState(null);
  function open(event) {
    event.stopPropagation(); // in a row it does not pick the row
    openInEditor(target).then(() => setProblem(null), (error) => setProblem(error.message));
  }
  return html`
    <button type="button" class="place-link" title="Open in the editor" tabindex=${quiet ? -1 : null} onClick=${open}>${children}</button>
    ${problem && html` <span class="bad" role="alert">${visible(problem)}</span>`}
  `;
}
