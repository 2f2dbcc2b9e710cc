// A preview of a response's HTML, in a sandboxed frame that cannot run or load anything.
//
// Its own style elements apply. It has no scripts, no origin and sends no request: it inherits this page's
// policy and gets a stricter one of its own (docs/security.md). Never shows itself without a click.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";

// The page's content policy allows only this trusted-types policy. Its output is used in the frame alone.
const trustedHtml = globalThis.trustedTypes?.createPolicy("snaxum-preview", { createHTML: (text) => text }) ?? {
  createHTML: (/** @type {string} */ text) => text,
};

// No content policy blocks `preconnect`, a redirect would navigate the frame, and the `srcdoc` of a nested
// frame may contain either of them escaped. The tag names are renamed in the text: a tag always begins with
// its name, and parsing the text first would make the page's own policy report its content.
const LOADING_TAG = /<(\/?)(link|meta|base|iframe)/gi;

// Open developer tools would load the URL after this word and ignore the policies.
const SOURCE_MAP = /sourceMappingURL/gi;

// The page's nonce for styles, which does not let a script run. If an attribute occurs twice, the first one
// counts. Without quotes it cannot end the value of an attribute that contains "<style".
const { nonce } = /** @type {HTMLLinkElement} */ (document.querySelector('link[rel="stylesheet"]'));
const STYLE_TAG = /<style(?=[\s/>])/gi;

// A link that opens a window does nothing in the sandbox. A link that navigates the frame would be blocked
// only after the browser has connected to its host. Links of an SVG ignore `base`, so each gets a target.
const LINK_TAG = /<(a|area)(?=[\s/>])/gi;

const PREAMBLE = `<!doctype html><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'nonce-${nonce}'; img-src data:"><base target="_blank">`;

/**
 * Returns the frame's document for a response's HTML.
 * @param {string} text
 */
function frameDocument(text) {
  const inert = text.replace(LOADING_TAG, "<$1x$2").replace(SOURCE_MAP, "source-map");
  return trustedHtml.createHTML(PREAMBLE + inert.replace(STYLE_TAG, `$& nonce=${nonce} `).replace(LINK_TAG, "$& target=_blank "));
}

/**
 * A button, and the frame that it opens; `text` is the HTML.
 * @param {{ text: string }} props
 */
export function Preview({ text }) {
  const [isOpen, setOpen] = useState(false);
  return html`
    <p class="actions"><button type="button" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${isOpen ? "Hide the rendered page" : "Render"}</button></p>
    ${isOpen && html`<${Rendered} text=${text} />`}
  `;
}

/** @param {{ text: string }} props */
function Rendered({ text }) {
  const container = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    // Not in a template: the sandbox attribute must be set before the text.
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "");
    frame.title = "The response, rendered";
    frame.srcdoc = frameDocument(text);
    container.current?.append(frame);
    return () => frame.remove();
  }, [text]);
  return html`
    <div class="preview" ref=${container} data-testid="preview"></div>
    <p class="dim">Rendered without scripts, style attributes and external resources.</p>
  `;
}
