// The changes of a reload for clients of the API: a short summary, and the list.
//
// The server compares the OpenAPI documents; this file only shows the result.

/** @import { ContractDiff } from "snaxum-events" */

import { html } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";

const EFFECTS = {
  breaking: { glyph: "✖", className: "bad", one: "breaks clients", many: "break clients" },
  warning: { glyph: "▲", className: "warn", one: "may break clients", many: "may break clients" },
  compatible: { glyph: "·", className: "dim", one: "compatible change", many: "compatible changes" },
};
const EFFECT_NAMES = /** @type {(keyof typeof EFFECTS)[]} */ (Object.keys(EFFECTS));

/**
 * A mark for the row of a reload: the number of changes of the worst effect.
 * @param {{ contract: ContractDiff }} props
 */
export function ContractSummary({ contract: { changes } }) {
  const effect = EFFECT_NAMES.find((name) => changes.some((change) => change.effect === name));
  if (!effect) return null;
  const { glyph, className, one, many } = EFFECTS[effect];
  const count = changes.filter((change) => change.effect === effect).length;
  return html`<span class="change" data-testid="contract-summary"><b class=${className}>${glyph}</b> ${count} ${count === 1 ? one : many}</span>`;
}

/**
 * All changes, breaking ones first.
 * @param {{ contract: ContractDiff }} props
 */
export function ContractList({ contract: { changes, left_out } }) {
  return html`
    <ul class="contract">
      ${changes.map(({ effect, operation, text }) => {
        const { glyph, className } = EFFECTS[effect] ?? EFFECTS.compatible;
        return html`<li><b class=${className} title=${visible(effect)}>${glyph}<span class="visually-hidden"> ${visible(effect)}:</span></b> <code>${visible(operation)}</code> ${visible(text)}</li>`;
      })}
    </ul>
    ${left_out > 0 && html`<p class="dim">… and ${left_out} more</p>`}
  `;
}
