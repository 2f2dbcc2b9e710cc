// A save in one line: the files, how long ago, its outcome, and what it reached.
//
// The numbers come from save-facts.js. Never fetches anything.

/** @import { Reload } from "snaxum-events" */

import { html } from "../vendor/preact-htm.js";
import { Ago } from "../components/ago.js";
import { fileLine, milliseconds, pluralize, version, visible } from "../components/format.js";
import { SourceLink } from "../components/source-link.js";
import { failingFrame, frameNumbers } from "../errors/traceback.js";

const GLYPHS = { ok: "✔", failed: "✖", noop: "=" };
const CLASSES = { ok: "good", failed: "bad", noop: "dim" };

/**
 * `routes` and `failing` are numbers, or null where they are not counted.
 * @param {{ reload: Reload, routes: number | null, failing: number | null, hasLink?: boolean }} props
 */
export function SaveLine({ reload, routes, failing, hasLink = false }) {
  const { outcome, files, cause, time_ms, total_ms, modules, reason, generation } = reload;
  const place = placeOf(reload);
  return html`
    <span class=${CLASSES[outcome]} aria-hidden="true">${GLYPHS[outcome]}</span>${" "}
    <b class="save-files" title=${files.map(visible).join("\n")}>${filesText(files, cause)}</b>
    ${files.length > 0 && " saved"} <span class="dim"><${Ago} time_ms=${time_ms} /></span>
    ${outcome === "ok" && html`<${Fact}>live in ${milliseconds(total_ms)}</><${Fact}>${pluralize(modules.length, "module")} re-ran</>`}
    ${outcome === "ok" && reload.traceback && html`<${Fact}><b class="warn">not all modules load</b>: ${errorText(reload)}${place && html` <${Place} place=${place} reload=${reload} hasLink=${hasLink} />`}</>`}
    ${outcome === "noop" && html`<${Fact}>nothing to run${reason && `: ${visible(reason)}`}</>`}
    ${outcome === "failed" && html`<${Fact}><b class="bad">not live</b>: ${errorText(reload)}${place && html` <${Place} place=${place} reload=${reload} hasLink=${hasLink} />`}</><${Fact}>${generation ? `${version(generation)} is still live` : "nothing is live"}</>`}
    ${routes !== null && outcome === "ok" && html`<${Fact}>${pluralize(routes, "route")} affected</>`}
    ${failing !== null && failing > 0 && html`<${Fact}><b class="bad" data-testid="newly-failing">${failing} newly failing</b></>`}
  `;
}

/** @param {{ children?: unknown }} props */
function Fact({ children }) {
  return html`<span class="fact"> <span class="dim" aria-hidden="true">·</span> ${children}</span>`;
}

/** @param {{ place: { file: string, line: number, frame: number | undefined }, reload: Reload, hasLink: boolean }} props */
function Place({ place: { file, line, frame }, reload, hasLink }) {
  if (!hasLink) return html`<code class="failing-location">${fileLine(file, line)}</code>`;
  return html`<${SourceLink} file=${file} line=${line} target=${{ reload: reload.id, frame }} className="failing-location" />`;
}

/** @param {Reload} reload */
function placeOf({ traceback }) {
  const frame = traceback && failingFrame(traceback);
  return frame ? { file: frame.file, line: frame.line, frame: frameNumbers(traceback).get(frame) } : null;
}

/** @param {Reload} reload */
function errorText({ traceback, others }) {
  if (!traceback) return "the reload failed";
  const more = others.length ? `, and ${others.length} more` : "";
  return visible(`${traceback.type}: ${traceback.message.split("\n")[0]}${more}`);
}

/**
 * The last part of the path of the first file: the line has little room, and the title has all of them.
 * @param {string[]} files
 * @param {string} cause
 */
function filesText(files, cause) {
  if (!files.length) return { manual: "reload on request", start: "start of the server" }[cause] ?? visible(cause);
  const name = visible(files[0].split("/").at(-1) ?? files[0]);
  return files.length > 1 ? `${name} +${files.length - 1}` : name;
}
