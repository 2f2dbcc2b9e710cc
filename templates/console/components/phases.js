// The phases of a request or a reload: as a bar, a legend and a table.
//
// Bars of one list share a logarithmic scale, so that 4 ms is still visible next to 900 ms.

import { html } from "../vendor/preact-htm.js";
import { milliseconds, pluralize, visible } from "./format.js";

/** @typedef {Record<string, number | undefined>} Phases */

/**
 * The phases by their name in events and headers. Rows and legends show the label.
 * @typedef {Record<string, { label: string, meaning: string }>} PhaseNames
 */

/** @type {PhaseNames} */
export const REQUEST_PHASES = {
  read: { label: "reading", meaning: "receiving the body" },
  queue: { label: "thread", meaning: "waiting for a Python thread or the event loop" },
  gil: { label: "Python lock", meaning: "waiting for the interpreter lock" },
  py: { label: "your code", meaning: "running the handler" },
  convert: { label: "encoding", meaning: "turning the result into a response" },
  error: { label: "error", meaning: "describing an exception, and building the response to it" },
  stream: { label: "streaming", meaning: "from the return of the handler to the end of the streamed body" },
  send: { label: "sending", meaning: "writing the response to the connection" },
  other: { label: "other", meaning: "the rest, such as a handler whose client has left" },
};
// Named only where they took time, and not in the legend.
const RARE = new Set(["error", "stream", "other"]);
/** @type {PhaseNames} */
export const RELOAD_PHASES = {
  settle: { label: "saving", meaning: "waiting until the save was complete" },
  compile: { label: "compiling", meaning: "compiling the changed files" },
  stage: { label: "your modules", meaning: "running the modules, not yet live" },
  commit: { label: "going live", meaning: "switching to the new code" },
};
/** The phases of a build in Rust, and of the takeover. @type {PhaseNames} */
export const BUILD_PHASES = {
  settle: RELOAD_PHASES.settle,
  cargo: { label: "cargo", meaning: "compiling and linking the program" },
  start: { label: "starting", meaning: "starting the new program" },
  load: { label: "your modules", meaning: "loading the Python modules in it" },
  handover: { label: "handing over", meaning: "until the old program accepts no more requests" },
};

const MIN_BAR_MS = 0.1;
const MAX_BAR_MS = 10000;

/** @param {number} total_ms */
function barLength(total_ms) {
  const fraction = Math.log10(Math.max(total_ms, MIN_BAR_MS) / MIN_BAR_MS) / Math.log10(MAX_BAR_MS / MIN_BAR_MS);
  return Math.min(1, Math.max(0.04, fraction));
}

/**
 * @param {Phases} phases
 * @returns {[string, number][]}
 */
function measured(phases) {
  return Object.entries(phases ?? {}).flatMap(([name, ms]) => (typeof ms === "number" && (ms > 0 || !RARE.has(name)) ? [[name, ms]] : []));
}

/** @param {string} name */
function colorClass(name) {
  return [REQUEST_PHASES, RELOAD_PHASES, BUILD_PHASES].some((names) => Object.hasOwn(names, name)) ? `phase-${name}` : "phase-other";
}

/** @param {string} name */
function labelOf(name) {
  return (REQUEST_PHASES[name] ?? RELOAD_PHASES[name] ?? BUILD_PHASES[name])?.label ?? visible(name);
}

/**
 * The body of a streamed response, as in the protocol.
 * @typedef {{ state: string, first_byte_ms: number | null, chunks: number, bytes: number } | null | undefined} Stream
 */

/** @param {{ phases: Phases, total_ms: number, stream?: Stream }} props */
export function PhaseBar({ phases, total_ms, stream }) {
  const parts = measured(phases);
  const sum = parts.reduce((total, [, ms]) => total + ms, 0) || 1;
  const first = stream?.first_byte_ms;
  const texts = parts.map(([name, ms]) => `${labelOf(name)} ${milliseconds(ms)}`);
  if (typeof first === "number") texts.push(`first byte after ${milliseconds(first)}`);
  const text = texts.join(" · ") || "no phases measured";
  return html`
    <span class="track"><span class="bar" role="img" aria-label=${text} title=${text} style=${{ width: `${barLength(total_ms) * 100}%` }}>
      ${parts
        .filter(([, ms]) => ms / sum >= 0.01)
        .map(([name, ms]) => html`<i class=${colorClass(name)} style=${{ flexGrow: ms / sum }} />`)}
      ${typeof first === "number" && html`<b class="first-byte" style=${{ left: `${Math.min(100, (first / sum) * 100)}%` }} />`}
    </span></span>
  `;
}

// The marks are where .track in phases.css has its lines: each is ten times the one before.
const MARKS = ["1 ms", "10", "100", "1 s"];

/** The head of a column of bars: their scale. */
export function PhaseScale() {
  return html`<span class="visually-hidden">Phases</span><span class="scale" aria-hidden="true" title="the length of a bar is logarithmic">${MARKS.map((mark) => html`<span key=${mark}>${mark}</span>`)}</span>`;
}

/** @param {{ phases: PhaseNames }} props */
export function PhaseLegend({ phases }) {
  return html`
    <ul class="legend" aria-label="Phases of the bars; their length is logarithmic">
      ${Object.entries(phases).filter(([name]) => !RARE.has(name)).map(
        ([name, { label, meaning }]) => html`<li title=${meaning}><i class=${`swatch ${colorClass(name)}`} />${label}</li>`,
      )}
    </ul>
  `;
}

/** @type {Record<string, string>} */
const STREAM_STATES = {
  open: "the response is still streaming",
  complete: "the body was complete",
  aborted: "an exception has ended the body",
  client: "the client has left",
};

/** @param {{ phases: Phases, total_ms: number, meanings: PhaseNames, stream?: Stream }} props */
export function PhaseTable({ phases, total_ms, meanings, stream }) {
  const parts = measured(phases);
  return html`
    <table class="facts timing">
      <caption class="visually-hidden">Time by phase</caption>
      <tbody>
        ${parts.map(
          ([name, ms]) => html`
            <tr>
              <th scope="row"><abbr title=${`${visible(name)} in events and headers`}><i class=${`swatch ${colorClass(name)}`} />${labelOf(name)}</abbr></th>
              <td class="number">${milliseconds(ms)}</td>
              <td class="dim">${meanings[name]?.meaning}</td>
            </tr>
          `,
        )}
        <tr class="sum">
          <th scope="row">total</th>
          <td class="number">${milliseconds(total_ms)}</td>
          <td class="dim">${stream?.state === "open" && "so far"}</td>
        </tr>
        ${stream && html`
          <tr data-testid="first-byte">
            <th scope="row">first byte</th>
            <td class="number">${milliseconds(stream.first_byte_ms)}</td>
            <td class="dim">${STREAM_STATES[stream.state] ?? visible(stream.state)}${stream.state !== "open" && `: ${pluralize(stream.chunks, "chunk")}, ${pluralize(stream.bytes, "byte")}`}</td>
          </tr>
        `}
      </tbody>
    </table>
  `;
}
