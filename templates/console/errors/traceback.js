// A traceback: newest frame first or in Python's order, with failing columns, locals, folded library frames
// and the chain of causes.
//
// Draws the traceback it receives; never fetches one. All of it is text.

import { createContext, html, useContext, useMemo, useState } from "../vendor/preact-htm.js";
import { CopyButton } from "../components/copy-button.js";
import { pluralize, visible } from "../components/format.js";
import { SourceLink } from "../components/source-link.js";

const MAX_CHAIN = 20;
const KEY = "snaxum.traceback";
const PYTHON_ORDER = "python";
const NO_FILES = new Set();

/** A function from a frame to the target that the server opens for it, or null. */
const FrameTarget = createContext(() => null);

/** Returns the frame that most likely failed: the newest of the user's own code, else the newest of all. */
export function failingFrame(traceback) {
  const frames = traceback?.frames ?? [];
  return frames.findLast((frame) => frame.user) ?? frames.at(-1) ?? null;
}

/** Returns a map from each frame of a traceback to its number in the server's order. */
export function frameNumbers(traceback, numbers = new Map()) {
  for (const frame of traceback?.frames ?? []) numbers.set(frame, numbers.size);
  for (const related of [traceback?.cause, ...(traceback?.exceptions ?? [])]) if (related) frameNumbers(related, numbers);
  return numbers;
}

/**
 * `changed` has the files that have changed since; `origin` is `{ request: id }` or `{ reload: id }`, to
 * which the traceback belongs.
 */
export function Traceback({ traceback, changed = NO_FILES, origin }) {
  const [order, setOrder] = useState(loadOrder);
  const isOldestFirst = order === PYTHON_ORDER;
  const target = useMemo(() => {
    const numbers = origin ? frameNumbers(traceback) : null;
    return (frame) => numbers && { ...origin, frame: numbers.get(frame) };
  }, [traceback, origin?.request, origin?.reload]);

  function toggleOrder() {
    const next = order === PYTHON_ORDER ? "" : PYTHON_ORDER;
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

function storeOrder(order) {
  try {
    localStorage.setItem(KEY, order);
  } catch {}
}

function causes(traceback) {
  const exceptions = [];
  for (let each = traceback; each && exceptions.length < MAX_CHAIN; each = each.cause) exceptions.push(each);
  return exceptions;
}

function relationToCause({ relation }) {
  return relation === "cause" ? "It was caused by:" : "It was raised while handling:";
}

function relationToNext({ relation }) {
  return relation === "cause"
    ? "The above exception was the direct cause of the following exception:"
    : "During handling of the above exception, another exception occurred:";
}

function Exception({ exception, changed, isOldestFirst }) {
  const frames = isOldestFirst ? (exception.frames ?? []) : (exception.frames ?? []).toReversed();
  const failing = failingFrame(exception);
  return html`
    <section class="exception">
      <header>
        <h3><span class="bad">${visible(exception.type)}</span>${exception.message && html`: <span class="exception-message">${visible(exception.message)}</span>`}</h3>
      </header>
      ${exception.hint && html`<p class="hint"><b>Hint</b> ${visible(exception.hint)}</p>`}
      ${(exception.notes ?? []).map((note) => html`<p class="note">${visible(note)}</p>`)}
      ${(exception.exceptions ?? []).length > 0 && html`
        <ul class="exception-group" aria-label="Exceptions of the group">
          ${exception.exceptions.map((each) => html`<li><${Chain} traceback=${each} changed=${changed} isOldestFirst=${isOldestFirst} /></li>`)}
        </ul>
      `}
      ${groupFrames(frames).map((group, index) =>
        group[0].user || !failing?.user
          ? group.map((frame) => html`<${Frame} frame=${frame} isFailing=${frame === failing} isChanged=${changed.has(frame.file)} />`)
          : html`
              <details class="library" key=${index}>
                <summary>${pluralize(group.length, "library frame")}</summary>
                ${group.map((frame) => html`<${Frame} frame=${frame} isChanged=${changed.has(frame.file)} />`)}
              </details>
            `,
      )}
    </section>
  `;
}

/** Splits the frames into runs of the user's own and of libraries. */
function groupFrames(frames) {
  const groups = [];
  for (const frame of frames) {
    if (groups.at(-1)?.[0].user === frame.user) groups.at(-1).push(frame);
    else groups.push([frame]);
  }
  return groups;
}

function Frame({ frame, isFailing, isChanged }) {
  const target = useContext(FrameTarget)(frame);
  const locals = frame.locals ?? [];
  return html`
    <article class="frame">
      <p class="location">
        <${SourceLink} file=${frame.file} line=${frame.line} target=${target} /> <span class="dim">in</span> <code>${visible(frame.function)}</code>
        ${isChanged && html` <b class="warn" title="these lines ran; the file has changed since" data-testid="source-changed">▲ source changed since</b>`}
      </p>
      ${frame.source?.length > 0 && html`
        <pre class="source" tabindex="0">${frame.source.map((line) => html`<${SourceLine} frame=${frame} line=${line} />`)}</pre>
      `}
      ${locals.length > 0 && html`
        <details class="locals" open=${isFailing}>
          <summary>${pluralize(locals.length, "local")}</summary>
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
  const isFailing = line >= frame.line && line <= (frame.end_line ?? frame.line);
  const [before, failed, after] = isFailing ? splitAtFailure(frame, line, String(text)) : [String(text), "", ""];
  return html`
    <span class=${isFailing ? "line failing" : "line"}>
      <span class="gutter"><span aria-hidden="true">${isFailing ? "›" : " "}</span>${isFailing && html`<span class="visually-hidden">failing line </span>`}${line}</span>
      <code>${visible(before)}${failed && html`<mark>${visible(failed)}</mark>`}${visible(after)}</code>
    </span>
  `;
}

// Python counts characters, JavaScript UTF-16 units: an emoji before the failing columns would shift them.
function splitAtFailure(frame, line, text) {
  if (frame.column == null) return [text, "", ""];
  const characters = Array.from(text);
  const indent = characters.findIndex((character) => character.trim());
  const from = line === frame.line ? frame.column : Math.max(0, indent);
  const to = line === (frame.end_line ?? frame.line) ? (frame.end_column ?? from + 1) : characters.length;
  return [characters.slice(0, from), characters.slice(from, to), characters.slice(to)].map((part) => part.join(""));
}
