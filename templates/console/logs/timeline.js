// One timeline of printed and logged lines, requests and reloads: which rows there are, and their order.
//
// Reads only what has changed since the last update, as each event adds a row to thousands. Knows nothing of how a
// row is shown; the filter is in timeline-filter.js.

import { listChanges } from "../server/list-changes.js";

/** @import { LogLine, Reload } from "snaxum-events" */
/** @import { ListedRequest } from "../types.js" */
/** @import { ListChange } from "../server/list-changes.js" */

/**
 * `key` names a row as long as it exists; `order` counts up with each row of its kind.
 * @typedef {{ kind: "log", key: string, order: number, time_ms: number, log: LogLine }
 *   | { kind: "request", key: string, order: number, time_ms: number, request: ListedRequest }
 *   | { kind: "reload", key: string, order: number, time_ms: number, reload: Reload }} Row
 * @typedef {(row: Row) => boolean} Predicate
 */

/**
 * Lists of the newest first. `older` are lines that the page has not received as events.
 * @typedef {{ logs: LogLine[], older: LogLine[], requests: ListedRequest[], reloads: Reload[] }} Sources
 */
/** @typedef {LogLine | ListedRequest | Reload} Item */

const NAMES = /** @type {(keyof Sources)[]} */ (["requests", "reloads", "logs", "older"]);
// If rows have one time, the later kind is above. A request and a reload are at their end: their lines are before it.
const RANKS = { log: 0, reload: 1, request: 2 };

export class Timeline {
  /** All rows, the newest first. @type {Row[]} */
  #rows = [];
  /** The rows that match, in the same order. @type {Row[]} */
  #listed = [];
  /** @type {Sources} */
  #sources = { logs: [], older: [], requests: [], reloads: [] };
  /** @type {Map<Item, Row>} */
  #rowOf = new Map();
  /** @type {Predicate} */
  #matches = () => true;
  #order = 0;
  #named = 0;

  /**
   * Returns the rows that match, the newest first. The next update changes this array.
   * @param {Sources} sources
   * @param {Predicate} matches
   */
  update(sources, matches) {
    const before = this.#sources;
    const changes = NAMES.flatMap((name) => listChanges(/** @type {Item[]} */ (before[name]), sources[name]).map((change) => ({ name, ...change })));
    this.#sources = { ...sources };
    if (changes.length > this.#rows.length / 4) this.#rebuild(sources);
    else this.#apply(changes);
    if (matches !== this.#matches) {
      this.#matches = matches;
      this.#listed = this.#rows.filter(matches);
    }
    return this.#listed;
  }

  /** @param {Sources} sources */
  #rebuild(sources) {
    const items = NAMES.flatMap((name) => sources[name].map((item) => ({ name, item })));
    // From the oldest on, as rows are added later.
    const rows = items.reverse().map(({ name, item }) => this.#rowOf.get(item) ?? this.#made(name, item));
    this.#rowOf = new Map(items.map(({ item }, index) => [item, rows[index]]));
    for (const row of rows) row.order = this.#order += 1;
    this.#rows = rows.sort(compare);
    this.#listed = this.#rows.filter(this.#matches);
  }

  /** @param {(ListChange<Item> & { name: keyof Sources })[]} changes */
  #apply(changes) {
    const orders = changes.map(({ before }) => before && this.#remove(before));
    for (const [index, { name, after }] of changes.entries()) {
      if (!after) continue;
      const row = this.#made(name, after, orders[index]);
      this.#rowOf.set(after, row);
      this.#rows.splice(positionOf(this.#rows, row), 0, row);
      if (this.#matches(row)) this.#listed.splice(positionOf(this.#listed, row), 0, row);
    }
  }

  /**
   * Removes the row of an item, and returns its order.
   * @param {Item} item
   */
  #remove(item) {
    const row = this.#rowOf.get(item);
    if (!row) return undefined;
    this.#rowOf.delete(item);
    this.#rows.splice(positionOf(this.#rows, row), 1);
    if (this.#matches(row)) this.#listed.splice(positionOf(this.#listed, row), 1);
    return row.order;
  }

  /**
   * @param {keyof Sources} name
   * @param {Item} item
   * @param {number} [order]
   * @returns {Row}
   */
  #made(name, item, order = (this.#order += 1)) {
    if (name === "logs" || name === "older") {
      const log = /** @type {LogLine} */ (item);
      return { kind: "log", key: `log ${(this.#named += 1)}`, order, time_ms: log.time_ms, log };
    }
    const ended = /** @type {ListedRequest | Reload} */ (item);
    // The time at which it began is rounded down, as are the times of its lines.
    const time_ms = Math.ceil(ended.time_ms + ended.total_ms);
    if (name === "requests") return { kind: "request", key: `request ${ended.id}`, order, time_ms, request: /** @type {ListedRequest} */ (ended) };
    return { kind: "reload", key: `reload ${ended.id}`, order, time_ms, reload: /** @type {Reload} */ (ended) };
  }
}

/**
 * Negative if `one` is above `other`.
 * @param {Row} one
 * @param {Row} other
 */
function compare(one, other) {
  return other.time_ms - one.time_ms || RANKS[other.kind] - RANKS[one.kind] || other.order - one.order;
}

/**
 * Returns the position of a row in sorted rows, or the one where it would be.
 * @param {Row[]} rows
 * @param {Row} row
 */
function positionOf(rows, row) {
  let [from, to] = [0, rows.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compare(rows[middle], row) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}
