// A button that copies text to the clipboard and shows whether that succeeded.

import { html, useState } from "../vendor/preact-htm.js";

const RESULT_SHOWN_MS = 2000;

/**
 * `text` is a function, which may be async, so that the text is produced only on a click.
 * @param {{ label: string, text: () => string | Promise<string> }} props
 */
export function CopyButton({ label, text }) {
  const [shown, setShown] = useState(label);

  async function copy() {
    let copied;
    try {
      copied = await text();
    } catch (error) {
      setShown(/** @type {Error} */ (error).message);
      setTimeout(() => setShown(label), RESULT_SHOWN_MS);
      return;
    }
    try {
      await navigator.clipboard.writeText(copied);
      setShown("Copied");
    } catch {
      setShown("Not allowed by the browser");
    }
    setTimeout(() => setShown(label), RESULT_SHOWN_MS);
  }

  // A status inside the button would replace the button's accessible name.
  return html`
    <button type="button" onClick=${copy}>${shown}</button>
    <span class="visually-hidden" role="status">${shown === label ? "" : shown}</span>
  `;
}
