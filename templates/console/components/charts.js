// Line charts of the last minute: a sparkline for a row of numbers, and a chart of several lines with a table.
//
// Draws the values it receives, oldest first, and provides them as text for screen readers.

import { html } from "../vendor/preact-htm.js";

const SPARKLINE_WIDTH = 120;
const SPARKLINE_HEIGHT = 18;
const CHART_WIDTH = 480;
const CHART_HEIGHT = 96;

/** @typedef {(number | null)[]} Values */
/** @typedef {(value: any) => string} Format */

/**
 * `label` names the values; `top` is the value at the upper edge, by default the largest.
 * @param {{ values: Values, label: string, top?: number, format?: Format }} props
 */
export function Sparkline({ values, label, top, format = String }) {
  const known = values.filter((value) => value != null);
  const text = known.length ? `${label}: now ${format(values.at(-1))}, at most ${format(Math.max(...known))}` : `${label}: no data yet`;
  const highest = Math.max(top ?? 0, ...known, Number.MIN_VALUE);
  const step = (SPARKLINE_WIDTH - 2) / Math.max(1, values.length - 1);
  const y = (/** @type {number} */ value) => SPARKLINE_HEIGHT - 2 - (value / highest) * (SPARKLINE_HEIGHT - 4);
  return html`
    <svg class="sparkline" role="img" aria-label=${text} viewBox=${`0 0 ${SPARKLINE_WIDTH} ${SPARKLINE_HEIGHT}`} width=${SPARKLINE_WIDTH} height=${SPARKLINE_HEIGHT} preserveAspectRatio="none">
      <title>${text}</title>
      <path d=${`M0 ${SPARKLINE_HEIGHT - 0.5}H${SPARKLINE_WIDTH}`} class="baseline" />
      ${segments(values).map((segment) => html`<path d=${linePath(segment, step, y)} class=${segment.values.length > 1 ? "segment" : "segment dot"} />`)}
    </svg>
  `;
}

/**
 * Several lines on one scale, and a table of their numbers. `lines` have a `name`, the `values` and the
 * value of the whole minute, `minute`; `span` is the time between the ends of the scale. Each line each has a style of its own, which its row of the table shows.
 * @param {{ lines: { name: string, about: string, values: Values, minute: number | null }[], title: string, span: string, format?: Format }} props
 */
export function LineChart({ lines, title, span, format = String }) {
  const highest = Math.max(...lines.flatMap(({ values }) => values.filter((value) => value != null)), 0);
  const step = (CHART_WIDTH - 2) / Math.max(1, (lines[0]?.values.length ?? 0) - 1);
  const y = (/** @type {number} */ value) => CHART_HEIGHT - 2 - (value / (highest || 1)) * (CHART_HEIGHT - 4);
  const max = (/** @type {Values} */ values) => Math.max(...values.filter((value) => value != null));
  return html`
    <div class="chart">
      <div class="plot" aria-hidden="true">
        <span class="y-axis"><span>${highest > 0 ? format(highest) : ""}</span><span>${highest > 0 ? format(highest / 2) : ""}</span><span>${format(0)}</span></span>
        <svg class="lines" viewBox=${`0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`} preserveAspectRatio="none">
        <path d=${`M0 ${CHART_HEIGHT - 0.5}H${CHART_WIDTH}M0 ${CHART_HEIGHT / 2}H${CHART_WIDTH}M0 2H${CHART_WIDTH}`} class="baseline" />
        ${lines.map(({ values }, index) => segments(values).map((segment) => html`<path d=${linePath(segment, step, y)} class=${`segment line-${index} ${segment.values.length > 1 ? "" : "dot"}`} />`))}
        </svg>
        <span class="x-axis"><span>${span} ago</span><span>now</span></span>
      </div>
      <table class="facts">
        <caption class="visually-hidden">${title}</caption>
        <thead><tr><td></td><th scope="col" class="number">last minute</th><th scope="col" class="number">worst second</th></tr></thead>
        <tbody>
          ${lines.map(({ name, about, values, minute }, index) => html`
            <tr key=${name}>
              <th scope="row"><abbr title=${about}><svg class="lines sample" aria-hidden="true" viewBox="0 0 24 4"><path d="M0 2H24" class=${`segment line-${index}`} /></svg>${name}</abbr></th>
              <td class="number">${format(minute)}</td>
              <td class="number">${highest > 0 || values.some((value) => value != null) ? format(max(values)) : format(null)}</td>
            </tr>
          `)}
        </tbody>
      </table>
    </div>
  `;
}

/** @typedef {{ start: number, values: number[] }} Segment */

/**
 * Splits the values into segments without a gap, each with the index of its first value.
 * @param {Values} values
 */
function segments(values) {
  /** @type {Segment[]} */
  const found = [];
  values.forEach((value, index) => {
    if (value == null) return;
    const last = found.at(-1);
    if (last && last.start + last.values.length === index) last.values.push(value);
    else found.push({ start: index, values: [value] });
  });
  return found;
}

/**
 * @param {Segment} segment
 * @param {number} step
 * @param {(value: number) => number} y
 */
function linePath({ start, values }, step, y) {
  const points = values.map((value, index) => `${(1 + (start + index) * step).toFixed(1)} ${y(value).toFixed(1)}`);
  // A single value is a dot: a line of length zero with round ends.
  return points.length > 1 ? `M${points.join("L")}` : `M${points[0]}h0`;
}
