// Which viewers a body has: the one table that chooses them, by its type and its first bytes.

import { html, useMemo } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";
import { Preview } from "../requests/preview.js";
import { BinaryTable } from "./binary-table.js";
import { csvTable } from "./csv.js";
import { DataTable } from "./data-table.js";
import { jsonLines, serverSentEvents, textPieces } from "./entries.js";
import { EntryList } from "./entry-list.js";
import { isContainer, readJson } from "./json.js";
import { JsonTree } from "./json-tree.js";
import { Pdf } from "./pdf.js";
import { Picture, PICTURES, Svg } from "./picture.js";
import { tablesOf } from "./records.js";

/** @import { BodyContent } from "snaxum-events" */
/** @import { VNode } from "preact" */
/** @import { Entry, Piece } from "./entries.js" */
/** @import { JsonValue } from "./json.js" */

/**
 * @typedef {object} Content a body and its description
 * @property {string} type the content type in lower case, without parameters
 * @property {string} text empty without one
 * @property {BodyContent} body
 * @property {JsonValue | undefined} json
 * @property {string | null} problem why the JSON is not complete
 * @property {string} fileName for files that are saved, without an end
 * @property {string} path where the server has its bytes
 * @property {string} place what the choices of its viewers are remembered for
 */

/**
 * @typedef {object} Viewer
 * @property {string} title
 * @property {boolean} [needsBytes] whether it shows the bytes of the body, which are fetched for it
 * @property {(content: Content) => boolean} fits
 * @property {(content: Content, bytes: Uint8Array) => VNode | null} view
 */

const LINES = new Set(["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json-lines", "application/json-seq"]);
const MAX_TEXT = 100_000;
/** The note of a stream that has not ended. */
const OPEN = "it is still being sent";

/** The first that fits a body is shown first. @type {Viewer[]} */
const VIEWERS = [
  {
    title: "Picture",
    needsBytes: true,
    fits: ({ body }) => Object.hasOwn(PICTURES, body.kind ?? ""),
    view: ({ body }, bytes) => html`<${Picture} bytes=${bytes} kind=${body.kind} />`,
  },
  {
    title: "Picture",
    fits: ({ type, text }) => type === "image/svg+xml" && text !== "",
    view: ({ text }) => html`<${Svg} text=${text} />`,
  },
  {
    title: "PDF",
    needsBytes: true,
    fits: ({ body }) => body.kind === "pdf",
    view: ({ path }, bytes) => html`<${Pdf} bytes=${bytes} path=${path} />`,
  },
  {
    title: "Table",
    needsBytes: true,
    fits: ({ body }) => body.kind === "arrow" || body.kind === "parquet",
    view: ({ body, fileName, place }, bytes) => html`<${BinaryTable} bytes=${bytes} kind=${body.kind} fileName=${fileName} place=${place} />`,
  },
  {
    title: "Table",
    fits: ({ type, text }) => (type === "text/csv" || type === "application/csv" || type === "text/tab-separated-values") && text !== "",
    view: ({ type, text, fileName, place }) => html`<${Csv} text=${text} delimiter=${type === "text/tab-separated-values" ? "\t" : undefined} fileName=${fileName} place=${place} />`,
  },
  {
    title: "Events",
    fits: ({ type, text }) => type === "text/event-stream" && text !== "",
    view: ({ text, body, place }) => html`<${Entries} read=${serverSentEvents} text=${text} body=${body} place=${place} label="Server-sent events" word="event" testId="events" />`,
  },
  {
    title: "Lines",
    fits: ({ type, text }) => LINES.has(type) && text !== "",
    view: ({ text, body, place }) => html`<${Entries} read=${jsonLines} text=${text} body=${body} place=${place} label="JSON lines" word="line" testId="lines" />`,
  },
  {
    title: "Table",
    fits: ({ json }) => json !== undefined && tablesOf(json).length > 0,
    view: ({ json, problem, fileName, place }) => html`<${JsonProblem} problem=${problem} /><${Tables} json=${json} fileName=${fileName} place=${place} />`,
  },
  {
    title: "Tree",
    fits: ({ json }) => json !== undefined && isContainer(json),
    view: ({ json, problem }) => html`<${JsonProblem} problem=${problem} /><${JsonTree} value=${json} label="The content as a tree" />`,
  },
  {
    title: "Pieces",
    fits: ({ body }) => (body.pieces?.length ?? 0) > 1 && body.pieces?.[0].at === 0,
    view: ({ text, body, place }) => html`<${Entries} read=${textPieces} text=${text} body=${body} place=${`${place} pieces`} label="Pieces as they were sent" word="piece" testId="pieces" />`,
  },
  {
    title: "Text",
    fits: ({ body }) => body.text !== null && body.text !== "",
    view: ({ type, text }) => html`<${Text} text=${text} />${type === "text/html" && html`<${Preview} text=${text} />`}`,
  },
];

/**
 * Returns the viewers that a body has, the one to show first in front.
 * @param {Content} content
 */
export function viewersOf(content) {
  return VIEWERS.filter(({ fits }) => fits(content));
}

/** The newest contents, by their places: the folds of a tree belong to its values. @type {Map<string, Content>} */
const known = new Map();
const MAX_KNOWN = 8;

/**
 * Returns the same object for a body that was fetched once more and has not changed.
 * @param {BodyContent} body
 * @param {[string, string][]} headers
 * @param {Pick<Content, "fileName" | "place" | "path">} names
 * @returns {Content}
 */
export function contentOf(body, headers, names) {
  const before = known.get(names.place);
  const content = before && isSame(before.body, body) ? before : readContent(body, headers, names);
  known.delete(names.place);
  known.set(names.place, content);
  if (known.size > MAX_KNOWN) known.delete(known.keys().next().value ?? "");
  return content;
}

/**
 * @param {BodyContent} one
 * @param {BodyContent} other
 */
function isSame(one, other) {
  return one.text === other.text && one.note === other.note && one.size === other.size && one.kind === other.kind && one.pieces?.length === other.pieces?.length;
}

/**
 * @param {BodyContent} body
 * @param {[string, string][]} headers
 * @param {Pick<Content, "fileName" | "place" | "path">} names
 * @returns {Content}
 */
function readContent(body, headers, names) {
  const header = headers.find(([name]) => name === "content-type")?.[1] ?? "";
  const type = header.split(";")[0].trim().toLowerCase();
  const text = body.text ?? "";
  const isJson = !LINES.has(type) && (type.endsWith("json") || (type !== "text/html" && /^\s*[[{]/.test(text)));
  const { value, problem } = isJson ? readJson(text) : { value: undefined, problem: null };
  // A text that only begins like JSON is text.
  const isText = problem !== null && body.note === null && !type.endsWith("json");
  return { type, text, body, json: isText ? undefined : value, problem, ...names };
}

/** @param {{ problem: string | null }} props */
function JsonProblem({ problem }) {
  return problem && html`<p class="warn" data-testid="json-problem">▲ The JSON ${visible(problem)}. All before that is shown.</p>`;
}

/**
 * The tables in a JSON value, one below the other.
 * @param {{ json: JsonValue, fileName: string, place: string }} props
 */
function Tables({ json, fileName, place }) {
  const tables = useMemo(() => tablesOf(json), [json]);
  return html`${tables.map(({ key, table }) => html`
    <section key=${key}>
      ${key !== null && html`<h4><code>${visible(key)}</code></h4>`}
      <${DataTable} table=${table} place=${`${place} ${key ?? ""}`} label=${key === null ? "The content as a table" : `The table ${visible(key)}`} fileName=${key === null ? fileName : `${fileName}-${key.replace(/\W+/g, "-")}`} />
    </section>
  `)}`;
}

/** @param {{ text: string, delimiter?: string, fileName: string, place: string }} props */
function Csv({ text, delimiter, fileName, place }) {
  const table = useMemo(() => csvTable(text, delimiter), [text, delimiter]);
  return html`<${DataTable} table=${table} place=${place} label="The content as a table" fileName=${fileName} />`;
}

/**
 * @param {{ read: (text: string, pieces: Piece[]) => Entry[], text: string, body: BodyContent, place: string, label: string, word: string, testId: string }} props
 */
function Entries({ read, text, body, place, label, word, testId }) {
  const entries = useMemo(() => read(text, body.pieces ?? []), [body]);
  // The key: another viewer of the same body has another filter and another open entry.
  return html`<${EntryList} key=${place} entries=${entries} label=${label} word=${word} testId=${testId} place=${place} isOpen=${body.note === OPEN} />`;
}

/** @param {{ text: string }} props */
export function Text({ text }) {
  const shown = text.slice(0, MAX_TEXT);
  return html`
    <pre class="body" tabindex="0" data-testid="body">${shown.split("\n").map((line) => `${visible(line)}\n`)}</pre>
    ${shown.length < text.length && html`<p class="dim">The first ${MAX_TEXT} characters; save it for the rest.</p>`}
  `;
}
