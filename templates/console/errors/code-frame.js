// The lines of source around a failure, colored, with the failing columns marked.

import { html } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";
import { colorLines } from "./python-source.js";

/** @import { Frame } from "snaxum-events" */
/** @import { Piece } from "./python-source.js" */

/** @param {{ frame: Frame }} props */
export function CodeFrame({ frame }) {
  const pieces = linePieces(frame.file, frame.source.map(({ text }) => String(text)));
  return html`
    <pre class="source" tabindex="0">${frame.source.map(({ line, text }, index) => html`<${SourceLine} frame=${frame} line=${line} text=${String(text)} pieces=${pieces[index]} />`)}</pre>
  `;
}

/** @param {{ frame: Frame, line: number, text: string, pieces: Piece[] }} props */
function SourceLine({ frame, line, text, pieces }) {
  const isFailing = line >= frame.line && line <= (frame.end_line ?? frame.line);
  const [before, failed, after] = isFailing ? splitAtFailure(frame, line, text, pieces) : [pieces, [], []];
  return html`
    <span class=${isFailing ? "line failing" : "line"}>
      <span class="gutter"><span aria-hidden="true">${isFailing ? "›" : " "}</span>${isFailing && html`<span class="visually-hidden">failing line </span>`}${line}</span>
      <code>${colored(before)}${failed.length > 0 && html`<mark>${colored(failed)}</mark>`}${colored(after)}</code>
    </span>
  `;
}

/**
 * Returns the pieces of each line of a file. Only the words of Python have colors.
 * @param {string} file
 * @param {string[]} lines
 * @returns {Piece[][]}
 */
export function linePieces(file, lines) {
  return file.endsWith(".rs") ? lines.map((text) => [{ kind: "", text }]) : colorLines(lines);
}

/** @param {Piece[]} pieces */
export function colored(pieces) {
  return pieces.map(({ kind, text }) => (kind ? html`<span class=${`py-${kind}`}>${visible(text)}</span>` : visible(text)));
}

/**
 * Python counts characters, JavaScript UTF-16 units: an emoji before the failing columns would shift them.
 * @param {Frame} frame
 * @param {number} line
 * @param {string} text
 * @param {Piece[]} pieces
 */
function splitAtFailure(frame, line, text, pieces) {
  if (frame.column == null) return [pieces, [], []];
  const characters = Array.from(text);
  const indent = characters.findIndex((character) => character.trim());
  const from = line === frame.line ? frame.column : Math.max(0, indent);
  const to = line === (frame.end_line ?? frame.line) ? (frame.end_column ?? from + 1) : characters.length;
  const units = (/** @type {number} */ count) => characters.slice(0, count).join("").length;
  const [before, rest] = splitPieces(pieces, units(from));
  const [failed, after] = splitPieces(rest, units(Math.max(from, to)) - units(from));
  return [before, failed, after];
}

/**
 * Splits pieces at a position in their text.
 * @param {Piece[]} pieces
 * @param {number} position
 * @returns {[Piece[], Piece[]]}
 */
function splitPieces(pieces, position) {
  /** @type {Piece[]} */
  const before = [];
  let left = position;
  for (const [index, { kind, text }] of pieces.entries()) {
    if (text.length > left) {
      if (left > 0) before.push({ kind, text: text.slice(0, left) });
      return [before, [{ kind, text: text.slice(left) }, ...pieces.slice(index + 1)]];
    }
    before.push({ kind, text });
    left -= text.length;
  }
  return [before, []];
}
