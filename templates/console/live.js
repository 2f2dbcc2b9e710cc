// Live reload in the app's own pages: reloads the page after a save, and shows when the newest save fails.
//
// Owns its WebSocket and one element with a shadow root. Changes nothing else in the page but the URLs of
// its style sheets, and never reloads it because a connection was lost.

(() => {
  const FIRST_DELAY_MS = 250;
  const MAX_DELAY_MS = 5000;
  const JITTER = 0.2;
  const RELOAD_DELAY_MS = 20;
  const NAME = "snaxum-live";
  const CONSOLE = "/__snaxum/";
  const ERRORS = "/__snaxum/live/errors/overlay.js";
  const SAVE_FAILED = "The newest save does not load";
  const PAGE_FAILED = "This page returned a 500 error";

  const STYLE = `
    :host { all: initial; }
    .edge { position: fixed; left: 50%; bottom: 0; translate: -50%; z-index: 2147483647; max-width: min(22rem, 100vw);
      display: grid; gap: 8px; justify-items: center; font: 13px/1.45 system-ui, sans-serif; }
    [hidden] { display: none; }
    .pill, section { background: #b42318; color: #fff; box-shadow: 0 2px 12px #0006; }
    .pill { border-radius: 8px 8px 0 0; padding: 2px 14px; margin: 0; text-decoration: none; white-space: nowrap; }
    dialog { width: min(60rem, calc(100vw - 32px)); max-height: calc(100vh - 32px); overflow: auto; padding: 16px; border: 1px solid #888;
      border-radius: 8px; background: light-dark(#fff, #191d24); color: light-dark(#1a1f27, #dfe4ec); color-scheme: light dark; font: 13px/1.45 system-ui, sans-serif; }
    dialog::backdrop { background: #0008; }
    dialog header { display: flex; gap: 12px; align-items: baseline; justify-content: space-between; margin-bottom: 8px; }
    dialog h2 { font-size: 15px; margin: 0; }
    dialog a:focus-visible, dialog button:focus-visible { outline-color: currentColor; }
    section { border-radius: 8px; padding: 12px 16px; margin: 0 12px 12px; outline-offset: 2px; }
    strong { display: block; margin-bottom: 4px; }
    p { margin: 0 0 8px; }
    a, button { all: unset; cursor: pointer; text-decoration: underline; margin-right: 12px; }
    a:focus-visible, button:focus-visible { outline: 2px solid #fff; outline-offset: 2px; }
  `;

  const { run, g, failed, quiet, request } = /** @type {HTMLScriptElement} */ (document.currentScript).dataset;
  // The process and the generation that produced this document.
  const loaded = { run, g: Number(g) };
  const state = { saveFailed: false, pageFailed: failed !== undefined, isDismissed: false };

  /** @type {WebSocket | null} */
  let socket = null;
  let delay = FIRST_DELAY_MS;
  /** @type {number | undefined} */
  let timer;
  /** @type {number | undefined} */
  let reloadTimer;

  function connect() {
    clearTimeout(timer);
    const url = new URL("/__snaxum/live", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const opened = (socket = new WebSocket(url));
    opened.onmessage = ({ data }) => {
      delay = FIRST_DELAY_MS;
      onMessage(JSON.parse(data));
    };
    opened.onclose = () => {
      if (socket !== opened) return;
      socket = null;
      scheduleReconnect();
    };
  }

  function scheduleReconnect() {
    const jitter = 1 - JITTER + Math.random() * 2 * JITTER;
    timer = setTimeout(() => {
      if (!document.hidden) connect();
    }, delay * jitter);
    delay = Math.min(delay * 2, MAX_DELAY_MS);
  }

  // A laptop that wakes up, or a tab that becomes visible again, should not wait out the delay.
  function reconnectNow() {
    if (socket || document.hidden) return;
    delay = FIRST_DELAY_MS;
    connect();
  }

  /** @param {{ kind: string, run: string, g: number }} message */
  function onMessage({ kind, run, g }) {
    const isOther = run !== loaded.run || g !== loaded.g;
    const isNewVersion = isOther && isFirstReloadFor(`${run}.${g}`);
    // One build writes many files: the page reloads after the last one.
    if (isNewVersion || kind === "refresh") {
      clearTimeout(reloadTimer);
      reloadTimer = setTimeout(() => location.reload(), RELOAD_DELAY_MS);
    }
    if (kind === "css") replaceStyleSheets();
    else if (kind !== "refresh") state.saveFailed = kind === "error";
    update();
    // An error that is shown is of the save before.
    if (kind === "error" && elements?.dialog.open) showError();
  }

  /**
   * Whether this page has not been reloaded for this version yet. A cached page would still be of the old
   * version after the reload, and without this check it would reload endlessly.
   * @param {string} version
   */
  function isFirstReloadFor(version) {
    try {
      const key = `${NAME} ${location.pathname}${location.search}`;
      if (sessionStorage.getItem(key) === version) return false;
      sessionStorage.setItem(key, version);
      return true;
    } catch {
      return false;
    }
  }

  // Removes the old style sheet after the new one has loaded, so that the page is never unstyled.
  function replaceStyleSheets() {
    for (const link of /** @type {NodeListOf<HTMLLinkElement>} */ (document.querySelectorAll("link[rel~=stylesheet][href]"))) {
      const url = new URL(link.href);
      if (url.origin !== location.origin || link.dataset.snaxumOld !== undefined) continue;
      url.searchParams.set(NAME, Date.now().toString(36));
      const next = /** @type {HTMLLinkElement} */ (link.cloneNode());
      link.dataset.snaxumOld = "";
      next.onload = () => link.remove();
      next.onerror = () => {
        next.remove();
        delete link.dataset.snaxumOld;
      };
      next.href = url.href;
      link.after(next);
    }
  }

  /** @type {ReturnType<typeof build> | null} */
  let elements = null;

  /**
   * @template {keyof HTMLElementTagNameMap} N
   * @param {N} name
   * @param {Record<string, string>} [attributes] `text` is the content
   * @param {...Node} children
   * @returns {HTMLElementTagNameMap[N]}
   */
  function element(name, { text, ...attributes } = {}, ...children) {
    const created = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) created.setAttribute(key, value);
    created.append(...(text ? [text] : []), ...children);
    return created;
  }

  function build() {
    const host = document.createElement(NAME);
    const shadow = host.attachShadow({ mode: "open" });
    // Not a style element: the page's content policy may forbid those.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    shadow.adoptedStyleSheets = [sheet];
    const close = element("button", { type: "button", text: "Close" });
    close.onclick = dismiss;
    const overlay = element(
      "section",
      { role: "alertdialog", "aria-labelledby": "t", "aria-describedby": "d", tabindex: "-1", hidden: "" },
      element("strong", { id: "t", text: PAGE_FAILED }),
      element("p", { id: "d", text: "This page reloads after the next successful save." }),
      showButton("Show error"),
      element("a", { href: CONSOLE, target: "_blank", rel: "noopener", text: "Console" }),
      close,
    );
    // Screen readers announce a status only if the element existed before its text.
    const pill = element("div", { role: "status" });
    const { dialog, title, body } = buildDialog();
    shadow.append(element("div", { class: "edge" }, overlay, pill), dialog);
    document.documentElement.append(host);
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !overlay.hidden && !dialog.open) dismiss();
    });
    return { overlay, pill, dialog, title, body };
  }

  function buildDialog() {
    const close = element("button", { type: "button", text: "Close" });
    const title = element("h2", { id: "e" });
    const body = element("div");
    const links = element("span", {}, element("a", { href: CONSOLE, target: "_blank", rel: "noopener", text: "Console" }), close);
    const dialog = element("dialog", { "aria-labelledby": "e" }, element("header", {}, title, links), body);
    close.onclick = () => dialog.close();
    return { dialog, title, body };
  }

  /**
   * @param {string} text
   * @param {Record<string, string>} [attributes]
   */
  function showButton(text, attributes = {}) {
    const button = element("button", { type: "button", text, ...attributes });
    button.onclick = showError;
    return button;
  }

  // The modules that draw an error are loaded when it is first shown.
  async function showError() {
    if (!elements) return;
    const { dialog, title, body } = elements;
    const id = state.pageFailed && !state.saveFailed ? request : undefined;
    title.textContent = id ? PAGE_FAILED : SAVE_FAILED;
    const host = element("div");
    body.replaceChildren(host);
    if (!dialog.open) dialog.showModal();
    try {
      const { showError } = /** @type {typeof import("./errors/overlay.js")} */ (await import(ERRORS));
      await showError(host, id);
    } catch (error) {
      body.replaceChildren(element("p", { role: "alert", text: String(/** @type {Error} */ (error).message) }));
    }
  }

  function dismiss() {
    state.isDismissed = true;
    update();
  }

  function update() {
    const { saveFailed, pageFailed, isDismissed } = state;
    if (quiet !== undefined || (elements === null && !saveFailed && !pageFailed)) return;
    elements ??= build();
    const { overlay, pill, dialog } = elements;
    const isOpen = pageFailed && !isDismissed;
    if (isOpen && overlay.hidden) {
      overlay.hidden = false;
      overlay.focus({ preventScroll: true });
    }
    overlay.hidden = !isOpen;
    const text = saveFailed ? SAVE_FAILED : pageFailed && isDismissed ? PAGE_FAILED : "";
    if (pill.textContent !== text) pill.replaceChildren(...(text ? [showButton(text, { class: "pill", title: "Show the error" })] : []));
    if (!saveFailed && !pageFailed && dialog.open) dialog.close();
  }

  document.addEventListener("visibilitychange", reconnectNow);
  addEventListener("online", reconnectNow);
  // A hidden page frees its connection. The browser may restore the page from its back/forward cache.
  addEventListener("pagehide", () => {
    clearTimeout(timer);
    const opened = socket;
    socket = null;
    opened?.close();
  });
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) reconnectNow();
  });
  update();
  connect();
})();
