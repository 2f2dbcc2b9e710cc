// JSON and text as Python source.
//
// Pure. Works on the text of JSON, not on values of JavaScript, which would round large integers and lose `1.0`.

// Control characters and others that could make code look like other code (components/format.js).
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]/g;
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[[\]{},:]/g;
const NAMES = /** @type {Record<string, string>} */ ({ true: "True", false: "False", null: "None" });
const LINE = 80;
// Python's parser has a limit for nested brackets, and a reader an earlier one.
const MAX_DEPTH = 40;
const MAX_CHARACTERS = 20_000;

/**
 * Returns a text as a string literal. Characters that could deceive a reader are escapes.
 * @param {string} text
 */
export function pythonString(text) {
  const escaped = JSON.stringify(text).replace(/[\ud800-\udbff][\udc00-\udfff]|[\s\S]/g, (character) =>
    character.length > 1 ? character : character.replace(UNSAFE, (unsafe) => `\\u${unsafe.charCodeAt(0).toString(16).padStart(4, "0")}`),
  );
  return escaped;
}

/**
 * Returns the JSON in `text` as an expression of Python, its later lines indented by `indent`; null if it is not
 * JSON, or too much to read. `replace` may return another expression for a text in it.
 * @param {string} text
 * @param {string} indent
 * @param {(text: string) => string | null} [replace]
 */
export function pythonFromJson(text, indent, replace = () => null) {
  if (text.length > MAX_CHARACTERS || !isJson(text)) return null;
  const tokens = (text.match(TOKEN) ?? []).map((token) => {
    if (token[0] !== '"') return NAMES[token] ?? token;
    const value = JSON.parse(token);
    return replace(value) ?? pythonString(value);
  });
  if (deepest(tokens) > MAX_DEPTH) return null;
  return format(groupOf(tokens, { next: 0 }), indent, indent.length);
}

/** A token, or the parts between two brackets, each with its comma or colon. @typedef {string | { open: string, parts: Code[], close: string }} Code */

/** @param {string[]} tokens */
function deepest(tokens) {
  let [depth, most] = [0, 0];
  for (const token of tokens) {
    if (token === "[" || token === "{") most = Math.max(most, (depth += 1));
    if (token === "]" || token === "}") depth -= 1;
  }
  return most;
}

/**
 * @param {string[]} tokens
 * @param {{ next: number }} position
 * @returns {Code}
 */
function groupOf(tokens, position) {
  const open = tokens[position.next++];
  if (open !== "[" && open !== "{") return open;
  const parts = /** @type {Code[]} */ ([]);
  while (tokens[position.next] !== "]" && tokens[position.next] !== "}") {
    if (tokens[position.next] === ",") position.next += 1;
    let part = groupOf(tokens, position);
    if (tokens[position.next] === ":") {
      position.next += 1;
      part = { open: `${part}: `, parts: [groupOf(tokens, position)], close: "" };
    }
    parts.push(part);
  }
  return { open, parts, close: tokens[position.next++] };
}

/** @param {Code} code @returns {string} */
function compact(code) {
  return typeof code === "string" ? code : code.open + code.parts.map(compact).join(", ") + code.close;
}

/**
 * On one line if it fits behind `used` characters, else a line for each part.
 * @param {Code} code
 * @param {string} indent
 * @param {number} used
 * @returns {string}
 */
function format(code, indent, used) {
  const line = compact(code);
  if (typeof code === "string" || used + line.length <= LINE) return line;
  if (code.close === "") return code.open + format(code.parts[0], indent, used + code.open.length);
  const deeper = `${indent}    `;
  return `${code.open}\n${code.parts.map((part) => `${deeper}${format(part, deeper, deeper.length + 1)},\n`).join("")}${indent}${code.close}`;
}

/** @param {string} text */
function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
