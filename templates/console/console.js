// The console's entry: joins connection, state and page.
//
// Owns when the page is drawn. Never decides what a message means (store.js) or how it looks (frame.js).

import { html, render } from "./vendor/preact-htm.js";
import { connect } from "./connection.js";
import { Frame } from "./frame.js";
import { page } from "./server.js";
import { nothingYet, reduce } from "./store.js";
import { applyTheme } from "./theme.js";
import { Traffic } from "./traffic.js";

// Ten pictures a second read as live; more only costs the machine that also runs the app.
const DRAW_EVERY_MS = 100;
// After a slow picture the page rests this many times as long, so that keys and clicks get through.
const REST = 2;

const traffic = new Traffic();
let state = nothingYet;
let connection = { word: "connecting", detail: "" };
let drawPlanned = false;
let nextDrawAt = 0;

function draw() {
  drawPlanned = false;
  const began = performance.now();
  nextDrawAt = began + DRAW_EVERY_MS;
  render(html`<${Frame} state=${state} connection=${connection} traffic=${traffic.measure()} />`, page);
  // Layout and painting follow the next frame; only then is it known what the picture cost.
  requestAnimationFrame(() => setTimeout(() => {
    const ended = performance.now();
    nextDrawAt = Math.max(nextDrawAt, ended + REST * (ended - began));
  }));
}

// However many messages arrive, one picture follows, in the next free frame.
function planDraw() {
  if (drawPlanned) return;
  drawPlanned = true;
  const wait = nextDrawAt - performance.now();
  if (wait > 0) setTimeout(() => requestAnimationFrame(draw), wait);
  else requestAnimationFrame(draw);
}

function receive(message) {
  const before = state;
  state = reduce(state, message);
  if (state === before) return;
  traffic.follow(before, state);
  planDraw();
}

applyTheme();
draw();
connect({
  position: () => state,
  receive,
  announce(word, detail = "") {
    connection = { word, detail };
    planDraw();
  },
});

// The rate falls while nothing happens, so it needs a clock of its own.
setInterval(() => traffic.isFlowing() && planDraw(), 1000);
