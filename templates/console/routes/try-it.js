// A form that sends a request to a route of the app, and the response.
//
// Sends only on a click and only to the app's own origin, as any page of the app can. Shows the response as
// text. The syntax of headers and body is in request-parser.js.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { statusClass, visible } from "../components/format.js";
import { useAnnouncement } from "../page/live-region.js";
import { Preview } from "../requests/preview.js";
import { BODY_KINDS, parseHeaders } from "./request-parser.js";
import { formatHash } from "../page/url-hash.js";

const MAX_BODY_BYTES = 64 * 1024;
// The choice for an application, which gets every method.
const APPLICATION_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const METHODS_WITHOUT_BODY = new Set(["GET", "HEAD"]);
const PARAM_INPUTS = {
  int: { type: "number", step: "1", min: "0", inputmode: "numeric" },
  float: { type: "number", step: "any", min: "0", inputmode: "decimal" },
  uuid: { type: "text", pattern: "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", placeholder: "123e4567-e89b-12d3-a456-426614174000" },
};

/** Replaces the parameters in a route's pattern (in axum's syntax) by their values. */
export function buildPath(pattern, values) {
  return pattern.replace(/\{\{|\}\}|\{(\*?)([^{}]+)\}|[^{}]+/g, (part, rest, name) => {
    if (part === "{{" || part === "}}") return encodeURIComponent(part[0]);
    const text = name === undefined ? part : String(values[name] ?? "");
    // A slash in a value would change the path's segments; only a `*` parameter may contain one.
    return name !== undefined && !rest ? encodeURIComponent(text) : text.split("/").map(encodeURIComponent).join("/");
  });
}

export function TryIt({ route }) {
  const methods = route.methods[0] === "ANY" ? APPLICATION_METHODS : route.methods;
  const [method, setMethod] = useState(methods.includes("GET") ? "GET" : methods[0]);
  const [values, setValues] = useState({});
  const [query, setQuery] = useState("");
  const [headerText, setHeaderText] = useState("");
  const [kind, setKind] = useState("json");
  const [body, setBody] = useState("");
  const [result, setResult] = useState(null);
  const sending = useRef(null);
  useEffect(() => () => sending.current?.abort(), []);

  const allowsBody = !METHODS_WITHOUT_BODY.has(method);
  const sendsBody = allowsBody && body.trim() !== "";
  const bodyProblem = sendsBody ? BODY_KINDS[kind].problem(body) : null;
  const headers = parseHeaders(headerText);
  useAnnouncement(`headers ${route.id}`, headerProblem(headers) || "");
  useAnnouncement(`body ${route.id}`, bodyProblem ?? "");
  const path = buildPath(route.pattern, values) + (query ? `?${query.replace(/^\?/, "").replaceAll("#", "%23")}` : "");
  const elementId = (suffix) => `try-${route.id}-${suffix}`.replaceAll(" ", "-");

  async function send(event) {
    event.preventDefault();
    if (bodyProblem || headers.problem) return;
    sending.current?.abort();
    const controller = (sending.current = new AbortController());
    setResult({ isPending: true });
    const requestHeaders = new Headers(headers.pairs);
    if (sendsBody && !requestHeaders.has("content-type")) requestHeaders.set("content-type", BODY_KINDS[kind].type);
    const options = { method, headers: requestHeaders, signal: controller.signal, cache: "no-store" };
    if (sendsBody) options.body = BODY_KINDS[kind].encode(body);
    try {
      // Several slashes at the start would address another host.
      const response = await fetch(new URL(path.replace(/^\/+/, "/"), location.origin), options);
      const { text, isTruncated } = await readBody(response);
      setResult({ response, text, isTruncated });
    } catch (error) {
      if (!controller.signal.aborted) setResult({ problem: error.message });
    }
  }

  return html`
    <form class="try" onSubmit=${send} data-testid="try-it">
      ${methods.length > 1 && html`
        <label>Method <select value=${method} onChange=${(event) => setMethod(event.target.value)}>
          ${methods.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}
        </select></label>
      `}
      ${route.params.map(({ name: param, type }) => html`
        <label key=${param}><span>${visible(param)} <span class="dim">${visible(type)}</span></span>
          <input required ...${Object.hasOwn(PARAM_INPUTS, type) ? PARAM_INPUTS[type] : { type: "text" }} name=${param} value=${values[param] ?? ""}
            autocomplete="off" spellcheck=${false} onInput=${(event) => setValues({ ...values, [param]: event.target.value })} />
        </label>
      `)}
      <label>Query <input type="text" name="query" placeholder="a=1&b=2" value=${query} autocomplete="off" spellcheck=${false}
        onInput=${(event) => setQuery(event.target.value)} /></label>
      <label class="wide">Headers
        <textarea rows="2" name="headers" placeholder="accept-language: en" spellcheck=${false} value=${headerText} aria-invalid=${headers.problem ? "true" : null}
          aria-describedby=${elementId("header-problem")} onInput=${(event) => setHeaderText(event.target.value)}></textarea>
      </label>
      <p id=${elementId("header-problem")} class="warn wide">${headerProblem(headers)}</p>
      ${allowsBody && html`
        <label>Body type <select name="kind" value=${kind} onChange=${(event) => setKind(event.target.value)}>
          ${Object.entries(BODY_KINDS).map(([each, { label }]) => html`<option key=${each} value=${each}>${label}</option>`)}
        </select></label>
        <label class="wide">${BODY_KINDS[kind].label} body
          <textarea rows="4" name="body" placeholder=${BODY_KINDS[kind].placeholder} spellcheck=${false} value=${body} aria-invalid=${bodyProblem ? "true" : null}
            aria-describedby=${elementId("body-problem")} onInput=${(event) => setBody(event.target.value)}></textarea>
        </label>
        <p id=${elementId("body-problem")} class="warn wide">${bodyProblem && `▲ ${visible(bodyProblem)}`}</p>
      `}
      <p class="wide actions">
        <button type="submit" disabled=${Boolean(bodyProblem || headers.problem)}>Send</button>
        <code class="dim">${method} ${visible(path)}</code>
      </p>
      <div role="status" class="wide" data-testid="try-result"><${Result} result=${result} /></div>
    </form>
  `;
}

function headerProblem({ problem, forbidden }) {
  if (problem) return `▲ ${visible(problem)}`;
  return forbidden.length > 0 && `▲ ignored, because browsers do not let a page set it: ${forbidden.map(visible).join(", ")}`;
}

function Result({ result }) {
  if (!result) return null;
  if (result.isPending) return html`<p class="dim">Waiting for the response…</p>`;
  if (result.problem) return html`<p class="bad">✖ No response: ${visible(result.problem)}</p>`;
  const { response, text, isTruncated } = result;
  const id = response.headers.get("x-request-id");
  return html`
    <p>
      <b class=${statusClass(response.status)}>${response.status} ${visible(response.statusText)}</b>
      ${response.redirected && html` <span class="dim">from</span> <code>${visible(response.url)}</code>`}
      ${id && html` <a href=${formatHash({ tab: "requests", open: id })}>request #${visible(id)}</a>`}
    </p>
    <table class="facts">
      <caption class="visually-hidden">Response headers</caption>
      <tbody>${[...response.headers].map(([name, value]) => html`<tr key=${name}><th scope="row"><code>${visible(name)}</code></th><td><code>${visible(value)}</code></td></tr>`)}</tbody>
    </table>
    ${text ? html`<pre class="body" tabindex="0" aria-label="Response body">${visible(text)}</pre>` : html`<p class="dim">The body is empty.</p>`}
    ${text && /^text\/html\b/i.test(response.headers.get("content-type") ?? "") && html`<${Preview} key=${id} text=${text} />`}
    ${isTruncated && html`<p class="dim">Truncated after ${MAX_BODY_BYTES / 1024} KiB.</p>`}
  `;
}

/** Reads the first MAX_BODY_BYTES of a response's body as text, then cancels the rest. */
async function readBody(response) {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for (;;) {
    const { done, value } = reader ? await reader.read() : { done: true };
    if (done) return { text: text + decoder.decode(), isTruncated: false };
    const remaining = MAX_BODY_BYTES - size;
    text += decoder.decode(value.subarray(0, remaining), { stream: true });
    size += value.length;
    if (size > MAX_BODY_BYTES) {
      reader.cancel();
      return { text, isTruncated: true };
    }
  }
}
