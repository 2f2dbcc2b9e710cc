// An error outside the console: draws it below an element of a page of the app.
//
// In a shadow root, so that neither the page's style nor the console's changes the other. Style sheets are
// adopted: a policy of the page may forbid style elements.

import { html, render } from "../vendor/preact-htm.js";
import { Editor } from "../components/source-link.js";
import { Traceback } from "./traceback.js";

/** @import { Traceback as TracebackData } from "snaxum-events" */

const SHEETS = ["page/page", "components/tables", "components/forms", "errors/traceback", "errors/standalone", "page/colors"];

/**
 * Draws `traceback` below `host`, in place of its content.
 * @param {HTMLElement} host
 * @param {{ traceback: TracebackData, editor: string | null, origin?: import("./traceback.js").Origin | null }} error
 */
export async function drawError(host, { traceback, editor, origin = null }) {
  const sheets = await Promise.all(SHEETS.map(loadSheet));
  const shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = sheets;
  render(html`<${Editor.Provider} value=${{ urlTemplate: editor, open: null }}><${Traceback} traceback=${traceback} origin=${origin} /></>`, shadow);
}

/** @param {string} name */
async function loadSheet(name) {
  const response = await fetch(new URL(`../${name}.css`, import.meta.url));
  if (!response.ok) throw new Error(`the server responded with ${response.status}`);
  return new CSSStyleSheet().replace(await response.text());
}
