// Where code is, as a link that opens it in an editor.
//
// The address comes from the server, which alone knows where the project is. Never makes a link to
// what is not below the project.

import { createContext, html, useContext } from "./vendor/preact-htm.js";
import { place } from "./format.js";

/** The server's address with `{file}` and `{line}` left open, or null. */
export const Editor = createContext(null);

/** The address that opens a file of the project at a line, or null for any other file. */
export function editorAddress(template, file, line) {
  if (!template || !file || /^[/<\\]/.test(file) || file.split("/").includes("..")) return null;
  const path = file.split("/").map(encodeURIComponent).join("/");
  return template.replace("{file}", () => path).replace("{line}", String(Number(line) || 1));
}

/** `file:line` as code. `quiet` keeps the link out of the way of Tab, for rows that are walked. */
export function Place({ file, line, quiet = false, className }) {
  const address = editorAddress(useContext(Editor), file, line);
  const text = html`<code class=${className}>${place(file, line)}</code>`;
  if (!address) return text;
  return html`<a class="place-link" href=${address} title="Open in the editor" tabindex=${quiet ? -1 : null}>${text}</a>`;
}
