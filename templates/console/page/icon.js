// The icon of the browser's tab: the state as a shape and a color.

const SHAPES = {
  good: { color: "#2e9e5b", path: "M8 2a6 6 0 1 0 .01 0z" },
  warn: { color: "#d9820a", path: "M8 1 15.5 14.5H.5z" },
  bad: { color: "#d1362b", path: "M3 1 8 6l5-5 2 2-5 5 5 5-2 2-5-5-5 5-2-2 5-5-5-5z" },
  dim: { color: "#8a93a1", path: "M8 2a6 6 0 1 0 .01 0zm0 2.5a3.5 3.5 0 1 1-.01 0z" },
};

/**
 * Draws the state in the tab.
 * @param {string} state one of good, warn, bad, dim
 */
export function setIcon(state) {
  const { color, path } = SHAPES[/** @type {keyof typeof SHAPES} */ (state)] ?? SHAPES.dim;
  const picture = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="${color}" fill-rule="evenodd" d="${path}"/></svg>`;
  const link = /** @type {HTMLLinkElement | null} */ (document.querySelector('link[rel="icon"]'));
  if (link) link.href = `data:image/svg+xml,${encodeURIComponent(picture)}`;
}
