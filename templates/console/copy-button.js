// A button that puts text on the clipboard, and says whether it could.

import { html, useState } from "./vendor/preact-htm.js";

const WORD_MS = 2000;

/** `text` is a function: a report is not written before somebody wants it. */
export function CopyButton({ label, text }) {
  const [word, setWord] = useState(label);

  async function copy() {
    try {
      await navigator.clipboard.writeText(text());
      setWord("Copied");
    } catch {
      setWord("Not allowed by the browser");
    }
    setTimeout(() => setWord(label), WORD_MS);
  }

  // A status inside the button would take its name away.
  return html`
    <button type="button" onClick=${copy}>${word}</button>
    <span class="unseen" role="status">${word === label ? "" : word}</span>
  `;
}
