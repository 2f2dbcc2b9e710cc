// A line over the last minute, small enough to stand in a row of numbers.
//
// Draws the values it is given, oldest first, and says them in words to those who do not see it.

import { html } from "./vendor/preact-htm.js";

const WIDTH = 120;
const HEIGHT = 18;

/** `label` says what the line is of; `top` is the value at the upper edge, by default the largest. */
export function Sparkline({ values, label, top, format = String }) {
  const known = values.filter((value) => value != null);
  const words = known.length ? `${label}: now ${format(values.at(-1) ?? 0)}, at most ${format(Math.max(...known))}` : `${label}: nothing yet`;
  const highest = Math.max(top ?? 0, ...known, Number.MIN_VALUE);
  const step = (WIDTH - 2) / Math.max(1, values.length - 1);
  const y = (value) => HEIGHT - 2 - (value / highest) * (HEIGHT - 4);
  return html`
    <svg class="sparkline" role="img" aria-label=${words} viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} width=${WIDTH} height=${HEIGHT} preserveAspectRatio="none">
      <title>${words}</title>
      <path d=${`M0 ${HEIGHT - 0.5}H${WIDTH}`} class="ground" />
      ${runs(values).map((run) => html`<path d=${line(run, step, y)} class=${run.values.length > 1 ? "run" : "run dot"} />`)}
    </svg>
  `;
}

/** The values in stretches without a gap, each with the place of its first. */
function runs(values) {
  const found = [];
  values.forEach((value, at) => {
    if (value == null) return;
    const last = found.at(-1);
    if (last && last.at + last.values.length === at) last.values.push(value);
    else found.push({ at, values: [value] });
  });
  return found;
}

function line({ at, values }, step, y) {
  const points = values.map((value, index) => `${(1 + (at + index) * step).toFixed(1)} ${y(value).toFixed(1)}`);
  // One value alone is a dot, which a line of no length is with round ends.
  return points.length > 1 ? `M${points.join("L")}` : `M${points[0]}h0`;
}
