// A form in the menu of the list: it adds a column of a header or of cookies.

import { html, useState } from "../vendor/preact-htm.js";
import { KINDS } from "./header-columns.js";

/** @import { Input } from "../types.js" */
/** @import { Chosen } from "./header-columns.js" */

// Names to choose from; any other can be typed.
const EXAMPLES = ["accept", "accept-language", "authorization", "cache-control", "content-encoding", "content-type", "etag", "location", "origin", "referer", "user-agent", "vary", "x-forwarded-for"];

/** @param {{ add: (column: Chosen) => string | null }} props */
export function AddColumn({ add }) {
  const [kind, setKind] = useState(/** @type {Chosen["kind"]} */ ("request"));
  const [name, setName] = useState("");
  const [problem, setProblem] = useState(/** @type {string | null} */ (null));
  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    const why = add({ kind, name });
    setProblem(why);
    if (!why) setName("");
  }
  return html`
    <form class="add-column" aria-label="Add a column" data-testid="add-column" onSubmit=${submit}>
      <b>Add a column</b>
      <select aria-label="Kind of column" value=${kind} onChange=${(/** @type {Input} */ { target }) => setKind(/** @type {Chosen["kind"]} */ (target.value))}>
        ${Object.entries(KINDS).map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}
      </select>
      ${kind !== "cookies" && html`
        <input type="text" name="column" aria-label=${kind === "cookie" ? "Name of the cookie" : "Name of the header"} value=${name} list="header-names" autocomplete="off" autocapitalize="off" spellcheck=${false}
          placeholder=${kind === "cookie" ? "session" : "user-agent"} onInput=${(/** @type {Input} */ { target }) => setName(target.value)} />
        <datalist id="header-names">${kind !== "cookie" && EXAMPLES.map((each) => html`<option key=${each} value=${each} />`)}</datalist>
      `}
      <button type="submit">Add</button>
      ${problem && html`<p class="warn" role="alert">${problem}</p>`}
    </form>
  `;
}
