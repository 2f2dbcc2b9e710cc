// A picture of a response: drawn by the browser as an image, in which no script runs and which loads nothing.
//
// The server has checked the first bytes of PNG, JPEG, GIF and WebP; an SVG is text that it has masked.

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { pluralize } from "../components/format.js";

/** The types of pictures, by the kind that the server gives a body. @type {Record<string, string>} */
export const PICTURES = { png: "image/png", jpeg: "image/jpeg", gif: "image/gif", webp: "image/webp" };

/** @param {{ bytes: Uint8Array, kind: string }} props */
export function Picture({ bytes, kind }) {
  const [url, setUrl] = useState(/** @type {string | null} */ (null));
  useEffect(() => {
    const reader = new FileReader();
    reader.onload = () => setUrl(/** @type {string} */ (reader.result));
    reader.readAsDataURL(new Blob([/** @type {BlobPart} */ (bytes)], { type: PICTURES[kind] }));
    return () => reader.abort();
  }, [bytes]);
  return url && html`<${Image} key=${url} url=${url} name=${kind === "jpeg" ? "JPEG" : kind === "webp" ? "WebP" : kind.toUpperCase()} />`;
}

/** @param {{ text: string }} props */
export function Svg({ text }) {
  return html`<${Image} key=${text} url=${`data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`} name="SVG" />
    <p class="dim">Drawn without its scripts and without what it would load.</p>`;
}

/** @param {{ url: string, name: string }} props */
function Image({ url, name }) {
  const [size, setSize] = useState(/** @type {{ width: number, height: number } | null} */ (null));
  const [isBroken, setBroken] = useState(false);
  const [isFitted, setFitted] = useState(true);
  if (isBroken) return html`<p class="warn" data-testid="broken-picture">▲ The browser cannot draw it: it is not a complete ${name}.</p>`;
  return html`
    <div class="viewer-bar">
      <span class="dim">${name}${size && ` · ${size.width} × ${pluralize(size.height, "pixel")}`}</span>
      <span class="spacer"></span>
      <button type="button" aria-pressed=${!isFitted} onClick=${() => setFitted(!isFitted)}>Full size</button>
    </div>
    <div class=${isFitted ? "picture fitted" : "picture"} tabindex="0" role="group" aria-label="Picture">
      <img src=${url} alt=${`The response, a picture (${name})`} data-testid="picture" onError=${() => setBroken(true)}
        onLoad=${(/** @type {{ target: HTMLImageElement }} */ { target }) => setSize({ width: target.naturalWidth, height: target.naturalHeight })} />
    </div>
  `;
}
