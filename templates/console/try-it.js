// A form that sends one request to a route of the app, and what came back.
//
// Sends to the app's own origin, as any of its pages could, and only when somebody says so. All of
// an answer is shown as text. How a body and headers are written is in message.js.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";
import { addressOf } from "./address.js";
import { statusClass, visible } from "./format.js";
import { BODIES, headersOf } from "./message.js";
import { Preview } from "./preview.js";
import { useSaid } from "./spoken.js";

const LONGEST_BODY = 64 * 1024;
const BODILESS = new Set(["GET", "HEAD"]);
const KINDS = {
  int: { type: "number", step: "1", min: "0", inputmode: "numeric" },
  float: { type: "number", step: "any", min: "0", inputmode: "decimal" },
  uuid: { type: "text", pattern: "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", placeholder: "123e4567-e89b-12d3-a456-426614174000" },
};

/** The path of a route (as axum writes it) with values in the places of its parameters. */
function filledPath(pattern, values) {
  return pattern.replace(/\{\{|\}\}|\{(\*?)([^{}]+)\}|[^{}]+/g, (part, rest, name) => {
    if (part === "{{" || part === "}}") return encodeURIComponent(part[0]);
    const text = name === undefined ? part : String(values[name] ?? "");
    // A slash in a value would be another path, unless the parameter takes the rest of it.
    return name !== undefined && !rest ? encodeURIComponent(text) : text.split("/").map(encodeURIComponent).join("/");
  });
}

export function TryIt({ route }) {
  const [method, setMethod] = useState(route.methods.includes("GET") ? "GET" : route.methods[0]);
  const [values, setValues] = useState({});
  const [query, setQuery] = useState("");
  const [headerText, setHeaderText] = useState("");
  const [kind, setKind] = useState("json");
  const [body, setBody] = useState("");
  const [result, setResult] = useState(null);
  const sending = useRef(null);
  useEffect(() => () => sending.current?.abort(), []);

  const hasBody = !BODILESS.has(method);
  const sendsBody = hasBody && body.trim() !== "";
  const bodyProblem = sendsBody ? BODIES[kind].problem(body) : null;
  const headers = headersOf(headerText);
  useSaid(`headers ${route.id}`, headerWords(headers) || "");
  useSaid(`body ${route.id}`, bodyProblem ?? "");
  const path = filledPath(route.pattern, values) + (query ? `?${query.replace(/^\?/, "").replaceAll("#", "%23")}` : "");
  const name = (what) => `try ${route.id} ${what}`.replaceAll(" ", "-");

  async function send(event) {
    event.preventDefault();
    if (bodyProblem || headers.problem) return;
    sending.current?.abort();
    const stop = (sending.current = new AbortController());
    setResult({ isPending: true });
    const all = new Headers(headers.pairs);
    if (sendsBody && !all.has("content-type")) all.set("content-type", BODIES[kind].type);
    const options = { method, headers: all, signal: stop.signal, cache: "no-store" };
    if (sendsBody) options.body = BODIES[kind].encode(body);
    try {
      // Several slashes at the start would be another host.
      const answer = await fetch(new URL(path.replace(/^\/+/, "/"), location.origin), options);
      const { text, isCut } = await start(answer);
      setResult({ answer, text, isCut });
    } catch (error) {
      if (!stop.signal.aborted) setResult({ problem: error.message });
    }
  }

  return html`
    <form class="try" onSubmit=${send} data-testid="try-it">
      ${route.methods.length > 1 && html`
        <label>Method <select value=${method} onChange=${(event) => setMethod(event.target.value)}>
          ${route.methods.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}
        </select></label>
      `}
      ${route.params.map(({ name: param, type }) => html`
        <label key=${param}><span>${visible(param)} <span class="dim">${visible(type)}</span></span>
          <input required ...${Object.hasOwn(KINDS, type) ? KINDS[type] : { type: "text" }} name=${param} value=${values[param] ?? ""}
            autocomplete="off" spellcheck=${false} onInput=${(event) => setValues({ ...values, [param]: event.target.value })} />
        </label>
      `)}
      <label>Query <input type="text" name="query" placeholder="a=1&b=2" value=${query} autocomplete="off" spellcheck=${false}
        onInput=${(event) => setQuery(event.target.value)} /></label>
      <label class="wide">Headers
        <textarea rows="2" name="headers" placeholder="accept-language: en" spellcheck=${false} value=${headerText} aria-invalid=${headers.problem ? "true" : null}
          aria-describedby=${name("header-problem")} onInput=${(event) => setHeaderText(event.target.value)}></textarea>
      </label>
      <p id=${name("header-problem")} class="warn wide">${headerWords(headers)}</p>
      ${hasBody && html`
        <label>Body is <select name="kind" value=${kind} onChange=${(event) => setKind(event.target.value)}>
          ${Object.entries(BODIES).map(([each, { label }]) => html`<option key=${each} value=${each}>${label}</option>`)}
        </select></label>
        <label class="wide">${BODIES[kind].label} body
          <textarea rows="4" name="body" placeholder=${BODIES[kind].placeholder} spellcheck=${false} value=${body} aria-invalid=${bodyProblem ? "true" : null}
            aria-describedby=${name("problem")} onInput=${(event) => setBody(event.target.value)}></textarea>
        </label>
        <p id=${name("problem")} class="warn wide">${bodyProblem && `▲ ${visible(bodyProblem)}`}</p>
      `}
      <p class="wide actions">
        <button type="submit" disabled=${Boolean(bodyProblem || headers.problem)}>Send</button>
        <code class="dim">${method} ${visible(path)}</code>
      </p>
      <div role="status" class="wide" data-testid="try-result"><${Result} result=${result} /></div>
    </form>
  `;
}

function headerWords({ problem, kept }) {
  if (problem) return `▲ ${visible(problem)}`;
  return kept.length > 0 && `▲ no page may set: ${kept.map(visible).join(", ")}; left out`;
}

function Result({ result }) {
  if (!result) return null;
  if (result.isPending) return html`<p class="dim">Waiting for the answer…</p>`;
  if (result.problem) return html`<p class="bad">✖ No answer: ${visible(result.problem)}</p>`;
  const { answer, text, isCut } = result;
  const id = answer.headers.get("x-request-id");
  return html`
    <p>
      <b class=${statusClass(answer.status)}>${answer.status} ${visible(answer.statusText)}</b>
      ${answer.redirected && html` <span class="dim">from</span> <code>${visible(answer.url)}</code>`}
      ${id && html` <a href=${addressOf({ tab: "requests", open: id })}>request #${visible(id)}</a>`}
    </p>
    <table class="facts">
      <caption class="unseen">Response headers</caption>
      <tbody>${[...answer.headers].map(([name, value]) => html`<tr key=${name}><th scope="row"><code>${visible(name)}</code></th><td><code>${visible(value)}</code></td></tr>`)}</tbody>
    </table>
    ${text ? html`<pre class="body" tabindex="0" aria-label="Response body">${visible(text)}</pre>` : html`<p class="dim">The body is empty.</p>`}
    ${text && /^text\/html\b/i.test(answer.headers.get("content-type") ?? "") && html`<${Preview} key=${id} text=${text} />`}
    ${isCut && html`<p class="dim">Cut after ${LONGEST_BODY / 1024} KiB.</p>`}
  `;
}

/** The first part of an answer's body as text; the rest is not waited for. */
async function start(answer) {
  const reader = answer.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for (;;) {
    const { done, value } = reader ? await reader.read() : { done: true };
    if (done) return { text: text + decoder.decode(), isCut: false };
    const room = LONGEST_BODY - size;
    text += decoder.decode(value.subarray(0, room), { stream: true });
    size += value.length;
    if (size > LONGEST_BODY) {
      reader.cancel();
      return { text, isCut: true };
    }
  }
}
