// The event stream: one WebSocket that reconnects automatically.
//
// Owns when to connect, wait and ping. Interprets no message but `hello` and `bye`, and sends none but
// `ping`, which checks whether the server responds.

/** @import { Message } from "snaxum-events" */

import { isSignedOut, parseJson, streamUrl } from "./api.js";

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 5000;
const JITTER = 0.2;
const PING_INTERVAL_MS = 15000;

/** @type {Record<string, string>} */
const CLOSE_REASONS = {
  shutdown: "the server stopped",
  limit: "too many consoles are open; close one",
};
// The close code for a client that reads too slowly (RFC 6455, section 7.4: try again later).
const TOO_SLOW = 1013;

/**
 * Connects and stays connected.
 * `getState` returns the state to resume from, `onMessage` receives each message, and `onStatus`
 * "connecting", "connected", "reconnecting" or "signed out", with a detail.
 * @param {{
 *   getState: () => { runId: string | null, seq: number },
 *   onMessage: (message: Message) => void,
 *   onStatus: (status: string, detail?: string) => void,
 * }} page
 */
export function connect({ getState, onMessage, onStatus }) {
  /** @type {WebSocket | null} */
  let socket = null;
  let delay = FIRST_DELAY_MS;
  /** @type {number | undefined} */
  let timer;
  let closeReason = "";
  let receivedSincePing = true;

  function open() {
    clearTimeout(timer);
    closeReason = "";
    let receivedHello = false;
    receivedSincePing = true;
    const opened = (socket = new WebSocket(streamUrl(getState()), "snaxum.v2"));

    opened.onmessage = (event) => {
      receivedSincePing = true;
      const message = parseJson(event.data);
      if (message.type === "hello") {
        receivedHello = true;
        delay = FIRST_DELAY_MS;
        onStatus("connected");
      } else if (message.type === "bye") {
        closeReason = CLOSE_REASONS[message.reason] ?? String(message.reason);
        if (message.reason === "limit") delay = MAX_DELAY_MS;
      }
      onMessage(message);
    };

    opened.onclose = async ({ code }) => {
      socket = null;
      if (code === TOO_SLOW && !closeReason) closeReason = "this page read too slowly";
      onStatus("reconnecting", closeReason);
      scheduleReconnect();
      // A browser does not expose why a WebSocket was refused, but the API's status code does.
      if (!receivedHello && (await isSignedOut()) && !socket) {
        onStatus("signed out", "open the console link that `snaxum dev` printed");
      }
    };
  }

  function scheduleReconnect() {
    const jitter = 1 - JITTER + Math.random() * 2 * JITTER;
    timer = setTimeout(() => {
      if (!document.hidden) open();
    }, delay * jitter);
    delay = Math.min(delay * 2, MAX_DELAY_MS);
  }

  // A laptop that wakes up, or a tab that becomes visible again, should not wait out the delay.
  function reconnectNow() {
    if (socket || document.hidden) return;
    delay = FIRST_DELAY_MS;
    open();
  }

  document.addEventListener("visibilitychange", reconnectNow);
  addEventListener("online", reconnectNow);
  // A connection may be lost without a close (a sleeping laptop, a broken tunnel): no pong arrives then.
  setInterval(() => {
    if (socket?.readyState !== WebSocket.OPEN) return;
    if (!receivedSincePing) return socket.close();
    receivedSincePing = false;
    socket.send('{"type":"ping"}');
  }, PING_INTERVAL_MS);
  open();
}
