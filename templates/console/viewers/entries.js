// The parts of a text that came one after the other: server-sent events, JSON lines, or the pieces of any stream.
//
// Gives each part the time at which it was complete, if the pieces of the stream are known.

/**
 * @typedef {object} Entry
 * @property {number} number its key, and its place in all of them
 * @property {string} [name] what it is: a direction, or the name of an event
 * @property {string | null} text
 * @property {number} size in bytes
 * @property {string | null} [note] why the text is missing or cut
 * @property {number} [time_ms] when it came, since 1970
 * @property {number} [after_ms] when it came, since the head of the request
 */

/** A piece of a stream: where it begins, and when it came. @typedef {import("snaxum-events").StreamPiece} Piece */

const encoder = new TextEncoder();
const bytesOf = (/** @type {string} */ text) => encoder.encode(text).length;

/**
 * Returns the entries of `text/event-stream`.
 * @param {string} text
 * @param {Piece[]} pieces
 * @returns {Entry[]}
 */
export function serverSentEvents(text, pieces) {
  /** @type {Entry[]} */
  const entries = [];
  /** @type {string[]} */
  let data = [];
  let [event, id, comment, size] = ["", "", "", 0];
  const timeOf = lineTimes(pieces);
  text.split("\n").forEach((whole, index, lines) => {
    const line = whole.replace(/\r$/, "");
    const [, name, value] = /** @type {RegExpMatchArray} */ (line.match(/^([^:]*):? ?(.*)$/s));
    if (line) size += bytesOf(whole) + 1;
    if (name === "data") data.push(value);
    else if (name === "event") event = value;
    else if (name === "id") id = value;
    else if (line.startsWith(":")) comment = value;
    if ((line && index < lines.length - 1) || !size) return;
    const isComment = !data.length && !event && comment !== "";
    const names = [isComment ? "comment" : event || "message", id && `#${id}`];
    entries.push({ number: entries.length + 1, name: names.filter(Boolean).join(" "), text: isComment ? comment : data.join("\n"), size, after_ms: timeOf(index) });
    [data, event, id, comment, size] = [[], "", "", "", 0];
  });
  return entries;
}

/**
 * Returns the entries of JSON lines.
 * @param {string} text
 * @param {Piece[]} pieces
 * @returns {Entry[]}
 */
export function jsonLines(text, pieces) {
  /** @type {Entry[]} */
  const entries = [];
  const timeOf = lineTimes(pieces);
  text.split("\n").forEach((line, index) => {
    if (line.trim()) entries.push({ number: entries.length + 1, text: line.replace(/^\x1e/, "").trim(), size: bytesOf(line), after_ms: timeOf(index) });
  });
  return entries;
}

/**
 * Returns the pieces of a text as they were sent.
 * @param {string} text
 * @param {Piece[]} pieces
 * @returns {Entry[]}
 */
export function textPieces(text, pieces) {
  return pieces.map(({ at, after_ms }, index) => {
    const piece = text.slice(at ?? 0, pieces[index + 1]?.at ?? undefined);
    return { number: index + 1, text: piece, size: bytesOf(piece), after_ms };
  });
}

/**
 * Returns a function that returns when a line was complete; it is called with ever later lines.
 * @param {Piece[]} pieces
 * @returns {(line: number) => number | undefined}
 */
function lineTimes(pieces) {
  let next = 0;
  return (line) => {
    while (next < pieces.length && pieces[next].line <= line) next += 1;
    return pieces[next - 1]?.after_ms;
  };
}
