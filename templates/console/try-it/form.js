// The form that sends a request to an operation of the app, and its response: in the console and on the docs page.
//
// Sends only on a click and only to the app's own origin, as any page of the app can. Shows the response as
// text. The syntax of headers and body is in request-parser.js.

import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { pluralize, statusClass, visible } from "../components/format.js";
import { Field, FormFields, JsonFields } from "./fields.js";
import { bodiesOf, exampleBody, exampleValues, isFileSchema, noValues, operationOf, parametersOf, valuesOf } from "./operation.js";
import { BODY_KINDS, parseHeaders } from "./request-parser.js";

/** @import { Input } from "../types.js" */
/** @import { EarlierRequest, Target, Values } from "./operation.js" */
/** @import { ApiDocument } from "./schema.js" */

/** A request that was sent, as far as it has gone. @typedef {{ isPending?: boolean, problem?: string, response?: Response, text?: string, isTruncated?: boolean }} Sent */

const MAX_BODY_BYTES = 64 * 1024;
// The choice for an application, which gets every method.
const APPLICATION_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const METHODS_WITHOUT_BODY = new Set(["GET", "HEAD"]);

/**
 * Replaces the parameters in a route's pattern (in axum's syntax) by their values.
 * @param {string} pattern
 * @param {Record<string, string>} values
 */
export function buildPath(pattern, values) {
  return pattern.replace(/\{\{|\}\}|\{(\*?)([^{}]+)\}|[^{}]+/g, (part, rest, name) => {
    if (part === "{{" || part === "}}") return encodeURIComponent(part[0]);
    const text = name === undefined ? part : String(values[name] ?? "");
    // A slash in a value would change the path's segments; only a `*` parameter may contain one.
    return name !== undefined && !rest ? encodeURIComponent(text) : text.split("/").map(encodeURIComponent).join("/");
  });
}

/**
 * `api` is the OpenAPI document, or null; `last` an earlier request to fill the form with, which may come later.
 * `base` is the URL of the app's `/`; `extras` draws more about a response.
 * @param {{ id: string, methods: string[], target: Target, api: ApiDocument | null, isReady?: boolean, last?: { id: string, request: EarlierRequest } | null, base: string, extras?: (sent: Sent) => unknown }} props
 */
export function TryForm({ id, methods: declared, target, api, isReady = true, last = null, base, extras }) {
  const methods = declared[0] === "ANY" ? APPLICATION_METHODS : declared;
  const [method, setMethod] = useState(methods.includes("GET") ? "GET" : methods[0]);
  const operation = useMemo(() => operationOf(api, method, target.pattern), [api, method, target.pattern]);
  const bodies = bodiesOf(operation);
  const [values, setValues] = useState(() => noValues(bodies[0].kind));
  const [files, setFiles] = useState(/** @type {Record<string, File[]>} */ ({}));
  const [source, setSource] = useState("");
  const isTouched = useRef(false);
  const { sent, send } = useSending();

  /** @param {Partial<Values>} changed */
  function change(changed) {
    isTouched.current = true;
    setSource("");
    setValues((before) => ({ ...before, ...changed }));
  }
  /**
   * @param {Values} filled
   * @param {string} from
   */
  function fill(filled, from) {
    setValues(filled);
    setSource(from);
  }
  const fillExample = () => fill(exampleValues(target, operation, api), "an example");
  const fillLast = () => last && fill(valuesOf(last.request, target, operation), `request #${last.id}`);
  // Until the user is in the form, it has the newest values that there are.
  useEffect(() => {
    if (isTouched.current || !isReady) return;
    if (last) fillLast();
    else fillExample();
  }, [isReady, last?.id, method]);

  const body = bodies.find(({ kind }) => kind === values.kind) ?? bodies[0];
  const kinds = BODY_KINDS[body.kind] ?? BODY_KINDS.text;
  const allowsBody = !METHODS_WITHOUT_BODY.has(method) && (operation === null || operation.requestBody !== undefined || method !== "DELETE");
  const isMultipart = body.kind === "multipart";
  const sendsBody = allowsBody && (values.body.trim() !== "" || (isMultipart && Object.values(files).flat().length > 0));
  const bodyProblem = sendsBody ? kinds.problem(values.body) : null;
  const headers = parseHeaders(values.moreHeaders);
  const parameters = parametersOf(target, operation);
  const path = buildPath(target.pattern, values.path) + queryOf(values, parameters);
  const elementId = (/** @type {string} */ suffix) => `try-${id}-${suffix}`.replaceAll(/[^\w-]/g, "-");

  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    if (bodyProblem || headers.problem) return;
    const requestHeaders = new Headers(headers.pairs);
    for (const { name, in: place } of parameters) if (place === "header" && values.header[name]) requestHeaders.set(name, values.header[name]);
    if (sendsBody && !isMultipart && !requestHeaders.has("content-type")) requestHeaders.set("content-type", BODY_KINDS[body.kind] ? kinds.type : body.type || kinds.type);
    const content = isMultipart ? formData(values.body, files) : kinds.encode(values.body);
    // Several slashes at the start would address another host.
    send(new URL(path.replace(/^\/+/, ""), base), { method, headers: requestHeaders, ...(sendsBody ? { body: content } : {}) });
  }

  return html`
    <form class="try" onSubmit=${submit} onfocusin=${() => (isTouched.current = true)} data-testid="try-it">
      <p class="wide actions fill">
        ${last && html`<button type="button" onClick=${fillLast}>Last request</button>`}
        <button type="button" onClick=${fillExample}>Example</button>
        <button type="button" onClick=${() => fill(noValues(body.kind), "")}>Clear</button>
        ${source && html`<span class="dim" data-testid="try-source">from ${visible(source)}</span>`}
      </p>
      ${methods.length > 1 && html`
        <label>Method <select value=${method} onChange=${(/** @type {Input} */ event) => setMethod(event.target.value)}>
          ${methods.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}
        </select></label>
      `}
      ${parameters.map(({ name, in: place, required, schema, description }) => {
        const group = /** @type {"path" | "query" | "header"} */ (place);
        return html`<${Field} key=${`${place} ${name}`} name=${name} schema=${schema} api=${api} isRequired=${required} about=${description} place=${place}
          value=${values[group][name] ?? ""} change=${(/** @type {string} */ text) => change({ [group]: { ...values[group], [name]: text } })} />`;
      })}
      <label>${parameters.some((each) => each.in === "query") ? "More query" : "Query"} <input type="text" name="query" placeholder="a=1&b=2" value=${values.moreQuery} autocomplete="off" spellcheck=${false}
        onInput=${(/** @type {Input} */ event) => change({ moreQuery: event.target.value })} /></label>
      <label class="wide">Headers
        <textarea rows="2" name="headers" placeholder="accept-language: en" spellcheck=${false} value=${values.moreHeaders} aria-invalid=${headers.problem ? "true" : null}
          aria-describedby=${elementId("header-problem")} onInput=${(/** @type {Input} */ event) => change({ moreHeaders: event.target.value })}></textarea>
      </label>
      <p id=${elementId("header-problem")} class="warn wide">${headerProblem(headers)}</p>
      ${allowsBody && html`
        ${bodies.length > 1 && html`
          <label>Body type <select value=${body.kind} onChange=${(/** @type {Input} */ event) => change({ kind: event.target.value, ...changedBody(event.target.value) })}>
            ${bodies.map(({ kind }) => html`<option key=${kind} value=${kind}>${visible(BODY_KINDS[kind]?.label ?? kind)}</option>`)}
          </select></label>
        `}
        ${body.kind === "json" && html`<${JsonFields} schema=${body.schema} api=${api} text=${values.body} change=${(/** @type {string} */ text) => change({ body: text })} />`}
        ${(body.kind === "form" || isMultipart) && html`<${FormFields} schema=${body.schema} api=${api} text=${values.body} change=${(/** @type {string} */ text) => change({ body: text })}
          isFile=${isFile} setFiles=${(/** @type {string} */ name, /** @type {File[]} */ chosen) => setFiles({ ...files, [name]: chosen })} />`}
        <label class="wide">${kinds.label} body
          <textarea rows="4" name="body" placeholder=${kinds.placeholder} spellcheck=${false} value=${values.body} aria-invalid=${bodyProblem ? "true" : null}
            aria-describedby=${elementId("body-problem")} onInput=${(/** @type {Input} */ event) => change({ body: event.target.value })}></textarea>
        </label>
        <p id=${elementId("body-problem")} class="warn wide">${bodyProblem && `▲ ${visible(bodyProblem)}`}</p>
      `}
      <p class="wide actions">
        <button type="submit" disabled=${!isReady || Boolean(bodyProblem || headers.problem)}>Send</button>
        <code class="dim">${method} ${visible(path)}</code>
      </p>
      <div role="status" class="wide" data-testid="try-result"><${Result} sent=${sent} extras=${extras} /></div>
    </form>
  `;

  /** @param {string} name */
  function isFile(name) {
    return isFileSchema(body.schema?.properties?.[name] ?? resolvedProperties()[name], api);
  }
  function resolvedProperties() {
    const schema = body.schema?.$ref ? api?.components?.schemas?.[body.schema.$ref.split("/").at(-1) ?? ""] : body.schema;
    return schema?.properties ?? {};
  }
  /** An example of another kind of body replaces one that the user has not changed. @param {string} kind */
  function changedBody(kind) {
    const other = bodies.find((each) => each.kind === kind);
    return isTouched.current || !operation?.requestBody || !other ? {} : { body: exampleBody(operation, other, api) };
  }
}

/** Sends one request at a time: a later one ends the one before. */
function useSending() {
  const [sent, setSent] = useState(/** @type {Sent | null} */ (null));
  const sending = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => () => sending.current?.abort(), []);
  /**
   * @param {URL} url
   * @param {RequestInit} options
   */
  async function send(url, options) {
    sending.current?.abort();
    const controller = (sending.current = new AbortController());
    setSent({ isPending: true });
    try {
      const response = await fetch(url, { ...options, signal: controller.signal, cache: "no-store" });
      setSent({ response, ...(await readBody(response)) });
    } catch (error) {
      if (!controller.signal.aborted) setSent({ problem: /** @type {Error} */ (error).message });
    }
  }
  return { sent, send };
}

/**
 * @param {Values} values
 * @param {{ name: string, in: string, schema?: import("./schema.js").Schema }[]} parameters
 */
function queryOf({ query, moreQuery }, parameters) {
  const pairs = parameters.filter((each) => each.in === "query").flatMap(({ name }) => (query[name] ?? "").split("\n").filter((text) => text !== "").map((text) => [name, text]));
  const typed = new URLSearchParams(pairs).toString();
  const more = moreQuery.replace(/^\?/, "").replaceAll("#", "%23");
  const all = [typed, more].filter(Boolean).join("&");
  return all && `?${all}`;
}

/**
 * @param {string} text
 * @param {Record<string, File[]>} files
 */
function formData(text, files) {
  const data = new FormData();
  for (const line of text.split("\n").filter((each) => each.trim())) {
    const index = line.indexOf("=");
    data.append(line.slice(0, index), line.slice(index + 1));
  }
  for (const [name, chosen] of Object.entries(files)) for (const file of chosen) data.append(name, file);
  return data;
}

/** @param {{ problem: string | null, forbidden: string[] }} headers */
function headerProblem({ problem, forbidden }) {
  if (problem) return `▲ ${visible(problem)}`;
  return forbidden.length > 0 && `▲ ignored, because browsers do not let a page set it: ${forbidden.map(visible).join(", ")}`;
}

/** @param {{ sent: Sent | null, extras?: (sent: Sent) => unknown }} props */
function Result({ sent, extras }) {
  if (!sent) return null;
  if (sent.isPending) return html`<p class="dim">Waiting for the response…</p>`;
  const { response, text, isTruncated, problem } = sent;
  if (problem || !response) return html`<p class="bad">✖ No response: ${visible(problem)}</p>`;
  return html`
    <p>
      <b class=${statusClass(response.status)}>${response.status} ${visible(response.statusText)}</b>
      ${response.redirected && html` <span class="dim">from</span> <code>${visible(response.url)}</code>`}
    </p>
    <details>
      <summary>${pluralize([...response.headers].length, "header")}</summary>
      <table class="facts">
        <caption class="visually-hidden">Response headers</caption>
        <tbody>${[...response.headers].map(([name, value]) => html`<tr key=${name}><th scope="row"><code>${visible(name)}</code></th><td><code>${visible(value)}</code></td></tr>`)}</tbody>
      </table>
    </details>
    ${text ? html`<pre class="body" tabindex="0" aria-label="Response body">${visible(text)}</pre>` : html`<p class="dim">The body is empty.</p>`}
    ${isTruncated && html`<p class="dim">Truncated after ${MAX_BODY_BYTES / 1024} KiB.</p>`}
    ${extras?.(sent)}
  `;
}

/**
 * Reads the first MAX_BODY_BYTES of a response's body as text, then cancels the rest.
 * @param {Response} response
 */
async function readBody(response) {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for (;;) {
    const { done, value } = reader ? await reader.read() : { done: true, value: undefined };
    if (done || !value) return { text: text + decoder.decode(), isTruncated: false };
    const remaining = MAX_BODY_BYTES - size;
    text += decoder.decode(value.subarray(0, remaining), { stream: true });
    size += value.length;
    if (size > MAX_BODY_BYTES) {
      reader?.cancel();
      return { text, isTruncated: true };
    }
  }
}
