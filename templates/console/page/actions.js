// The actions of the moment: each visible part of the page offers some, to keys and to the command palette.
//
// Owns the list of actions and the notice about the last one. Never does one itself.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";

/** @typedef {{ title: string, key?: string, run: () => unknown }} Action */

const NOTICE_SHOWN_MS = 4000;

/** The parts of the page that offer actions, in the order in which they appeared. @type {Set<{ current: Action[] }>} */
const sources = new Set();
/** @type {((text: string) => void) | null} */
let show = null;

/**
 * Offers actions as long as the component is on the page.
 * @param {Action[]} actions
 */
export function useActions(actions) {
  const source = useRef(actions);
  source.current = actions;
  useEffect(() => {
    sources.add(source);
    return () => void sources.delete(source);
  }, []);
}

export function offeredActions() {
  return [...sources].flatMap(({ current }) => current);
}

/**
 * Does an action, and shows why it failed.
 * @param {Action} action
 */
export async function perform({ run }) {
  try {
    await run();
  } catch (error) {
    notify(/** @type {Error} */ (error).message);
  }
}

/**
 * Shows a line about what has been done.
 * @param {string} text
 */
export function notify(text) {
  show?.(text);
}

/**
 * Copies a text and shows a notice.
 * @param {string} what
 * @param {string} text
 */
export async function copyText(what, text) {
  await navigator.clipboard.writeText(text).catch(() => {
    throw new Error("The browser does not allow this page to copy");
  });
  notify(`Copied ${what}`);
}

/** The notice; there is one on the page. */
export function Notice() {
  const [{ text, count }, setShown] = useState({ text: "", count: 0 });
  useEffect(() => {
    show = (text) => setShown(({ count }) => ({ text, count: count + 1 }));
    return () => void (show = null);
  }, []);
  useEffect(() => {
    if (!text) return undefined;
    const timer = setTimeout(() => setShown(({ count }) => ({ text: "", count })), NOTICE_SHOWN_MS);
    return () => clearTimeout(timer);
  }, [text, count]);
  // A screen reader announces a status only if the element was there before its text.
  return html`<div class="notice" role="status" data-testid="notice">${text && html`<p key=${count}>${visible(text)}</p>`}</div>`;
}
