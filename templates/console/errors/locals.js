// The local variables of a frame. A value with parts unfolds: attributes, items, columns.
//
// Shows what the server has recorded when the exception was raised, and fetches nothing.

import { html } from "../vendor/preact-htm.js";
import { pluralize, visible } from "../components/format.js";

/** @import { Local } from "snaxum-events" */

/** @param {{ locals: Local[], isOpen: boolean }} props */
export function Locals({ locals, isOpen }) {
  if (!locals.length) return null;
  return html`
    <details class="locals" open=${isOpen}>
      <summary>${pluralize(locals.length, "local")}</summary>
      <${Values} values=${locals} />
    </details>
  `;
}

/** @param {{ values: Local[] }} props */
function Values({ values }) {
  return html`
    <table class="facts">
      <tbody>
        ${values.map((value) => html`<tr><th scope="row"><code>${visible(value.name)}</code></th><td><${Value} value=${value} /></td></tr>`)}
      </tbody>
    </table>
  `;
}

/** @param {{ value: Local }} props */
function Value({ value: { kind, shape, value, parts = [] } }) {
  const about = [kind, shape].filter(Boolean).map(visible).join(" · ");
  const text = html`<code>${visible(value)}</code>`;
  if (!parts.length) return html`${text}${shape && html` <span class="dim">${about}</span>`}`;
  return html`
    <details class="value" data-testid="unfolding">
      <summary>${text}${about && html` <span class="dim">${about}</span>`}</summary>
      <${Values} values=${parts} />
    </details>
  `;
}
