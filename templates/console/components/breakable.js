// Text that may break after the separators of a path, so that no word of it is broken.

import { html } from "../vendor/preact-htm.js";
import { visible } from "./format.js";

/** @param {{ text: string | null | undefined }} props */
export function Breakable({ text }) {
  const parts = visible(text).split(/(?<=[/.,])(?=\w)/);
  return parts.map((part, index) => (index ? html`<wbr />${part}` : part));
}
