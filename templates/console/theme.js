// Light, dark, or what the system prefers: the choice and the button for it.
//
// The colours themselves are in console.css.

import { html, useState } from "./vendor/preact-htm.js";

const KEY = "snaxum.theme";
const THEMES = { auto: "◐", light: "☀", dark: "☾" };

// Storage throws when the person has switched it off; the theme then lasts as long as the page.
function saved() {
  try {
    const theme = localStorage.getItem(KEY);
    return Object.hasOwn(THEMES, theme) ? theme : "auto";
  } catch {
    return "auto";
  }
}

function save(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {}
}

/** Sets the theme of the page, by default the saved one. */
export function applyTheme(theme = saved()) {
  document.documentElement.dataset.theme = theme;
}

export function ThemeButton() {
  const [theme, setTheme] = useState(saved);
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(theme) + 1) % names.length];

  function change() {
    save(next);
    applyTheme(next);
    setTheme(next);
  }

  return html`
    <button type="button" class="quiet" onClick=${change} title=${`theme: ${theme}; change to ${next}`} data-testid="theme">
      <span aria-hidden="true">${THEMES[theme]}</span><span class="unseen">Theme: ${theme}</span>
    </button>
  `;
}
