// An error outside the console: draws it below an element of a page of the app, with its actions.
//
// In a shadow root, so that neither the page's style nor the console's changes the other. Style sheets are
// adopted: a policy of the page may forbid style elements.

import { html, render, useState } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";
import { Editor } from "../components/source-link.js";
import { get, post } from "./page-api.js";
import { Traceback } from "./traceback.js";

/** @import { Traceback as TracebackData } from "snaxum-events" */

const SHEETS = ["page/theme", "page/base", "components/facts", "errors/traceback", "errors/standalone", "page/colors"];

/**
 * Draws `traceback` below `host`, in place of its content. The server opens the editor if `opensEditor`; `run` is its
 * run.
 * @param {HTMLElement} host
 * @param {{ traceback: TracebackData, editor: string | null, opensEditor: boolean, run: string, origin?: import("./traceback.js").Origin | null }} error
 */
export async function drawError(host, { traceback, editor, opensEditor, run, origin = null }) {
  const sheets = await Promise.all(SHEETS.map(loadSheet));
  const shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = sheets;
  const opening = { urlTemplate: editor, open: opensEditor ? (/** @type {object} */ target) => post("open", target) : null };
  render(html`
    <${Editor.Provider} value=${opening}>
      ${origin?.request && html`<${Replay} id=${origin.request} run=${run} />`}
      <${Traceback} traceback=${traceback} origin=${origin} />
    </>
  `, shadow);
}

/**
 * Sends the request again, and links to the new one: a page that a form has sent could not be loaded again without
 * its fields.
 * @param {{ id: string, run: string }} props
 */
function Replay({ id, run }) {
  const [sent, setSent] = useState(/** @type {{ id: string, status: number } | null} */ (null));
  const [problem, setProblem] = useState("");
  const [isSending, setSending] = useState(false);
  async function send() {
    if (isSending) return;
    setSending(true);
    setProblem("");
    try {
      // A restarted server numbers its requests from 1 again: this would send another one.
      if ((await get("status")).run_id !== run) throw new Error("The server has restarted, and has dropped this request.");
      setSent(await post(`requests/${encodeURIComponent(id)}/replay`));
    } catch (error) {
      setProblem(/** @type {Error} */ (error).message);
    } finally {
      setSending(false);
    }
  }
  return html`
    <p class="actions">
      <button type="button" onClick=${send}>Replay the request</button>
      <span role="status" data-testid="replay-result">
        ${isSending ? html`<span class="dim">Waiting for the response…</span>` : sent && html`Replayed as <a href=${`/__snaxum/#requests?open=${encodeURIComponent(sent.id)}`} target="_blank" rel="noopener">#${visible(sent.id)}</a>: <b class=${sent.status >= 400 ? "bad" : "good"}>${sent.status}</b>`}
        ${problem && html`<span class="bad">${visible(problem)}</span>`}
      </span>
    </p>
  `;
}

/** @param {string} name */
async function loadSheet(name) {
  const response = await fetch(new URL(`../${name}.css`, import.meta.url));
  if (!response.ok) throw new Error(`the server responded with ${response.status}`);
  return new CSSStyleSheet().replace(await response.text());
}
