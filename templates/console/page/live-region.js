// Announcements for screen readers: one ARIA live region, at most one announcement every two seconds.
//
// For changes that happen on their own or with each key typed. The result of a click has a status of its
// own beside the button. Never shows anything visible.

import { html, useEffect, useState } from "../vendor/preact-htm.js";

const INTERVAL_MS = 2000;
// Afterwards the region is emptied, so that it does not contain outdated text.
const CLEAR_AFTER_MS = 5000;

// The newest text of each source that has not been announced.
/** @type {Map<string, string>} */
const pending = new Map();
/** @type {number | null} */
let timer = null;
/** @type {number | undefined} */
let clearTimer;
/** @type {((text: string) => void) | null} */
let show = null;

/**
 * Announces `text`, unless `source` replaces it before its turn. An empty text withdraws it.
 * @param {string} source
 * @param {string} text
 */
function announce(source, text) {
  pending.delete(source);
  if (text) pending.set(source, text);
  if (timer === null) flush();
}

function flush() {
  timer = null;
  if (!pending.size || !show) return;
  show([...pending.values()].join(". "));
  pending.clear();
  timer = setTimeout(flush, INTERVAL_MS);
  clearTimeout(clearTimer);
  clearTimer = setTimeout(() => show?.(""), CLEAR_AFTER_MS);
}

/**
 * Announces `text` each time that it changes, but not its first value.
 * @param {string} source
 * @param {string} text
 */
export function useAnnouncement(source, text) {
  const [first] = useState(text);
  const [progress] = useState({ isFirst: true });
  useEffect(() => {
    if (progress.isFirst && text === first) return;
    progress.isFirst = false;
    announce(source, text);
  }, [text]);
  useEffect(() => () => void pending.delete(source), []);
}

/** The region itself; there is one on the page. */
export function LiveRegion() {
  const [{ text, count }, setShown] = useState({ text: "", count: 0 });
  useEffect(() => {
    show = (text) => setShown(({ count }) => ({ text, count: count + 1 }));
    flush();
    return () => void (show = null);
  }, []);
  return html`<p class="visually-hidden" role="status" data-testid="live-region"><span key=${count}>${text}</span></p>`;
}
