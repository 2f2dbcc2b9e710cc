// The console's entry point: connects the event stream, the store and the page.
//
// Owns when the page is drawn. Never interprets a message (store.js) or defines the layout (layout.js).

/** @import { Message } from "snaxum-events" */

import { html, render } from "./vendor/preact-htm.js";
import { page } from "./server/api.js";
import { connect } from "./server/connection.js";
import { Layout } from "./page/layout.js";
import { loadTheRest } from "./page/lazy.js";
import { initialState, reduceAll } from "./server/store.js";
import { applyTheme } from "./page/theme.js";
import { Traffic } from "./server/traffic.js";

// Ten draws a second are enough to follow events; more would take CPU time from the app on the same machine.
const DRAW_INTERVAL_MS = 100;
// After a slow draw the page idles for this many times as long, so that keys and clicks are processed.
const IDLE_FACTOR = 2;

// The longest draw that counts: a page that was hidden meanwhile gets its next frame when it is shown.
const MAX_COST_MS = 1000;
// A hidden page gets no frames, but its title, its icon and its notifications must follow.
const HIDDEN_INTERVAL_MS = 1000;
const MAX_ARRIVED = 500;

const traffic = new Traffic();
let state = initialState;
let connection = { status: "connecting", detail: "" };
/** The messages since the last draw. @type {Message[]} */
let arrived = [];
let drawScheduled = false;
/** @type {number | undefined} */
let timer;
let frame = 0;
let nextDrawAt = 0;

function draw() {
  drawScheduled = false;
  applyArrived();
  const startedAt = performance.now();
  nextDrawAt = startedAt + DRAW_INTERVAL_MS;
  render(html`<${Layout} state=${state} connection=${connection} traffic=${traffic.measure()} />`, page);
  if (document.hidden) return; // frames that it waits for would add up until it is shown
  // Layout and painting happen in the next frame, so the cost of a draw is known only after it.
  requestAnimationFrame(() => setTimeout(() => {
    const endedAt = performance.now();
    nextDrawAt = Math.max(nextDrawAt, endedAt + IDLE_FACTOR * Math.min(endedAt - startedAt, MAX_COST_MS));
  }));
}

// Any number of messages causes one draw, in the next free frame.
function scheduleDraw() {
  if (drawScheduled) return;
  drawScheduled = true;
  const delay = nextDrawAt - performance.now();
  if (document.hidden) timer = setTimeout(draw, HIDDEN_INTERVAL_MS);
  else if (delay > 0) timer = setTimeout(() => (frame = requestAnimationFrame(draw)), delay);
  else frame = requestAnimationFrame(draw);
}

// Frames that were scheduled for a page that is shown do not come while it is hidden.
function scheduleAnew() {
  clearTimeout(timer);
  cancelAnimationFrame(frame);
  drawScheduled = false;
  scheduleDraw();
}

/** @param {Message} message */
function onMessage(message) {
  arrived.push(message);
  if (arrived.length >= MAX_ARRIVED) applyArrived();
  scheduleDraw();
}

function applyArrived() {
  const before = state;
  state = reduceAll(state, arrived);
  arrived = [];
  if (state !== before) traffic.update(before, state);
}

applyTheme();
draw();
loadTheRest();
connect({
  getState() {
    applyArrived();
    return state;
  },
  onMessage,
  onStatus(status, detail = "") {
    connection = { status, detail };
    scheduleDraw();
  },
});

document.addEventListener("visibilitychange", scheduleAnew);

// Without requests the rate falls, and no message arrives to cause a draw.
setInterval(() => traffic.isActive() && scheduleDraw(), 1000);
