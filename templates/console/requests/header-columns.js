// Columns of headers and cookies, which the user adds to the list of requests by name.
//
// Owns the chosen names, which outlive the page, and the fetched values. The server stores them for its newest
// requests only, so an older row has them if it was listed while the column was there; else it is "not stored".

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";
import { fetchJson } from "../server/api.js";

/** @import { Column } from "../components/columns.js" */
/** @import { ListedRequest } from "../types.js" */

/** @typedef {{ kind: "request" | "response" | "cookie" | "cookies", name: string }} Chosen a header, a cookie, or all cookies */
/** The values of a request, by the names of the columns; null if the server has dropped them. @typedef {Map<string, string | null> | null} Values */

const KEY = "snaxum.headers.requests";
// As many as the server returns for one query.
const MAX_CHOSEN = 20;
// The requests that the server stores, and the requests of the page.
const [STORED, MAX_VALUES] = [500, 10_000];
// The server's mark for more cookies than it stores.
const CUT = "…";
// A burst of requests is one query.
const PAUSE_MS = 500;

/** @type {Record<Chosen["kind"], string>} */
export const KINDS = { request: "Request header", response: "Response header", cookie: "Cookie", cookies: "All cookies" };

/**
 * @param {{ runId: string | null, requests: ListedRequest[] }} state
 * @returns {{ columns: Column<ListedRequest, any>[], add: (column: Chosen) => string | null, remove: (name: string) => void, reset: () => void }}
 */
export function useHeaderColumns({ runId, requests }) {
  const [chosen, choose] = useState(load);
  const values = useValues(runId, requests, chosen);
  const columns = useMemo(() => chosen.map((each) => columnOf(each, values)), [chosen, values]);
  /** @param {Chosen[]} next */
  function change(next) {
    store(next);
    choose(next);
  }
  /**
   * Returns why a column cannot be added.
   * @param {Chosen} column
   */
  function add({ kind, name }) {
    const column = { kind, name: kind === "cookies" ? "" : kind === "cookie" ? name.trim() : name.trim().toLowerCase() };
    if (kind !== "cookies" && !/^[!#$%&'*+.^_`|~\w-]+$/.test(column.name)) return "Enter the name of a header or a cookie, such as user-agent.";
    if (chosen.some((each) => columnName(each) === columnName(column))) return "There is such a column already.";
    if (chosen.length === MAX_CHOSEN) return `At most ${MAX_CHOSEN} columns can be added; remove one.`;
    change([...chosen, column]);
    return null;
  }
  return { columns, add, remove: (name) => change(chosen.filter((each) => columnName(each) !== name)), reset: () => change([]) };
}

/** @param {Chosen} column */
function columnName({ kind, name }) {
  return `${kind}-${name}`;
}

/** @param {Chosen} column */
function columnTitle({ kind, name }) {
  return kind === "cookies" ? "Cookies" : name;
}

/**
 * @param {Chosen} chosen
 * @param {{ of: (id: string) => Values | undefined }} values
 * @returns {Column<ListedRequest, any>}
 */
function columnOf(chosen, values) {
  const name = columnName(chosen);
  const value = (/** @type {ListedRequest} */ { id }) => values.of(id)?.get(name);
  const shown = (/** @type {ListedRequest} */ request) => value(request) ?? (values.of(request.id) === null ? "not stored" : "–");
  const about = (/** @type {ListedRequest} */ request) => value(request) ?? (values.of(request.id) === null ? `The server has the headers of its newest ${STORED} requests` : "");
  return {
    name, title: columnTitle(chosen), hint: KINDS[chosen.kind].toLowerCase(), min: 9, rank: 8, isAdded: true,
    sortBy: value,
    cell: (request) => html`<span title=${visible(about(request))}>${visible(shown(request))}</span>`,
    cellClass: () => "dim",
  };
}

/**
 * Returns the values of the listed requests; another object once there are more.
 * @param {string | null} runId
 * @param {ListedRequest[]} requests
 * @param {Chosen[]} chosen
 */
function useValues(runId, requests, chosen) {
  const key = `${runId} ${chosen.map(columnName).join(" ")}`;
  const known = useRef({ key, byId: /** @type {Map<string, Values>} */ (new Map()) });
  if (known.current.key !== key) known.current = { key, byId: new Map() };
  const [version, setVersion] = useState(0);
  const newest = useRef(requests);
  newest.current = requests;
  const loader = useRef(/** @type {(() => void) | null} */ (null));

  useEffect(() => {
    if (!chosen.length) return undefined;
    const controller = new AbortController();
    const { byId } = known.current;
    /** @type {number | undefined} */
    let timer;
    let isBusy = false;
    async function next() {
      timer = undefined;
      const missing = newest.current.filter(({ id }) => !byId.has(id));
      if (!missing.length) return;
      if (!document.hidden) {
        isBusy = true;
        try {
          // A request may end after others that began later.
          const after = missing.reduce((least, { id }) => Math.min(least, Number(id)), Infinity) - 1;
          const rows = await fetchValues(after, chosen, controller.signal);
          for (const [id, values] of rows) byId.set(id, values);
          // The server has dropped the others.
          for (const { id } of missing) if (!byId.has(id)) byId.set(id, null);
          if (byId.size > MAX_VALUES) dropUnlisted(byId, newest.current);
          setVersion((version) => version + 1);
        } catch {
          if (controller.signal.aborted) return; // or the server restarts
        }
        isBusy = false;
      }
      timer = setTimeout(next, PAUSE_MS);
    }
    loader.current = () => !isBusy && timer === undefined && next();
    next();
    return () => {
      controller.abort();
      clearTimeout(timer);
      loader.current = null;
    };
  }, [key]);
  useEffect(() => loader.current?.(), [requests]);
  return useMemo(() => ({ of: (/** @type {string} */ id) => known.current.byId.get(id) }), [key, version]);
}

/**
 * @param {Map<string, Values>} byId
 * @param {ListedRequest[]} requests
 */
function dropUnlisted(byId, requests) {
  const listed = new Set(requests.map(({ id }) => id));
  for (const id of byId.keys()) if (!listed.has(id)) byId.delete(id);
}

/**
 * @param {number} after
 * @param {Chosen[]} chosen
 * @param {AbortSignal} signal
 * @returns {Promise<[string, Values][]>}
 */
async function fetchValues(after, chosen, signal) {
  const names = (/** @type {string} */ wanted) => chosen.filter(({ kind }) => kind === wanted).map(({ name }) => name);
  const [request, response] = [names("request"), names("response")];
  // The server masks the names of all cookies under the lock that each request needs at its end.
  const hasCookies = chosen.some(({ kind }) => kind === "cookie" || kind === "cookies");
  const query = new URLSearchParams({ after: String(after), request: request.join(","), response: response.join(","), cookies: String(hasCookies) });
  /** @type {[string, (string | null)[]][]} */
  const rows = await fetchJson(`headers?${query}`, signal);
  return rows.map(([id, values]) => {
    const [sent, set] = (hasCookies ? values.slice(-2) : [null, null]).map((names) => names?.split(", ") ?? []);
    /** @type {Values} */
    const byName = new Map();
    request.forEach((name, index) => byName.set(`request-${name}`, values[index]));
    response.forEach((name, index) => byName.set(`response-${name}`, values[request.length + index]));
    const isCut = sent.includes(CUT) || set.includes(CUT);
    for (const name of names("cookie")) byName.set(`cookie-${name}`, [sent.includes(name) && "sent", set.includes(name) && "set"].filter(Boolean).join(", ") || (isCut ? CUT : null));
    byName.set("cookies-", [sent.join(", "), set.length && `sets ${set.join(", ")}`].filter(Boolean).join("; ") || null);
    return [id, byName];
  });
}

/**
 * Storage throws if the user has disabled it.
 * @returns {Chosen[]}
 */
function load() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return stored.filter((/** @type {any} */ each) => Object.hasOwn(KINDS, each?.kind) && typeof each.name === "string").slice(0, MAX_CHOSEN);
  } catch {
    return [];
  }
}

/** @param {Chosen[]} chosen */
function store(chosen) {
  try {
    localStorage.setItem(KEY, JSON.stringify(chosen));
  } catch {}
}
