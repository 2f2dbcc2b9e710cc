// Lines over the last minute: one small enough to stand in a row of numbers, several beside a table.
//
// Draws the values it is given, oldest first, and says them in words to those who do not see it.

import { html } from "./vendor/preact-htm.js";

const WIDTH = 120;
const HEIGHT = 18;
const WIDE = 480;
const HIGH = 96;

/** `label` says what the line is of; `top` is the value at the upper edge, by default the largest. */
export function Sparkline({ values, label, top, format = String }) {
  const known = values.filter((value) => value != null);
  const words = known.length ? `${label}: now ${format(values.at(-1))}, at most ${format(Math.max(...known))}` : `${label}: nothing yet`;
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

/**
 * Several lines on one scale with their numbers. `lines` have a `name`, the `values` and `now`; each
 * is drawn in a way of its own, which its row of the table shows.
 */
export function LineChart({ lines, title, format = String }) {
  const highest = Math.max(...lines.flatMap(({ values }) => values.filter((value) => value != null)), 0);
  const step = (WIDE - 2) / Math.max(1, (lines[0]?.values.length ?? 0) - 1);
  const y = (value) => HIGH - 2 - (value / (highest || 1)) * (HIGH - 4);
  const most = (values) => Math.max(...values.filter((value) => value != null));
  return html`
    <div class="chart">
      <svg class="lines" aria-hidden="true" viewBox=${`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none">
        <path d=${`M0 ${HIGH - 0.5}H${WIDE}`} class="ground" />
        ${lines.map(({ values }, index) => runs(values).map((run) => html`<path d=${line(run, step, y)} class=${`run line-${index} ${run.values.length > 1 ? "" : "dot"}`} />`))}
      </svg>
      <table class="facts">
        <caption class="unseen">${title}</caption>
        <thead><tr><td></td><th scope="col" class="number">last minute</th><th scope="col" class="number">worst second</th></tr></thead>
        <tbody>
          ${lines.map(({ name, about, values, now }, index) => html`
            <tr key=${name}>
              <th scope="row"><abbr title=${about}><svg class="lines sample" aria-hidden="true" viewBox="0 0 24 4"><path d="M0 2H24" class=${`run line-${index}`} /></svg>${name}</abbr></th>
              <td class="number">${format(now)}</td>
              <td class="number">${highest > 0 || values.some((value) => value != null) ? format(most(values)) : format(null)}</td>
            </tr>
          `)}
        </tbody>
      </table>
    </div>
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
