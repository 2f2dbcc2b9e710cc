// JSON as a tree that folds, searches and gives the path of a value, after the tree pattern of WAI-ARIA.
//
// Draws only the rows that can be seen, so that neither size nor depth slows it. Never recurses.

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { CopyButton } from "../components/copy-button.js";
import { pluralize, visible } from "../components/format.js";
import { useUniqueId } from "../components/unique-id.js";
import { rowHeight, scrollTo, useViewport, visibleItems } from "../components/viewport.js";
import { isContainer, JsonObject, jsonText, scalarText, sizeOf } from "./json.js";

/** @import { Input, KeyPress } from "../types.js" */
/** @import { JsonValue } from "./json.js" */

/**
 * @typedef {object} TreeRow
 * @property {TreeRow | null} parent
 * @property {number} position in the parent
 * @property {string | number | null} key
 * @property {JsonValue} value
 * @property {number} depth
 */

// The rows that are open at first.
const OPEN_ROWS = 100;
const MAX_MATCHES = 2000;
const MAX_SCALAR = 300;
const MAX_TEXT = 20_000;
// Deeper rows are not indented further: their depth is written in front.
const MAX_INDENT = 24;

/** @typedef {{ all: boolean | null, changed: Map<JsonValue, boolean> }} Folds which containers the user opened or closed */

/** By the root of a tree: they survive opening another request and coming back. @type {WeakMap<object, Folds>} */
const foldsOf = new WeakMap();

/** @param {{ value: JsonValue, label?: string }} props */
export function JsonTree({ value: root, label = "JSON" }) {
  const id = useUniqueId("tree");
  const scrolled = useRef(/** @type {HTMLElement | null} */ (null));
  const view = useViewport(scrolled);
  const height = rowHeight();
  const [{ folds }, drawFolds] = useState({ folds: storedFolds(root) });
  const setFolds = (/** @type {Folds} */ folds) => {
    if (isContainer(root)) foldsOf.set(root, folds);
    drawFolds({ folds });
  };
  const [active, setActive] = useState(0);
  const [needle, setNeedle] = useState("");
  const first = useMemo(() => openAtFirst(root), [root]);
  const isOpen = (/** @type {JsonValue} */ container) => folds.changed.get(container) ?? folds.all ?? first.has(container);
  const rows = useMemo(() => flatten(root, isOpen), [root, folds]);
  const matches = useMemo(() => (needle ? search(root, needle.toLowerCase()) : []), [root, needle]);
  const [match, setMatch] = useState(0);
  // The match that is scrolled to once its row is open.
  const wanted = useRef(/** @type {TreeRow | null} */ (null));
  useEffect(() => {
    drawFolds({ folds: storedFolds(root) });
    setActive(0);
  }, [root]);
  useEffect(() => showMatch(0), [matches]);
  useEffect(() => {
    const target = wanted.current;
    const index = target ? rows.findIndex((row) => row.position === target.position && row.parent?.value === target.parent?.value) : -1;
    if (index < 0) return; // its row opens with the next draw
    wanted.current = null;
    activate(index);
  }, [rows, match, matches]);

  /** @param {number} index */
  function activate(index) {
    if (index < 0 || index >= rows.length || !scrolled.current) return;
    setActive(index);
    scrollTo(scrolled.current, index * height, (index + 1) * height);
  }
  /**
   * @param {JsonValue} container
   * @param {boolean} isNowOpen
   */
  function fold(container, isNowOpen) {
    setFolds({ ...folds, changed: new Map(folds.changed).set(container, isNowOpen) });
  }
  /** @param {number} index */
  function showMatch(index) {
    if (!matches.length) return;
    const next = (index + matches.length) % matches.length;
    const changed = new Map(folds.changed);
    for (let row = matches[next].parent; row !== null; row = row.parent) changed.set(row.value, true);
    wanted.current = matches[next];
    setMatch(next);
    setFolds({ ...folds, changed });
  }
  /** @param {KeyPress} event */
  function onKeyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows[active];
    const [container, open] = [sizeOf(row.value) > 0, isContainer(row.value) && isOpen(row.value)];
    if (event.key === "ArrowRight" && container && !open) fold(row.value, true);
    else if (event.key === "ArrowLeft" && container && open) fold(row.value, false);
    else if (event.key === "ArrowLeft" && row.parent) activate(rows.indexOf(row.parent));
    else if ((event.key === "Enter" || event.key === " ") && container) fold(row.value, !open);
    else {
      const page = Math.max(1, Math.floor(view.height / height) - 1);
      /** @type {Record<string, number>} */
      const steps = { ArrowDown: 1, ArrowRight: container ? 1 : 0, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
      const step = steps[event.key];
      if (step === undefined) return;
      activate(Math.max(0, Math.min(active + step, rows.length - 1)));
    }
    event.preventDefault();
  }

  const [from, end] = visibleItems(view.top, view.height, height, rows.length);
  const shown = rows[Math.min(active, rows.length - 1)];
  return html`
    <div class="json-tree" data-testid="json-tree">
      <div class="viewer-bar">
        <label>Find <input type="text" value=${needle} spellcheck=${false} onInput=${(/** @type {Input} */ event) => setNeedle(event.target.value)}
          onKeyDown=${(/** @type {KeyPress} */ event) => event.key === "Enter" && showMatch(match + (event.shiftKey ? -1 : 1))} /></label>
        <span class="dim" role="status">${needle && (matches.length ? `${match + 1} of ${matches.length}${matches.length === MAX_MATCHES ? "+" : ""}` : "not found")}</span>
        <span class="spacer"></span>
        <button type="button" onClick=${() => setFolds({ all: true, changed: new Map() })}>Open all</button>
        <button type="button" onClick=${() => { setFolds({ all: false, changed: new Map([[root, true]]) }); setActive(0); }}>Close all</button>
      </div>
      <div class="tree-scroll" ref=${scrolled}>
        <div role="tree" tabindex="0" aria-label=${label} aria-activedescendant=${`${id}-${active}`} onKeyDown=${onKeyDown} style=${{ height: `${rows.length * height}px`, paddingTop: `${from * height}px` }}>
          ${rows.slice(from, end).map((row, offset) => {
            const index = from + offset;
            const size = sizeOf(row.value);
            return html`
              <div key=${index} role="treeitem" id=${`${id}-${index}`} aria-level=${row.depth + 1} aria-setsize=${row.parent ? sizeOf(row.parent.value) : 1} aria-posinset=${row.position + 1}
                aria-expanded=${size ? String(isOpen(row.value)) : null} aria-selected=${index === active} style=${{ height: `${height}px`, paddingLeft: `${0.5 + Math.min(row.depth, MAX_INDENT)}rem` }}
                onClick=${() => { setActive(index); if (size) fold(row.value, !isOpen(row.value)); }}>
                <${Row} row=${row} isOpen=${size > 0 && isOpen(row.value)} needle=${needle.toLowerCase()} />
              </div>
            `;
          })}
        </div>
      </div>
      <${Path} row=${shown} />
    </div>
  `;
}

/**
 * @param {JsonValue} root
 * @returns {Folds}
 */
function storedFolds(root) {
  return (isContainer(root) && foldsOf.get(root)) || { all: null, changed: new Map() };
}

/** @param {{ row: TreeRow, isOpen: boolean, needle: string }} props */
function Row({ row: { key, value, depth }, isOpen, needle }) {
  const size = sizeOf(value);
  return html`
    <span class="twisty" aria-hidden="true">${size ? (isOpen ? "▾" : "▸") : ""}</span>
    ${depth > MAX_INDENT && html`<span class="dim">${depth} deep </span>`}
    ${key !== null && html`<span class="key"><${Marked} text=${visible(key)} needle=${needle} /></span><span class="dim">: </span>`}
    ${isContainer(value)
      ? html`<span class="dim">${value instanceof JsonObject ? `{${size ? pluralize(size, "key") : ""}}` : `[${size ? pluralize(size, "item") : ""}]`}</span>${size > 0 && !isOpen && html` <span class="dim">${visible(jsonText(value, 80))}</span>`}`
      : html`<span class=${`scalar-${value === null ? "null" : typeof value === "string" ? "text" : "other"}`}><${Marked} text=${visible(cut(scalarText(value)))} needle=${needle} /></span>`}
  `;
}

const cut = (/** @type {string} */ text) => (text.length > MAX_SCALAR ? `${text.slice(0, MAX_SCALAR)}…` : text);

/**
 * A text in which the searched part is marked.
 * @param {{ text: string, needle: string }} props
 */
function Marked({ text, needle }) {
  const at = needle ? text.toLowerCase().indexOf(needle) : -1;
  return at < 0 ? text : html`${text.slice(0, at)}<mark>${text.slice(at, at + needle.length)}</mark>${text.slice(at + needle.length)}`;
}

/**
 * The path of the active row, as Python writes it after the name of the value.
 * @param {{ row: TreeRow }} props
 */
function Path({ row }) {
  const path = pathOf(row);
  const { value } = row;
  const isLong = typeof value === "string" && value.length > MAX_SCALAR;
  return html`
    <div class="tree-path">
      <p class="actions">
        <code data-testid="json-path">${path.length > 200 ? `…${visible(path.slice(-200))}` : visible(path) || "the whole value"}</code>
        ${path && html`<${CopyButton} key="path" label="Copy path" text=${() => path} />`}
        <${CopyButton} key="value" label="Copy value" text=${() => (typeof value === "string" ? value : jsonText(value))} />
      </p>
      ${isLong && html`<pre class="body" tabindex="0">${visible(value.slice(0, MAX_TEXT))}</pre>`}
    </div>
  `;
}

/** @param {TreeRow} row */
function pathOf(row) {
  /** @type {string[]} */
  const keys = [];
  for (let each = row; each.parent; each = each.parent) keys.push(`[${typeof each.key === "string" ? JSON.stringify(each.key) : each.key}]`);
  return keys.reverse().join("");
}

/**
 * @param {TreeRow} parent of a container
 * @param {number} position
 * @returns {TreeRow}
 */
function childRow(parent, position) {
  const { depth } = parent;
  const value = /** @type {JsonObject | JsonValue[]} */ (parent.value);
  const [key, child] = value instanceof JsonObject ? [value.keys[position], value.values[position]] : [position, value[position]];
  return { parent, position, key, value: child, depth: depth + 1 };
}

/**
 * Returns the rows that are open, in their order.
 * @param {JsonValue} root
 * @param {(container: JsonValue) => boolean} isOpen
 */
function flatten(root, isOpen) {
  /** @type {TreeRow[]} */
  const rows = [];
  walk(root, (row) => {
    rows.push(row);
    return isOpen(row.value);
  });
  return rows;
}

/**
 * Calls `visit` for each row in their order; it returns whether the rows below follow, or null to stop.
 * @param {JsonValue} root
 * @param {(row: TreeRow) => boolean | null} visit
 */
function walk(root, visit) {
  /** @type {TreeRow} */
  let row = { parent: null, position: 0, key: null, value: root, depth: 0 };
  /** @type {{ row: TreeRow, next: number }[]} */
  const open = [];
  for (;;) {
    const goesOn = visit(row);
    if (goesOn === null) return;
    if (goesOn && sizeOf(row.value)) open.push({ row, next: 0 });
    let last = open.at(-1);
    while (last && last.next === sizeOf(last.row.value)) {
      open.pop();
      last = open.at(-1);
    }
    if (!last) return;
    row = childRow(last.row, last.next);
    last.next += 1;
  }
}

/**
 * Returns the containers near the root that together have few rows.
 * @param {JsonValue} root
 */
function openAtFirst(root) {
  /** @type {Set<JsonValue>} */
  const open = new Set();
  let rows = 1;
  let next = isContainer(root) ? [root] : [];
  while (next.length && rows <= OPEN_ROWS) {
    const level = next;
    next = [];
    for (const container of level) {
      rows += sizeOf(container);
      if (rows > OPEN_ROWS && container !== root) return open;
      open.add(container);
      for (const value of container instanceof JsonObject ? container.values : container) if (isContainer(value)) next.push(value);
    }
  }
  return open;
}

/**
 * Returns the rows whose key or value has the text.
 * @param {JsonValue} root
 * @param {string} needle
 */
function search(root, needle) {
  /** @type {TreeRow[]} */
  const found = [];
  walk(root, (row) => {
    const { key, value } = row;
    const isMatch = (typeof key === "string" && key.toLowerCase().includes(needle)) || (!isContainer(value) && scalarText(value).toLowerCase().includes(needle));
    if (isMatch) found.push(row);
    return found.length < MAX_MATCHES ? true : null;
  });
  return found;
}
