// An error: hint, frames with colored source and locals, folded library frames, and the chain of causes.
//
// Used by the console, by error pages and in pages of the app, so it imports nothing that needs the console.
// Draws the traceback it receives; never fetches one. All of it is text.

import { createContext, html, useContext, useMemo, useState } from "../vendor/preact-htm.js";
import { CopyButton } from "../components/copy-button.js";
import { pluralize, visible } from "../components/format.js";
import { SourceLink } from "../components/source-link.js";
import { CodeFrame } from "./code-frame.js";
import { Locals } from "./locals.js";

/** @import { Frame, Traceback as TracebackData } from "snaxum-events" */
/** @typedef {{ request?: string, reload?: number, error?: number }} Origin */

const MAX_CHAIN = 20;
// Repeats of the same frame, as in a deep recursion, that are shown.
const MAX_REPEATS = 2;
const KEY = "snaxum.traceback";
const PYTHON_ORDER = "python";
/** @type {Set<string>} */
const NO_FILES = new Set();

/** A function from a frame to the target that the server opens for it, or null. */
const FrameTarget = createContext(/** @type {(frame: Frame) => object | null} */ (() => null));

/**
 * Returns the frame that most likely failed: the newest of the user's own code, else the newest of all.
 * @param {TracebackData | null | undefined} traceback
 */
export function failingFrame(traceback) {
  const frames = traceback?.frames ?? [];
  return frames.findLast((frame) => frame.user) ?? frames.at(-1) ?? null;
}

/**
 * Returns a map from each frame of a traceback to its number in the server's order.
 * @param {TracebackData | null | undefined} traceback
 * @param {Map<Frame, number>} [numbers]
 */
export function frameNumbers(traceback, numbers = new Map()) {
  for (const frame of traceback?.frames ?? []) numbers.set(frame, numbers.size);
  for (const related of [traceback?.cause, ...(traceback?.exceptions ?? [])]) if (related) frameNumbers(related, numbers);
  return numbers;
}

/**
 * `changed` has the files that have changed since; `origin` is the request, the reload or the error to which
 * the traceback belongs.
 * @param {{ traceback: TracebackData, changed?: Set<string>, origin?: Origin | null }} props
 */
export function Traceback({ traceback, changed = NO_FILES, origin }) {
  const [order, setOrder] = useState(loadOrder);
  const isOldestFirst = order === PYTHON_ORDER;
  const target = useMemo(() => {
    const numbers = origin ? frameNumbers(traceback) : null;
    return (/** @type {Frame} */ frame) => numbers && { ...origin, frame: numbers.get(frame) };
  }, [traceback, origin?.request, origin?.reload, origin?.error]);

  function toggleOrder() {
    const next = isOldestFirst ? "" : PYTHON_ORDER;
    storeOrder(next);
    setOrder(next);
  }

  return html`
    <p class="actions">
      <button type="button" aria-pressed=${isOldestFirst} onClick=${toggleOrder}>Python's order</button>
      <${CopyButton} label="Copy traceback" text=${() => String(traceback.text)} />
    </p>
    <${FrameTarget.Provider} value=${target}><${Chain} traceback=${traceback} changed=${changed} isOldestFirst=${isOldestFirst} /></>
  `;
}

/** @param {{ traceback: TracebackData, changed: Set<string>, isOldestFirst: boolean }} props */
function Chain({ traceback, changed, isOldestFirst }) {
  const exceptions = causes(traceback);
  const shown = isOldestFirst ? exceptions.toReversed() : exceptions;
  return html`
    <div class="traceback" data-testid="traceback">
      ${shown.map((exception, depth) => html`
        <${Exception} exception=${exception} changed=${changed} isOldestFirst=${isOldestFirst} key=${depth} />
        ${depth < shown.length - 1 && html`<p class="relation" key=${`relation-${depth}`}>${isOldestFirst ? relationToNext(shown[depth + 1]) : relationToCause(exception)}</p>`}
      `)}
      ${traceback.text && html`
        <details class="plain" open=${!traceback.frames?.length}>
          <summary>As Python prints it</summary>
          <pre tabindex="0">${visible(traceback.text)}</pre>
        </details>
      `}
    </div>
  `;
}

// Storage throws if the user has disabled it; the order then lasts as long as the traceback.
function loadOrder() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} order */
function storeOrder(order) {
  try {
    localStorage.setItem(KEY, order);
  } catch {}
}

/** @param {TracebackData} traceback */
function causes(traceback) {
  /** @type {TracebackData[]} */
  const exceptions = [];
  for (let each = /** @type {TracebackData | null | undefined} */ (traceback); each && exceptions.length < MAX_CHAIN; each = each.cause) exceptions.push(each);
  return exceptions;
}

/** @param {TracebackData} exception */
function relationToCause({ relation }) {
  return relation === "cause" ? "It was caused by:" : "It was raised while handling:";
}

/** @param {TracebackData} exception */
function relationToNext({ relation }) {
  return relation === "cause"
    ? "The above exception was the direct cause of the following exception:"
    : "During handling of the above exception, another exception occurred:";
}

/** @param {{ exception: TracebackData, changed: Set<string>, isOldestFirst: boolean }} props */
function Exception({ exception, changed, isOldestFirst }) {
  const frames = isOldestFirst ? (exception.frames ?? []) : (exception.frames ?? []).toReversed();
  const failing = failingFrame(exception);
  const inGroup = exception.exceptions ?? [];
  return html`
    <section class="exception">
      <header>
        <h3><span class="bad">${visible(exception.type)}</span>${exception.message && html`: <span class="exception-message">${visible(exception.message)}</span>`}</h3>
      </header>
      ${exception.hint && html`<p class="hint" data-testid="hint"><b>Hint</b> ${visible(exception.hint)}</p>`}
      ${(exception.notes ?? []).map((note) => html`<p class="note">${visible(note)}</p>`)}
      ${inGroup.length > 0 && html`
        <ul class="exception-group" aria-label="Exceptions of the group">
          ${inGroup.map((each) => html`<li><${Chain} traceback=${each} changed=${changed} isOldestFirst=${isOldestFirst} /></li>`)}
        </ul>
      `}
      ${groupFrames(frames).map((group, index) =>
        group[0].user || !failing?.user
          ? html`<${Frames} key=${index} frames=${group} failing=${failing} changed=${changed} />`
          : html`<${LibraryFrames} key=${index} frames=${group} changed=${changed} />`,
      )}
    </section>
  `;
}

/**
 * Splits the frames into runs of the user's own and of libraries.
 * @param {Frame[]} frames
 */
function groupFrames(frames) {
  /** @type {Frame[][]} */
  const groups = [];
  for (const frame of frames) {
    const last = groups.at(-1);
    if (last?.[0].user === frame.user) last.push(frame);
    else groups.push([frame]);
  }
  return groups;
}

/**
 * A recursion shows each of its frames once or twice.
 * @param {{ frames: Frame[], failing: Frame | null, changed: Set<string> }} props
 */
function Frames({ frames, failing, changed }) {
  const repeats = new Map();
  const shown = frames.filter((frame) => {
    const place = `${frame.file}:${frame.line}:${frame.function}`;
    repeats.set(place, (repeats.get(place) ?? 0) + 1);
    return frame === failing || repeats.get(place) <= MAX_REPEATS;
  });
  const folded = frames.length - shown.length;
  return html`
    ${shown.map((frame) => html`<${FrameView} frame=${frame} isFailing=${frame === failing} isChanged=${changed.has(frame.file)} />`)}
    ${folded > 0 && html`<p class="dim" data-testid="repeats">The same lines ${folded === 1 ? "once" : `${folded} times`} more.</p>`}
  `;
}

/** @param {{ frames: Frame[], changed: Set<string> }} props */
function LibraryFrames({ frames, changed }) {
  const [isOpen, setOpen] = useState(false);
  return html`
    <details class="library" onToggle=${(/** @type {any} */ event) => event.target === event.currentTarget && setOpen(event.target.open)}>
      <summary>${pluralize(frames.length, "library frame")}</summary>
      ${isOpen && html`<${Frames} frames=${frames} failing=${null} changed=${changed} />`}
    </details>
  `;
}

/** @param {{ frame: Frame, isFailing: boolean, isChanged: boolean }} props */
function FrameView({ frame, isFailing, isChanged }) {
  const target = useContext(FrameTarget)(frame);
  return html`
    <article class="frame">
      <p class="location">
        <${SourceLink} file=${frame.file} line=${frame.line} target=${target} /> <span class="dim">in</span> <code>${visible(frame.function)}</code>
        ${isChanged && html` <b class="warn" title="these lines ran; the file has changed since" data-testid="source-changed">▲ source changed since</b>`}
      </p>
      ${frame.source?.length > 0 && html`<${CodeFrame} frame=${frame} />`}
      <${Locals} locals=${frame.locals ?? []} isOpen=${isFailing} />
    </article>
  `;
}
