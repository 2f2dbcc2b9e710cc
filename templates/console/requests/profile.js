// The profile of a request: a flame graph of its functions, and the time of each line beside the source.
//
// Callers are above the functions that they call. Fetches the profile while it is shown, again with each report of a
// newer one.

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { milliseconds, pluralize, visible } from "../components/format.js";
import { colored } from "../errors/code-frame.js";
import { colorLines } from "../errors/python-source.js";
import { SourceLink } from "../components/source-link.js";
import { useFetch } from "../server/use-fetch.js";

/** @import { Profile, ProfiledCall, ProfiledSource } from "snaxum-events" */
/** @import { ProfileReport } from "../server/store.js" */
/** @import { KeyPress } from "../types.js" */

// The profile of a request that has ended comes within this time, or not at all.
const AWAITED_MS = 3000;
// Narrower boxes, as a part of the whole width, are not drawn.
const MIN_WIDTH = 0.003;
const MAX_DEPTH = 60;
// Lines with a smaller part of the time have no background.
const MIN_HEAT = 0.01;

/** @typedef {{ index: number, call: ProfiledCall, depth: number, left: number, width: number }} Box */

/**
 * The profile of a request, from the moment when it is visible: a hidden tab fetches nothing. `report` is the newest
 * one of it, if there is one.
 * @param {{ id: string, report?: ProfileReport, isRunning?: boolean }} props
 */
export function ProfileView({ id, report, isRunning = false }) {
  const [isVisible, setVisible] = useState(false);
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (isVisible || !place.current) return;
    const observer = new IntersectionObserver((entries) => entries.some(({ isIntersecting }) => isIntersecting) && setVisible(true));
    observer.observe(place.current);
    return () => observer.disconnect();
  }, [isVisible]);
  return html`<div ref=${place} class="profile-place">${isVisible && html`<${FetchedProfile} id=${id} report=${report} isRunning=${isRunning} />`}</div>`;
}

/** @param {{ id: string, report?: ProfileReport, isRunning: boolean }} props */
function FetchedProfile({ id, report, isRunning }) {
  const [isAwaited, setAwaited] = useState(true);
  /** @type {{ data: Profile | null, problem: string | null }} */
  const { data: profile, problem } = useFetch(`requests/${encodeURIComponent(id)}/profile`, { refresh: report });
  useEffect(() => {
    if (isRunning || profile) return undefined;
    const timer = setTimeout(() => setAwaited(false), AWAITED_MS);
    return () => clearTimeout(timer);
  }, [isRunning, !profile]);
  if (problem) return html`<p class="dim">Cannot show the profile: ${visible(problem)}.</p>`;
  if (!profile && !isAwaited) {
    return html`<p class="dim" data-testid="profile-about">No profile is stored: the request had no thread for 50 ms, too many others ran, or newer profiles have replaced it. Replay it with <code>?profile</code> to get one.</p>`;
  }
  if (!profile) return html`<p class="dim" data-testid="profile-about">No sample so far: a request is sampled while it has a thread or the event loop, from 50 ms on.</p>`;
  if (!profile.samples) {
    return html`<p data-testid="profile-about">The request ended before its first sample: it was too fast for a profile.</p>`;
  }
  return html`
    <div class="profile" data-testid="profile">
      <p data-testid="profile-about">${aboutProfile(profile)}</p>
      ${!profile.is_demanded && html`<p class="dim">It begins ${milliseconds(profile.from_ms)} after the request came in. Add <code>?profile</code> to the URL, or turn on the switch of the route, to profile a request from its start.</p>`}
      <${FlameGraph} calls=${profile.calls} />
      ${profile.sources.map((source) => html`<${HeatedSource} key=${`${source.file}:${source.line}`} source=${source} total_ms=${profile.ms} />`)}
    </div>
  `;
}

/** @param {Profile} profile */
function aboutProfile({ ms, samples, suspended_ms, is_running, is_cut }) {
  const facts = [`${milliseconds(ms)} in ${pluralize(samples, "sample")}`];
  if (suspended_ms > 0) facts.push(`${milliseconds(suspended_ms)} suspended in await`);
  if (is_running) facts.push("still running");
  if (is_cut) facts.push("deep or rare calls count for their callers");
  return facts.join(" · ");
}

/**
 * Places the functions below `root`, or all of them: left and width are parts of the whole width.
 * @param {ProfiledCall[]} calls
 * @param {number | null} root
 * @returns {Box[]}
 */
export function placeBoxes(calls, root) {
  /** @type {Map<number | null, number[]>} */
  const callees = new Map();
  calls.forEach(({ caller = null }, index) => callees.set(caller, [...(callees.get(caller) ?? []), index]));
  const roots = root === null ? (callees.get(null) ?? []) : [root];
  const total = roots.reduce((sum, index) => sum + (calls[index]?.ms ?? 0), 0) || 1;
  /** @type {Box[]} */
  const boxes = [];
  /** @type {(indexes: number[], depth: number, left: number) => void} */
  function place(indexes, depth, left) {
    for (const index of indexes) {
      const call = calls[index];
      if (!call) continue;
      const width = call.ms / total;
      if (width >= MIN_WIDTH && depth < MAX_DEPTH) {
        boxes.push({ index, call, depth, left, width });
        place(callees.get(index) ?? [], depth + 1, left);
      }
      left += width;
    }
  }
  place(roots, 0, 0);
  return boxes;
}

/** @param {{ calls: ProfiledCall[] }} props */
function FlameGraph({ calls }) {
  const [root, setRoot] = useState(/** @type {number | null} */ (null));
  const [focused, setFocused] = useState(/** @type {number | null} */ (null));
  const shownRoot = root !== null && root < calls.length ? root : null;
  const boxes = useMemo(() => placeBoxes(calls, shownRoot), [calls, shownRoot]);
  const depth = Math.max(0, ...boxes.map((box) => box.depth)) + 1;
  const tabStop = boxes.some(({ index }) => index === focused) ? focused : boxes[0]?.index;
  return html`
    <h3>Functions ${shownRoot !== null && html`<button type="button" onClick=${() => setRoot(null)}>Show all</button>`}</h3>
    <p class="dim">Callers above, width by time. Arrow keys move; Enter zooms in.</p>
    <div class="flame" role="group" aria-label="Flame graph" data-testid="flame" style=${{ height: `${depth * 1.5}rem` }} onKeyDown=${(/** @type {KeyPress} */ event) => navigateBoxes(event, boxes)}>
      ${boxes.map(({ index, call, depth, left, width }) => html`
        <button key=${index} type="button" class=${`box ${kindClass(call.kind)}`} data-box=${index} tabindex=${index === tabStop ? 0 : -1}
          style=${{ left: `${left * 100}%`, width: `${width * 100}%`, top: `${depth * 1.5}rem` }} title=${boxText(call)} aria-label=${boxText(call)}
          onFocus=${() => setFocused(index)} onClick=${() => setRoot(index === shownRoot ? (call.caller ?? null) : index)}>
          ${width > 0.04 && visible(call.function)}
        </button>
      `)}
    </div>
  `;
}

/** @param {ProfiledCall} call */
function boxText({ function: name, file, line, ms, self_ms }) {
  return `${visible(name)}, ${milliseconds(ms)}, itself ${milliseconds(self_ms)}, ${visible(file)}:${line}`;
}

/** @param {string} kind */
function kindClass(kind) {
  return kind === "user" || kind === "framework" ? kind : "library";
}

/**
 * Moves the focus: up to the caller, down to the first function that it calls, left and right beside it.
 * @param {KeyPress} event
 * @param {Box[]} boxes
 */
function navigateBoxes(event, boxes) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const at = boxes.find(({ index }) => String(index) === event.target.dataset.box);
  if (!at) return;
  const beside = boxes.filter(({ depth }) => depth === at.depth);
  const position = beside.indexOf(at);
  /** @type {Record<string, Box | undefined>} */
  const targets = {
    ArrowUp: boxes.find(({ index }) => index === at.call.caller),
    ArrowDown: boxes.find(({ call }) => call.caller === at.index),
    ArrowLeft: beside[position - 1],
    ArrowRight: beside[position + 1],
  };
  const next = targets[event.key];
  if (!Object.hasOwn(targets, event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  /** @type {HTMLElement | null} */ (next ? event.currentTarget.querySelector(`[data-box="${next.index}"]`) : null)?.focus();
}

/** @param {{ source: ProfiledSource, total_ms: number }} props */
function HeatedSource({ source: { function: name, file, line: first, lines }, total_ms }) {
  const pieces = colorLines(lines.map(({ text }) => text));
  return html`
    <h3><code>${visible(name)}</code> <span class="dim">in</span> <${SourceLink} file=${file} line=${first} /></h3>
    <pre class="source bordered heat" tabindex="0" data-testid="heat">${lines.map(({ line, ms }, index) => html`
      <span class="line" key=${line}><span class=${`heat-cell ${heatClass(ms / total_ms)}`}>${ms > 0 ? milliseconds(ms) : ""}</span><span class="gutter">${line}</span><code>${colored(pieces[index])}</code></span>
    `)}</pre>
  `;
}

/** @param {number} part */
function heatClass(part) {
  if (part < MIN_HEAT) return "";
  return `heat-${Math.min(4, 1 + Math.floor(part * 4))}`;
}
