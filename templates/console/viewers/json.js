// Reads JSON that may be cut, nested deeply, or wrong from some character on: all before that is shown.
//
// A JavaScript object would lose the digits of a number, equal keys and their order. Never recurses.

/** A number whose text JavaScript would write in another way: `1.50`, or more digits than a double has. */
export class JsonNumber {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }

  valueOf() {
    return Number(this.text);
  }
}

/** An object: keys and values in their order. */
export class JsonObject {
  /** @type {string[]} */ keys = [];
  /** @type {JsonValue[]} */ values = [];
  /** @type {Map<string, number> | null} */ #index = null;

  /**
   * Returns the last value of a key, or undefined.
   * @param {string} key
   * @returns {JsonValue | undefined}
   */
  get(key) {
    if (this.keys.length < 8) return this.values[this.keys.lastIndexOf(key)];
    this.#index ??= new Map(this.keys.map((each, position) => [each, position]));
    return this.values[this.#index.get(key) ?? -1];
  }
}

/** @typedef {string | number | boolean | null | JsonNumber | JsonObject | JsonValue[]} JsonValue */

const WHITE = /[ \t\r\n]*/y;
const STRING = /"[^"\\]*(?:\\[^][^"\\]*)*("?)/y;
const WORD = /-?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|Infinity)|NaN|true|false|null/y;
/** @type {Map<string, JsonValue>} */
const WORDS = new Map(/** @type {[string, JsonValue][]} */ ([["true", true], ["false", false], ["null", null], ["NaN", NaN], ["Infinity", Infinity], ["-Infinity", -Infinity]]));

/**
 * Returns the value of a JSON text, as far as it is valid, and the reason why it is not all; `value` is
 * undefined if the text does not begin with JSON.
 * @param {string} text
 * @returns {{ value: JsonValue | undefined, problem: string | null }}
 */
export function readJson(text) {
  /** @type {(JsonObject | JsonValue[])[]} */
  const open = [];
  let at = 0;
  /** @type {JsonValue | undefined} */
  let root;
  /** @type {string | null} */
  let key = null;
  // The next token may be a value, its end if the container is empty, a key, or a comma.
  let state = "value";
  const skip = (/** @type {RegExp} */ pattern) => {
    pattern.lastIndex = at;
    const [found] = pattern.exec(text) ?? [null];
    if (found !== null) at += found.length;
    return found;
  };
  const stop = (/** @type {string} */ wanted) => ({
    value: root,
    problem: at >= text.length || !wanted ? `ends at character ${at} of a value that is not complete` : `is not JSON from character ${at} on: ${wanted} is missing`,
  });
  /** @param {JsonValue} value */
  function add(value) {
    const container = open.at(-1);
    if (!container) root = value;
    else if (Array.isArray(container)) container.push(value);
    else {
      container.keys.push(/** @type {string} */ (key));
      container.values.push(value);
    }
    state = isContainer(value) ? "first" : "after";
    if (isContainer(value)) open.push(value);
  }
  function string() {
    STRING.lastIndex = at;
    const found = STRING.exec(text);
    if (!found) return null;
    at += found[0].length;
    const isWhole = found[1] !== "";
    return { text: unescape(found[0].slice(1, isWhole ? -1 : undefined)), isWhole };
  }

  for (;;) {
    skip(WHITE);
    const container = open.at(-1);
    if (state === "after" && !container) return at < text.length ? stop("the end") : { value: root, problem: null };
    if (at >= text.length) return stop("");
    const letter = text[at];
    const closer = Array.isArray(container) ? "]" : "}";
    if ((state === "first" || state === "after") && letter === closer) {
      at += 1;
      open.pop();
      state = "after";
    } else if (state === "after") {
      if (letter !== ",") return stop(`"," or "${closer}"`);
      at += 1;
      state = "value";
    } else if (container instanceof JsonObject && key === null) {
      const name = string();
      if (!name) return stop("a key");
      skip(WHITE);
      if (!name.isWhole || text[at] !== ":") return stop('":"');
      at += 1;
      key = name.text;
      state = "value";
    } else {
      if (letter === "{" || letter === "[") {
        at += 1;
        add(letter === "{" ? new JsonObject() : []);
      } else if (letter === '"') {
        const found = /** @type {{ text: string, isWhole: boolean }} */ (string());
        add(found.text);
        if (!found.isWhole) return stop("");
      } else {
        const word = skip(WORD);
        if (word === null) return stop("a value");
        if (WORDS.has(word)) add(/** @type {JsonValue} */ (WORDS.get(word)));
        else add(String(Number(word)) === word ? Number(word) : new JsonNumber(word));
      }
      key = null;
    }
  }
}

/** @param {string} text the content of a string's quotes */
function unescape(text) {
  if (!text.includes("\\")) return text;
  try {
    return JSON.parse(`"${text}"`);
  } catch {
    return text;
  }
}

/**
 * Returns the number of values in a container, and 0 for any other value.
 * @param {unknown} value
 */
export function sizeOf(value) {
  return value instanceof JsonObject ? value.values.length : Array.isArray(value) ? value.length : 0;
}

/**
 * @param {unknown} value
 * @returns {value is JsonObject | JsonValue[]}
 */
export function isContainer(value) {
  return value instanceof JsonObject || Array.isArray(value);
}

/**
 * Returns a value as JSON in one line, cut after about `limit` characters.
 * @param {JsonValue} value
 * @param {number} [limit]
 */
export function jsonText(value, limit = Infinity) {
  let text = "";
  /** Values, and texts between them in an object of their own. @type {any[]} */
  const rest = [value];
  while (rest.length) {
    if (text.length > limit) return `${text.slice(0, limit)}…`;
    const next = rest.pop();
    if (next?.between !== undefined) text += next.between;
    else if (Array.isArray(next)) {
      rest.push({ between: "]" });
      for (let index = next.length - 1; index >= 0; index -= 1) rest.push(next[index], { between: index ? ", " : "[" });
      if (!next.length) text += "[";
    } else if (next instanceof JsonObject) {
      rest.push({ between: "}" });
      for (let index = next.keys.length - 1; index >= 0; index -= 1) rest.push(next.values[index], { between: `${index ? ", " : "{"}${JSON.stringify(next.keys[index])}: ` });
      if (!next.keys.length) text += "{";
    } else text += scalarText(next);
  }
  return text;
}

/**
 * Returns a value that is not a container as JSON; `NaN` as Python writes it.
 * @param {JsonValue} value
 */
export function scalarText(value) {
  if (value instanceof JsonNumber) return value.text;
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
