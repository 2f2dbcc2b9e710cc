// An exception as a person debugs it: newest frame first, or in Python's order, the failing columns
// underlined, the locals beside the code, library frames folded, then what caused it.
//
// Draws the traceback it is given; never fetches one. All of it is text.

import { createContext, html, useContext, useMemo, useState } from "./vendor/preact-htm.js";
import { CopyButton } from "./copy.js";
import { Place } from "./editor.js";
import { counted, visible } from "./format.js";

const LONGEST_CHAIN = 20;
const KEY = "snaxum.traceback";
const PYTHON = "python";
const NOTHING = new Set();

/** What opens a frame on the server, or null: for the frames within. */
const Targets = createContext(() => null);

/** The frame a person wants to open: the newest of their own, else the newest of all. */
export function failingFrame(traceback) {
  const frames = traceback?.frames ?? [];
  return frames.findLast((frame) => frame.user) ?? frames.at(-1) ?? null;
}

/** The frames of a traceback with their numbers, as the server counts them. */
export function numbered(traceback, numbers = new Map()) {
  for (const frame of traceback?.frames ?? []) numbers.set(frame, numbers.size);
  for (const behind of [traceback?.cause, ...(traceback?.exceptions ?? [])]) if (behind) numbered(behind, numbers);
  return numbers;
}

/**
 * `changed` has the files that are others by now; `origin` is what the traceback belongs to:
 * `{ request: id }` or `{ reload: id }`.
 */
export function Traceback({ traceback, changed = NOTHING, origin }) {
  const [order, setOrder] = useState(saved);
  const isOldestFirst = order === PYTHON;
  const target = useMemo(() => {
    const numbers = origin ? numbered(traceback) : null;
    return (frame) => numbers && { ...origin, frame: numbers.get(frame) };
  }, [traceback, origin?.request, origin?.reload]);

  function turn() {
    const next = order === PYTHON ? "" : PYTHON;
    save(next);
    setOrder(next);
  }

  return html`
    <p class="actions">
      <button type="button" aria-pressed=${isOldestFirst} onClick=${turn}>Python's order</button>
      <${CopyButton} label="Copy traceback" text=${() => String(traceback.text)} />
    </p>
    <${Targets.Provider} value=${target}><${Chain} traceback=${traceback} changed=${changed} isOldestFirst=${isOldestFirst} /></>
  `;
}

function Chain({ traceback, changed, isOldestFirst }) {
  const exceptions = chain(traceback);
  const shown = isOldestFirst ? exceptions.toReversed() : exceptions;
  return html`
    <div class="traceback" data-testid="traceback">
      ${shown.map((exception, depth) => html`
        <${Exception} exception=${exception} changed=${changed} isOldestFirst=${isOldestFirst} key=${depth} />
        ${depth < shown.length - 1 && html`<p class="relation" key=${`relation-${depth}`}>${isOldestFirst ? consequence(shown[depth + 1]) : relation(exception)}</p>`}
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

// Storage throws when the person has switched it off; the order then lasts as long as the traceback.
function saved() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function save(order) {
  try {
    localStorage.setItem(KEY, order);
  } catch {}
}

function chain(traceback) {
  const exceptions = [];
  for (let each = traceback; each && exceptions.length < LONGEST_CHAIN; each = each.cause) exceptions.push(each);
  return exceptions;
}

function relation({ relation }) {
  return relation === "cause" ? "It was raised because of:" : "It was raised while this was being handled:";
}

function consequence({ relation }) {
  return relation === "cause" ? "Because of it was raised:" : "While it was being handled this was raised:";
}

function Exception({ exception, changed, isOldestFirst }) {
  const frames = isOldestFirst ? (exception.frames ?? []) : (exception.frames ?? []).toReversed();
  const failing = failingFrame(exception);
  return html`
    <section class="exception">
      <header>
        <h3><span class="bad">${visible(exception.type)}</span>${exception.message && html`: <span class="said">${visible(exception.message)}</span>`}</h3>
      </header>
      ${exception.hint && html`<p class="hint"><b>Hint</b> ${visible(exception.hint)}</p>`}
      ${(exception.notes ?? []).map((note) => html`<p class="note">${visible(note)}</p>`)}
      ${(exception.exceptions ?? []).length > 0 && html`
        <ul class="group" aria-label="What it holds">
          ${exception.exceptions.map((each) => html`<li><${Chain} traceback=${each} changed=${changed} isOldestFirst=${isOldestFirst} /></li>`)}
        </ul>
      `}
      ${folded(frames).map((group, index) =>
        group[0].user || !failing?.user
          ? group.map((frame) => html`<${Frame} frame=${frame} isFailing=${frame === failing} isChanged=${changed.has(frame.file)} />`)
          : html`
              <details class="library" key=${index}>
                <summary>${counted(group.length, "library frame")}</summary>
                ${group.map((frame) => html`<${Frame} frame=${frame} isChanged=${changed.has(frame.file)} />`)}
              </details>
            `,
      )}
    </section>
  `;
}

/** Frames in runs of the user's own and of libraries'. */
function folded(frames) {
  const groups = [];
  for (const frame of frames) {
    if (groups.at(-1)?.[0].user === frame.user) groups.at(-1).push(frame);
    else groups.push([frame]);
  }
  return groups;
}

function Frame({ frame, isFailing, isChanged }) {
  const target = useContext(Targets)(frame);
  const locals = frame.locals ?? [];
  return html`
    <article class="frame">
      <p class="where">
        <${Place} file=${frame.file} line=${frame.line} target=${target} /> <span class="dim">in</span> <code>${visible(frame.function)}</code>
        ${isChanged && html` <b class="warn" title="the lines below are those that ran; the file holds others by now" data-testid="source-changed">▲ source changed since</b>`}
      </p>
      ${frame.source?.length > 0 && html`
        <pre class="source" tabindex="0">${frame.source.map((line) => html`<${SourceLine} frame=${frame} line=${line} />`)}</pre>
      `}
      ${locals.length > 0 && html`
        <details class="locals" open=${isFailing}>
          <summary>${counted(locals.length, "local")}</summary>
          <table class="facts">
            <tbody>
              ${locals.map(({ name, value }) => html`<tr><th scope="row"><code>${visible(name)}</code></th><td><code>${visible(value)}</code></td></tr>`)}
            </tbody>
          </table>
        </details>
      `}
    </article>
  `;
}

function SourceLine({ frame, line: { line, text } }) {
  const fails = line >= frame.line && line <= (frame.end_line ?? frame.line);
  const [before, fault, after] = fails ? cut(frame, line, String(text)) : [String(text), "", ""];
  return html`
    <span class=${fails ? "line failing" : "line"}>
      <span class="gutter"><span aria-hidden="true">${fails ? "›" : " "}</span>${fails && html`<span class="unseen">failing line </span>`}${line}</span>
      <code>${visible(before)}${fault && html`<mark>${visible(fault)}</mark>`}${visible(after)}</code>
    </span>
  `;
}

// Python counts characters, JavaScript counts UTF-16 units: an emoji before the fault would shift it.
function cut(frame, line, text) {
  if (frame.column == null) return [text, "", ""];
  const characters = Array.from(text);
  const indent = characters.findIndex((character) => character.trim());
  const from = line === frame.line ? frame.column : Math.max(0, indent);
  const to = line === (frame.end_line ?? frame.line) ? (frame.end_column ?? from + 1) : characters.length;
  return [characters.slice(0, from), characters.slice(from, to), characters.slice(to)].map((part) => part.join(""));
}
