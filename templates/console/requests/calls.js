// The calls of a request to databases and HTTP servers, with their time and place; repeated ones are named.
//
// Bars are on the time of the request.

import { html } from "../vendor/preact-htm.js";
import { milliseconds, pluralize, visible } from "../components/format.js";
import { SourceLink } from "../components/source-link.js";

/** @import { CallSummary, LibraryCall, RequestDetail } from "snaxum-events" */

// Calls of one group after so many are folded.
const SHOWN_OF_GROUP = 3;

/** @param {{ request: RequestDetail }} props */
export function Calls({ request: { calls, call_summary: summary, time_ms, total_ms } }) {
  const reported = calls.length;
  return html`
    <div class="calls" data-testid="calls">
      <p>
        ${pluralize(summary?.count ?? reported, "call")}${summary && `, ${milliseconds(summary.ms)} together`}
        ${summary && summary.count > reported && html` <span class="dim">(${reported} of them are stored)</span>`}
      </p>
      ${summary?.repeated && html`<${Repeated} summary=${summary} />`}
      <ol>
        ${folded(calls).map(({ call, more }) => html`
          <li key=${`${call.number}`}>
            <${CallRow} call=${call} from_ms=${time_ms} total_ms=${total_ms} />
            ${more > 0 && html`<p class="dim">… and ${pluralize(more, "similar call")} from this line, ${milliseconds(groupTime(calls, call))} together</p>`}
          </li>
        `)}
      </ol>
    </div>
  `;
}

/** @param {{ summary: CallSummary }} props */
function Repeated({ summary }) {
  if (!summary.repeated) return null;
  const { text, file, line, count, ms } = summary.repeated;
  return html`
    <p class="hint" data-testid="repeated">
      <b>N+1:</b> one line made ${count} calls like this: ${file && html`<${SourceLink} file=${file} line=${line} />`}, ${milliseconds(ms)} together. Ask once for all, before the loop.
      ${text && html`<br /><code>${visible(text)}</code>`}
    </p>
  `;
}

/**
 * Returns the calls to show, each with the number of similar calls that it stands for.
 * @param {LibraryCall[]} calls
 */
function folded(calls) {
  /** @type {Map<number, { call: LibraryCall, more: number }[]>} */
  const groups = new Map();
  const shown = [];
  for (const call of calls) {
    const group = groups.get(call.group) ?? [];
    groups.set(call.group, group);
    if (group.length < SHOWN_OF_GROUP) {
      const entry = { call, more: 0 };
      group.push(entry);
      shown.push(entry);
    } else {
      const last = group.at(-1);
      if (last) last.more = call.nth - SHOWN_OF_GROUP;
    }
  }
  return shown;
}

/**
 * @param {LibraryCall[]} calls
 * @param {LibraryCall} call
 */
function groupTime(calls, call) {
  return Math.max(...calls.filter(({ group }) => group === call.group).map(({ group_ms }) => group_ms));
}

/** @param {{ call: LibraryCall, from_ms: number, total_ms: number }} props */
function CallRow({ call, from_ms, total_ms }) {
  const { time_ms, ms, library, text, values, file, line, function: name, status, error } = call;
  const start = Math.max(0, time_ms - from_ms);
  const whole = Math.max(total_ms, start + ms) || 1;
  return html`
    <p class="call-times">
      <span class="dim">${visible(library)}</span>
      <span class="number">${milliseconds(ms)}</span>
      <span class="call-track" role="img" aria-label=${`after ${milliseconds(start)}, for ${milliseconds(ms)}`}><i style=${{ left: `${(start / whole) * 100}%`, width: `${(ms / whole) * 100}%` }} /></span>
      ${status != null && html`<b class=${status >= 400 ? "bad" : "good"}>${status}</b>`}
    </p>
    ${text ? html`<pre class="statement" tabindex="0">${visible(text)}</pre>` : html`<p class="dim">not shown: the handler is private</p>`}
    <p>
      ${values && html`<span class="dim">with</span> <code>${visible(values)}</code> `}
      ${file && html`<${SourceLink} file=${file} line=${line} /> <span class="dim">in ${visible(name)}</span>`}
      ${error && html` <span class="bad">${visible(error)}</span>`}
    </p>
  `;
}
