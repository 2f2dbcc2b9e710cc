// A form that connects to a WebSocket of the app, and sends texts.
//
// Connects only on a click and only to the app's own origin, as any page of the app can. The messages
// are in the request of the handshake, and the newest here.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";

/** @import { RouteInfo } from "snaxum-events" */
/** @import { Input } from "../types.js" */

const MAX_SHOWN = 50;

/** @param {{ route: RouteInfo, buildPath: (pattern: string, values: Record<string, string>) => string }} props */
export function TryWebSocket({ route, buildPath }) {
  const [values, setValues] = useState(/** @type {Record<string, string>} */ ({}));
  const [query, setQuery] = useState("");
  const [text, setText] = useState("");
  const [state, setState] = useState("not connected");
  const [messages, setMessages] = useState(/** @type {{ arrow: string, content: string }[]} */ ([]));
  const socket = useRef(/** @type {WebSocket | null} */ (null));
  useEffect(() => () => socket.current?.close(), []);

  const path = buildPath(route.pattern, values) + (query ? `?${query.replace(/^\?/, "").replaceAll("#", "%23")}` : "");
  const add = (/** @type {string} */ arrow, /** @type {string} */ content) => setMessages((shown) => [{ arrow, content }, ...shown].slice(0, MAX_SHOWN));
  const isOpen = state === "open";

  /** @param {Event} event */
  function connect(event) {
    event.preventDefault();
    socket.current?.close();
    setMessages([]);
    setState("connecting…");
    // Several slashes at the start would address another host.
    const url = new URL(path.replace(/^\/+/, "/"), location.origin);
    url.protocol = url.protocol.replace("http", "ws");
    const opened = (socket.current = new WebSocket(url));
    /**
     * @template E
     * @param {(event: E) => void} change
     */
    const ifCurrent = (change) => (/** @type {E} */ event) => void (socket.current === opened && change(event));
    opened.onopen = ifCurrent(() => setState("open"));
    opened.onmessage = ifCurrent(({ data }) => add("←", typeof data === "string" ? data : `${data.size} bytes`));
    opened.onclose = ifCurrent(({ code, reason }) => setState(`closed: ${code} ${reason}`));
  }

  /** @param {Event} event */
  function send(event) {
    event.preventDefault();
    socket.current?.send(text);
    add("→", text);
    setText("");
  }

  return html`
    <form class="try" onSubmit=${connect} data-testid="try-websocket">
      ${route.params.map(({ name, type }) => html`
        <label key=${name}><span>${visible(name)} <span class="dim">${visible(type)}</span></span>
          <input required type="text" name=${name} value=${values[name] ?? ""} autocomplete="off" spellcheck=${false}
            onInput=${(/** @type {Input} */ event) => setValues({ ...values, [name]: event.target.value })} />
        </label>
      `)}
      <label>Query <input type="text" name="query" placeholder="a=1&b=2" value=${query} autocomplete="off" spellcheck=${false}
        onInput=${(/** @type {Input} */ event) => setQuery(event.target.value)} /></label>
      <p class="wide actions">
        <button type="submit">Connect</button>
        ${isOpen && html`<button type="button" onClick=${() => socket.current?.close(1000)}>Close</button>`}
        <code class="dim">WS ${visible(path)}</code>
      </p>
    </form>
    <form class="try" onSubmit=${send}>
      <label class="wide">Text message
        <input type="text" name="message" value=${text} autocomplete="off" spellcheck=${false} onInput=${(/** @type {Input} */ event) => setText(event.target.value)} />
      </label>
      <p class="wide actions"><button type="submit" disabled=${!isOpen}>Send</button> <span role="status" data-testid="try-state">${visible(state)}</span></p>
      ${messages.length > 0 && html`<pre class="body wide" tabindex="0" data-testid="try-messages">${messages.map(({ arrow, content }) => `${arrow} ${visible(content)}\n`)}</pre>`}
    </form>
  `;
}
