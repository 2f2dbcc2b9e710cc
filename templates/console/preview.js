// An answer's HTML as it would look, in a frame that can do nothing.
//
// The frame has its own style elements, but no scripts, no origin and, by the policy that it takes over
// from this page and the one put in front of its text, no request (docs/security.md). Never shows it
// unasked.

import { html, useEffect, useRef, useState } from "./vendor/preact-htm.js";

// The page's policy allows one policy of this name, and no other: what goes through it ends in the frame.
const markup = globalThis.trustedTypes?.createPolicy("snaxum-preview", { createHTML: (text) => text }) ?? {
  createHTML: (text) => text,
};

// `preconnect` is stopped by no content policy, a redirect would lead the frame away, and the `srcdoc` of a
// frame within may have either of them escaped. A tag begins with its name as it is written, so that a
// look at the text finds each; to parse it first would have the page's own policy report what is in it.
const LEADING = /<(\/?)(link|meta|base|iframe)/gi;

// Opened developer tools would load what this names, whatever the policies say.
const SOURCE_MAP = /sourceMappingURL/gi;

// The page's nonce for styles; it lets no script run. Of two attributes of a name the first one counts,
// and without quotes it ends no value that merely mentions a tag.
const { nonce } = document.querySelector('link[rel="stylesheet"]');
const STYLE = /<style(?=[\s/>])/gi;

// A link opens a window, which the frame may not: that way it leads nowhere. One in the frame itself
// would be refused after the browser has connected to its address. Those of an SVG ask no `base`.
const LINK = /<(a|area)(?=[\s/>])/gi;

const BEFORE = `<!doctype html><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'nonce-${nonce}'; img-src data:"><base target="_blank">`;

/** The text of the frame for an answer's HTML. */
function framed(text) {
  const inert = text.replace(LEADING, "<$1x$2").replace(SOURCE_MAP, "source-map");
  return markup.createHTML(BEFORE + inert.replace(STYLE, `$& nonce=${nonce} `).replace(LINK, "$& target=_blank "));
}

/** A button, and below it what it opens; `text` is the HTML. */
export function Preview({ text }) {
  const [isOpen, open] = useState(false);
  return html`
    <p class="actions"><button type="button" aria-expanded=${isOpen} onClick=${() => open(!isOpen)}>${isOpen ? "Hide the rendered page" : "Render"}</button></p>
    ${isOpen && html`<${Rendered} text=${text} />`}
  `;
}

function Rendered({ text }) {
  const place = useRef(null);
  useEffect(() => {
    // Not by attributes of a template: the sandbox has to be there before the text is.
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "");
    frame.title = "The answer, rendered";
    frame.srcdoc = framed(text);
    place.current.append(frame);
    return () => frame.remove();
  }, [text]);
  return html`
    <div class="preview" ref=${place} data-testid="preview"></div>
    <p class="dim">Without scripts, style attributes, and all that it would load.</p>
  `;
}
