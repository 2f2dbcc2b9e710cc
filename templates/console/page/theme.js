// The theme: light, dark or the system's, and the button that changes it.
//
// The colors themselves are in theme.css.

import { html, useState } from "../vendor/preact-htm.js";

const KEY = "snaxum.theme";
/** @type {Record<string, string>} */
const THEMES = { auto: "◐", light: "☀", dark: "☾" };

// Storage throws if the user has disabled it; the theme then lasts as long as the page.
function loadTheme() {
  try {
    const theme = localStorage.getItem(KEY) ?? "";
    return Object.hasOwn(THEMES, theme) ? theme : "auto";
  } catch {
    return "auto";
  }
}

/** @param {string} theme */
function storeTheme(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {}
}

/** Sets the theme of the page, by default the stored one. */
export function applyTheme(theme = loadTheme()) {
  document.documentElement.dataset.theme = theme;
}

export function ThemeButton() {
  const [theme, setTheme] = useState(loadTheme);
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(theme) + 1) % names.length];

  function change() {
    storeTheme(next);
    applyTheme(next);
    setTheme(next);
  }

  return html`
    <button type="button" class="quiet" onClick=${change} title=${`theme: ${theme}; change to ${next}`} data-testid="theme">
      <span aria-hidden="true">${THEMES[theme]}</span> <span class="tool-label">Theme</span><span class="visually-hidden">: ${theme}</span>
    </button>
  `;
}
