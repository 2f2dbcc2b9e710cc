// The event stream: one WebSocket that comes back by itself.
//
// Owns when to connect, wait and ping. Never looks into a message beyond `hello` and `bye`,
// and never sends anything but a ping, to see whether the server is there.

import { isSignedOut, parse, streamAddress } from "./server.js";

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;
const JITTER = 0.2;
const PING_EVERY_MS = 15000;

const FAREWELLS = {
  shutdown: "the server stopped",
  limit: "too many consoles are open; close one",
};
// How the server closes on who does not read (RFC 6455, section 7.4: try again later).
const TOO_SLOW = 1013;

/**
 * Connects and stays connected.
 * `position` gives the state to resume from, `receive` takes each message, and
 * `announce` is told "connecting", "live", "reconnecting" or "signed out", with a detail.
 */
export function connect({ position, receive, announce }) {
  let socket = null;
  let wait = FIRST_WAIT_MS;
  let timer = null;
  let farewell = "";
  // Whether anything has come since the last ping.
  let isHeard = true;

  function open() {
    clearTimeout(timer);
    timer = null;
    farewell = "";
    let welcomed = false;
    isHeard = true;
    const mine = (socket = new WebSocket(streamAddress(position()), "snaxum.v2"));

    mine.onmessage = (event) => {
      isHeard = true;
      const message = parse(event.data);
      if (message.type === "hello") {
        welcomed = true;
        wait = FIRST_WAIT_MS;
        announce("live");
      } else if (message.type === "bye") {
        farewell = FAREWELLS[message.reason] ?? String(message.reason);
        if (message.reason === "limit") wait = LONGEST_WAIT_MS;
      }
      receive(message);
    };

    mine.onclose = async ({ code }) => {
      socket = null;
      if (code === TOO_SLOW && !farewell) farewell = "this page could not keep up";
      announce("reconnecting", farewell);
      plan();
      // A browser does not tell why a WebSocket was refused, so ask the plain way.
      if (!welcomed && (await isSignedOut()) && !socket) {
        announce("signed out", "open the console link that `snaxum dev` printed");
      }
    };
  }

  function plan() {
    const jitter = 1 - JITTER + Math.random() * 2 * JITTER;
    timer = setTimeout(() => {
      timer = null;
      if (!document.hidden) open();
    }, wait * jitter);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }

  // A laptop that wakes up, or a tab that is looked at again, should not wait out the delay.
  function hurry() {
    if (socket || document.hidden) return;
    wait = FIRST_WAIT_MS;
    open();
  }

  document.addEventListener("visibilitychange", hurry);
  addEventListener("online", hurry);
  // A server that is gone without a word (a sleeping laptop, a tunnel that broke) answers no ping.
  setInterval(() => {
    if (socket?.readyState !== WebSocket.OPEN) return;
    if (!isHeard) return socket.close();
    isHeard = false;
    socket.send('{"type":"ping"}');
  }, PING_EVERY_MS);
  open();
}
