// What is said to those who hear the page: one region, one message in two seconds.
//
// For what changes by itself or with each letter typed. What a click has led to says so at once, where
// it stands. Never shows anything.

import { html, useEffect, useState } from "./vendor/preact-htm.js";

const EVERY_MS = 2000;
// Who comes upon the region later reads nothing there that has long been otherwise.
const STAYS_MS = 5000;

// The newest text of each source that has not been said.
const waiting = new Map();
let timer = null;
let fading = null;
let speak = null;

/** Has `text` said, unless `source` says another before its turn. An empty one takes it back. */
function say(source, text) {
  waiting.delete(source);
  if (text) waiting.set(source, text);
  if (timer === null) next();
}

function next() {
  timer = null;
  if (!waiting.size || !speak) return;
  speak([...waiting.values()].join(". "));
  waiting.clear();
  timer = setTimeout(next, EVERY_MS);
  clearTimeout(fading);
  fading = setTimeout(() => speak?.(""), STAYS_MS);
}

/** Says what a component shows each time that it is another; not what it shows at first. */
export function useSaid(source, text) {
  const [first] = useState(text);
  const [said] = useState({ isFirst: true });
  useEffect(() => {
    if (said.isFirst && text === first) return;
    said.isFirst = false;
    say(source, text);
  }, [text]);
  useEffect(() => () => waiting.delete(source), []);
}

/** The region itself; once on the page. */
export function Spoken() {
  const [{ text, count }, setSaid] = useState({ text: "", count: 0 });
  useEffect(() => {
    speak = (text) => setSaid(({ count }) => ({ text, count: count + 1 }));
    next();
    return () => (speak = null);
  }, []);
  return html`<p class="unseen" role="status" data-testid="spoken"><span key=${count}>${text}</span></p>`;
}
