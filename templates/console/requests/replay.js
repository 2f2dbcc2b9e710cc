// Replaying a request: unchanged, edited in a form, or pinned until it passes.
//
// Sends only the fields that the user changed: the server fills in the others, secrets included.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { pin, replay, unpin } from "../server/commands.js";
import { version, visible } from "../components/format.js";

/** @import { Pin, RequestDetail } from "snaxum-events" */
/** @import { Changes } from "../server/commands.js" */
/** @import { State } from "../server/store.js" */
/** @import { Input, KeyPress } from "../types.js" */

const FIRST_FAILURE = 400;

/**
 * The buttons for one request; `select` opens the request that a replay created.
 * @param {{ request: RequestDetail, state: State, select: (id: string) => void }} props
 */
export function Replay({ request, state, select }) {
  const [isEditing, setEditing] = useState(false);
  const [problem, setProblem] = useState("");
  const [isSending, setSending] = useState(false);
  const pinned = state.pins.find(({ id }) => id === request.id);

  /**
   * A `disabled` button would lose the focus.
   * @template T
   * @param {() => Promise<T>} action
   */
  async function run(action) {
    if (isSending) return null;
    setSending(true);
    setProblem("");
    try {
      return await action();
    } catch (error) {
      setProblem(/** @type {Error} */ (error).message);
      return null;
    } finally {
      setSending(false);
    }
  }

  /** @param {Changes} changes */
  async function send(changes) {
    const sent = await run(() => replay(request.id, changes));
    if (sent) select(sent.id);
  }

  if (request.is_call) return null; // the request that made it can be replayed
  return html`
    <p class="actions">
      <button type="button" onClick=${() => send({})}>Replay</button>
      <button type="button" aria-expanded=${isEditing} onClick=${() => setEditing(!isEditing)}>Edit and replay</button>
      ${pinned
        ? html`<button type="button" aria-pressed="true" onClick=${() => run(() => unpin(request.id))}>⚑ Unpin</button>`
        : request.status >= FIRST_FAILURE &&
          html`<button type="button" onClick=${() => run(() => pin(request.id))}>⚑ Pin until it passes</button>`}
    </p>
    <div role="status">${isSending ? html`<p class="dim">Waiting for the response…</p>` : problem && html`<p class="bad">${visible(problem)}</p>`}</div>
    ${isEditing && html`<${EditForm} request=${request} send=${send} />`}
  `;
}

/**
 * The button that sends a request again and profiles it from its start; `choose` shows a part of the new request.
 * @param {{ request: RequestDetail, select: (id: string) => void, choose: (part: string) => void }} props
 */
export function ReplayProfiled({ request, select, choose }) {
  const [problem, setProblem] = useState("");
  async function send() {
    setProblem("");
    try {
      const { id } = await replay(request.id, { headers: [...request.request_headers, ["x-snaxum-profile", "1"]] });
      select(id);
      choose("profile");
    } catch (error) {
      setProblem(/** @type {Error} */ (error).message);
    }
  }
  return html`
    <p class="actions"><button type="button" onClick=${send}>Replay with a profile</button> <span class="dim">which shows the time of each function and line</span></p>
    <div role="status">${problem && html`<p class="bad">${visible(problem)}</p>`}</div>
  `;
}

/** @param {{ request: RequestDetail, send: (changes: Changes) => void }} props */
function EditForm({ request, send }) {
  const asSent = {
    method: request.method,
    target: request.path.split("/").map(encodeURIComponent).join("/") + (request.query ? `?${request.query}` : ""),
    headers: request.request_headers.map(([name, value]) => `${name}: ${value}`).join("\n"),
    body: request.request_body?.text ?? "",
  };
  const [draft, setDraft] = useState(asSent);
  const change = (/** @type {keyof typeof asSent} */ name) => (/** @type {Input} */ event) => setDraft({ ...draft, [name]: event.target.value });
  const hasFixedBody = request.request_body?.text == null;

  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    const { headers, ...texts } = draft;
    const changes = /** @type {Changes} */ (Object.fromEntries(Object.entries(texts).filter(([name, value]) => value !== asSent[/** @type {keyof typeof texts} */ (name)])));
    if (headers !== asSent.headers) changes.headers = pairs(headers);
    send(changes);
  }

  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  // The field that is most likely changed: the body, or the address of a request without one.
  useEffect(() => /** @type {HTMLElement | null} */ (form.current?.elements.namedItem(asSent.body ? "body" : "target"))?.focus(), []);
  /** @param {KeyPress} event */
  function sendByKey(event) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.current?.requestSubmit();
  }

  return html`
    <form class="edit" ref=${form} onSubmit=${submit} onKeyDown=${sendByKey} data-testid="edit-form">
      <label>Method <input name="method" value=${draft.method} onInput=${change("method")} required spellcheck=${false} /></label>
      <label>Path and query <input name="target" value=${draft.target} onInput=${change("target")} required spellcheck=${false} /></label>
      <label>Headers <textarea name="headers" rows="5" value=${draft.headers} onInput=${change("headers")} spellcheck=${false}></textarea></label>
      <label>Body <textarea name="body" rows="6" value=${draft.body} onInput=${change("body")} spellcheck=${false}></textarea></label>
      <p class="dim">•••• is replaced by the value that was sent. ${hasFixedBody && !draft.body && "The body is unchanged."}</p>
      <p class="actions"><button type="submit" title="Ctrl+Enter">Send</button></p>
    </form>
  `;
}

/**
 * Parses lines of `name: value`; empty lines are ignored.
 * @param {string} text
 */
function pairs(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  return lines.map((line) => {
    const [name, ...value] = line.split(":");
    return [name.trim(), value.join(":").trim()];
  });
}

/**
 * The pinned requests, above the list of all requests.
 * @param {{ pins: Pin[], select: (id: string) => void }} props
 */
export function Pins({ pins, select }) {
  const [problem, setProblem] = useState("");
  const removePin = (/** @type {string} */ id) => unpin(id).then(() => setProblem(""), (error) => setProblem(error.message));
  if (!pins.length) return null;
  return html`
    ${problem && html`<p class="bad" role="alert">Cannot unpin: ${visible(problem)}</p>`}
    <ul class="pins" aria-label="Pinned requests" data-testid="pins">
      ${pins.map(
        ({ id, method, path, state, status, generation, replay: last, replays }) => html`
          <li key=${id}>
            <b class=${state === "passing" ? "good" : "bad"}>⚑ ${state}</b>
            <button type="button" class="link" onClick=${() => select(last ?? id)}>${visible(method)} ${visible(path)}</button>
            <span class="dim">${status} in ${version(generation)}${replays > 0 && `, replayed ${replays}×`}</span>
            <button type="button" class="quiet" title="Unpin" onClick=${() => removePin(id)}><span aria-hidden="true">✕</span><span class="visually-hidden">Unpin ${visible(method)} ${visible(path)}</span></button>
          </li>
        `,
      )}
    </ul>
  `;
}
