// The routes that a save affects: their newest requests, before and after it, and whether responses changed.
//
// Sends requests only on a click (comparisons.js). Never decides what a save affects (save-facts.js).

/** @import { Reload } from "snaxum-events" */
/** @import { ListedRequest } from "../types.js" */
/** @import { Comparison } from "./comparisons.js" */
/** @import { AffectedRoute, FunctionInFile, ModuleCone } from "./save-facts.js" */

import { html, useMemo, useState } from "../vendor/preact-htm.js";
import { milliseconds, pluralize, statusClass, visible } from "../components/format.js";
import { KeyedRows, navigateRows, onRowClick, toggled } from "../components/table-nav.js";
import { formatHash } from "../page/url-hash.js";
import { requestToReplay, useComparisons } from "./comparisons.js";
import { changedHelpers, isHandler, isMended, isNewlyFailing } from "./save-facts.js";

// More rows are drawn on demand: each request of a busy app may change one.
const ROWS_SHOWN = 60;

/** @param {{ reload: Reload, rows: AffectedRoute[], changed: FunctionInFile[], modules: ModuleCone[], runId: string | null }} props */
export function AffectedRoutes({ reload, rows, changed, modules, runId }) {
  const [withUnsafe, setWithUnsafe] = useState(false);
  const [opened, setOpened] = useState(/** @type {Set<string>} */ (new Set()));
  const [showsAll, setShowsAll] = useState(false);
  const { comparisons, isSending, send } = useComparisons(`${runId} ${reload.id}`);
  const helpers = useMemo(() => changedHelpers(rows, changed, modules), [rows, changed, modules]);
  if (!rows.length) return html`<h2>Routes affected</h2><p class="dim">None: no module with routes ran again.</p>`;
  const sorted = sortRows(rows, changed);
  const replayable = rows.filter((row) => requestToReplay(row, withUnsafe)).length;
  const hasUnsafe = rows.some((row) => !requestToReplay(row, false) && requestToReplay(row, true));
  const done = Object.values(comparisons).filter(({ state }) => state !== "waiting");
  return html`
    <section class="affected" data-testid="affected-routes">
      <header>
        <h2>${pluralize(rows.length, "route")} affected</h2>
        <button type="button" disabled=${!replayable} onClick=${() => send(rows, withUnsafe)}>Replay the newest request of ${replayable === 1 ? "1 route" : `${replayable} routes`}</button>
        ${hasUnsafe && html`<label title="These run their handlers again, with all their effects"><input type="checkbox" checked=${withUnsafe} onChange=${() => setWithUnsafe(!withUnsafe)} /> also POST, PUT, PATCH and DELETE</label>`}
        <span role="status" class="dim" data-testid="replay-summary">${isSending ? `${done.length} of ${Object.keys(comparisons).length} sent…` : summary(done)}</span>
      </header>
      <table class="rows affected-rows">
        <caption class="visually-hidden">Routes affected by the save, those with changed code first</caption>
        <thead>
          <tr>
            <th scope="col" class="c-path">Route</th>
            <th scope="col" class="c-before"><abbr title="the newest request on the code before the save">Before</abbr></th>
            <th scope="col" class="c-before"><abbr title="the newest request on the code of the save">After</abbr></th>
            <th scope="col" class="c-comparison">Response</th>
          </tr>
        </thead>
        <tbody onKeyDown=${navigateRows}>
          ${(showsAll ? sorted : sorted.slice(0, ROWS_SHOWN)).map((row, index) => html`<${KeyedRows} key=${row.key}>
            <${Row} row=${row} isChanged=${hasChangedCode(row, changed)} helpers=${helpers.get(row.key) ?? []} comparison=${comparisons[row.key]} isFirst=${index === 0} isOpen=${opened.has(row.key)} toggle=${() => setOpened(toggled(opened, row.key))} />
            ${opened.has(row.key) && comparisons[row.key]?.lines && html`<tr class="expanded-row"><td colspan="4"><${ComparisonDiff} comparison=${comparisons[row.key]} /></td></tr>`}
          </>`)}
        </tbody>
      </table>
      ${!showsAll && sorted.length > ROWS_SHOWN && html`<p class="no-results"><button type="button" onClick=${() => setShowsAll(true)}>Show all ${sorted.length} routes</button></p>`}
    </section>
  `;
}

/** @param {{ row: AffectedRoute, isChanged: boolean, helpers: string[], comparison?: Comparison, isFirst: boolean, isOpen: boolean, toggle: () => void }} props */
function Row({ row, isChanged, helpers, comparison, isFirst, isOpen, toggle }) {
  const { route, before, after } = row;
  const canOpen = comparison?.state === "changed";
  return html`
    <tr data-row data-testid="affected-row" class=${canOpen ? null : "static"} tabindex=${isFirst ? 0 : -1} onClick=${onRowClick(() => canOpen && toggle())}>
      <td class="c-path" title=${visible(route.handler)}>${visible(route.methods.join(" "))} ${visible(route.path)}${isChanged && html` <b class="warn marker" title="its handler's own lines changed">~ changed</b>`}${helpers.length > 0 && html` <span class="dim marker" data-testid="helpers" title=${`changed, and in its module or in one that this imports: ${helpers.map(visible).join(", ")}. Whether the handler calls it is not known.`}>may use ${visible(helpers[0])}${helpers.length > 1 && ` +${helpers.length - 1}`}</span>`}</td>
      <td class="c-before"><${RequestCell} request=${before} /></td>
      <td class="c-before"><${RequestCell} request=${after} />${isNewlyFailing(row) && html` <b class="bad">✖ newly failing</b>`}${isMended(row) && html` <b class="good">✔ mended</b>`}</td>
      <td class="c-comparison"><${ComparisonCell} comparison=${comparison} isOpen=${isOpen} /></td>
    </tr>
  `;
}

/** @param {{ request: ListedRequest | null }} props */
function RequestCell({ request }) {
  if (!request) return html`<span class="dim">–</span>`;
  const { id, status, total_ms } = request;
  return html`<a href=${formatHash({ tab: "requests", open: id })}>#${visible(id)}</a> <b class=${statusClass(status)}>${status}</b> <span class="dim">${milliseconds(total_ms)}</span>`;
}

/** @param {{ comparison?: Comparison, isOpen: boolean }} props */
function ComparisonCell({ comparison, isOpen }) {
  if (!comparison) return html`<span class="dim">not sent again</span>`;
  const { state, detail, lines = [], statuses: [before, now] = [0, 0] } = comparison;
  if (state === "waiting") return html`<span class="dim">waiting…</span>`;
  if (state === "problem") return html`<span class="warn" title=${visible(detail)}>▲ ${visible(detail)}</span>`;
  if (state === "same") return html`<span class="good">✔ same</span>`;
  if (state === "unknown") return html`<span class="dim" title="the status and the headers are the same; the bodies are not stored whole">body not compared</span>`;
  const changed = lines.filter(({ sign }) => sign !== " ").length;
  return html`<button type="button" class=${`expander ${now >= 500 ? "bad" : "warn"}`} tabindex="-1" aria-expanded=${isOpen}>changed: ${before !== now && `${before} → ${now}, `}${changed ? pluralize(changed, "line") : "the body"}</button>`;
}

/** @param {{ comparison: Comparison }} props */
function ComparisonDiff({ comparison: { lines } }) {
  return html`<pre class="body response-diff" tabindex="0" data-testid="comparison-diff">${(lines ?? []).map(({ sign, text }) => html`<span class=${sign === "+" ? "good" : sign === "-" ? "bad" : "dim"}>${sign} ${visible(text)}${"\n"}</span>`)}</pre>`;
}

/** @param {Comparison[]} comparisons */
function summary(comparisons) {
  if (!comparisons.length) return "";
  const count = (/** @type {string} */ wanted) => comparisons.filter(({ state }) => state === wanted).length;
  const parts = [`${count("same")} same`, `${count("changed")} changed`];
  if (count("unknown")) parts.push(`${count("unknown")} not compared`);
  if (count("problem")) parts.push(`${count("problem")} not sent`);
  return parts.join(" · ");
}

/**
 * Failing routes first, then routes with a changed handler, then routes with requests.
 * @param {AffectedRoute[]} rows
 * @param {FunctionInFile[]} changed
 */
function sortRows(rows, changed) {
  const rank = (/** @type {AffectedRoute} */ row) => (isNewlyFailing(row) ? 0 : hasChangedCode(row, changed) ? 1 : row.before || row.after ? 2 : 3);
  return [...rows].sort((a, b) => rank(a) - rank(b));
}

/**
 * Returns whether the lines of a route's handler are among the changed functions.
 * @param {AffectedRoute} row
 * @param {FunctionInFile[]} changed
 */
function hasChangedCode({ route }, changed) {
  return changed.some(({ file, name }) => isHandler(route, file, name));
}
