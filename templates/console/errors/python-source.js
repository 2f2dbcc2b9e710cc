// Colors of Python source: splits lines into pieces, each with its kind.
//
// Reads a few lines out of a file, so it guesses: a docstring that began above them is taken for code.

/** @typedef {{ kind: string, text: string }} Piece */

const KEYWORDS = new Set(
  (
    "False None True and as assert async await break class continue def del elif else except finally for from global if import in is " +
    "lambda nonlocal not or pass raise return try while with yield match case"
  ).split(" "),
);
const STRING_START = /[rbuftRBUFT]{0,2}("""|'''|"|')/y;
const NUMBER = /(?:0[xXoObB][\da-fA-F_]+|\d[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?\d+)?|\.\d[\d_]*(?:[eE][+-]?\d+)?)[jJ]?/y;
const NAME = /[\p{L}_][\p{L}\p{N}_]*/uy;
const DECORATOR = /@[\p{L}_][\p{L}\p{N}_.]*/uy;
const OTHER = /[^\p{L}\p{N}_"'#@.]+|./suy;

/**
 * Returns the pieces of each line. The texts of a line's pieces add up to the line.
 * @param {string[]} lines
 * @returns {Piece[][]}
 */
export function colorLines(lines) {
  /** The quotes of a string that continues on the next line. */
  let open = "";
  return lines.map((line) => {
    /** @type {Piece[]} */
    const pieces = [];
    let at = 0;
    /** @param {string} kind @param {number} end */
    const add = (kind, end) => {
      pieces.push({ kind, text: line.slice(at, end) });
      at = end;
    };
    if (open) {
      const end = endOfString(line, 0, open);
      if (end >= 0) open = "";
      add("string", end < 0 ? line.length : end);
    }
    let isDefinition = false;
    while (at < line.length) {
      /** @param {RegExp} pattern */
      const find = (pattern) => {
        pattern.lastIndex = at;
        return pattern.exec(line);
      };
      const string = find(STRING_START);
      if (string) {
        const end = endOfString(line, at + string[0].length, string[1]);
        if (end < 0 && string[1].length === 3) open = string[1];
        add("string", end < 0 ? line.length : end);
      } else if (line[at] === "#") {
        add("comment", line.length);
      } else if (!line.slice(0, at).trim() && find(DECORATOR)) {
        add("decorator", DECORATOR.lastIndex);
      } else if (find(NAME)) {
        const word = line.slice(at, NAME.lastIndex);
        const kind = isDefinition ? "definition" : KEYWORDS.has(word) ? "keyword" : "";
        isDefinition = word === "def" || word === "class";
        add(kind, NAME.lastIndex);
      } else if (find(NUMBER)) {
        add("number", NUMBER.lastIndex);
      } else {
        find(OTHER);
        add("", OTHER.lastIndex);
      }
    }
    return pieces;
  });
}

/**
 * Returns the position after the end of a string, or -1 if the line does not have it.
 * @param {string} line
 * @param {number} from
 * @param {string} quotes
 */
function endOfString(line, from, quotes) {
  for (let at = from; at < line.length; at += 1) {
    if (line[at] === "\\") at += 1;
    else if (line.startsWith(quotes, at)) return at + quotes.length;
  }
  return -1;
}
