// In the pages of the app: loads them anew after a save, and says while the newest save is broken.
//
// Owns its socket and one element that shows in a shadow of its own. Never touches what else is
// in the page but the addresses of its style sheets, and never loads it anew for a lost connection.

(() => {
  const FIRST_WAIT_MS = 250;
  const LONGEST_WAIT_MS = 5000;
  const JITTER = 0.2;
  const SETTLE_MS = 20;
  const MARK = "snaxum-live";
  const CONSOLE = "/__snaxum/";
  const BROKEN = "The newest save does not load";
  const FAILED = "This page was answered with a 500";

  const LOOK = `
    :host { all: initial; }
    main { position: fixed; right: 12px; bottom: 12px; z-index: 2147483647; max-width: 22rem;
      display: grid; gap: 8px; justify-items: end; font: 13px/1.45 system-ui, sans-serif; }
    [hidden] { display: none; }
    span, section { background: #b42318; color: #fff; box-shadow: 0 2px 12px #0006; }
    span { border-radius: 999px; padding: 4px 12px; }
    section { border-radius: 8px; padding: 12px 16px; outline-offset: 2px; }
    strong { display: block; margin-bottom: 4px; }
    p { margin: 0 0 8px; }
    a, button { all: unset; cursor: pointer; text-decoration: underline; margin-right: 12px; }
    a:focus-visible, button:focus-visible { outline: 2px solid #fff; outline-offset: 2px; }
  `;

  const { run, g, failed, quiet } = document.currentScript.dataset;
  // What this document was made by.
  const here = { run, g: Number(g) };
  // What there is to say.
  const state = { isBroken: false, isFailed: failed !== undefined, isClosed: false };

  let socket = null;
  let wait = FIRST_WAIT_MS;
  let timer = null;
  let settling = null;

  function connect() {
    clearTimeout(timer);
    timer = null;
    const address = new URL("/__snaxum/live", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const mine = (socket = new WebSocket(address));
    mine.onmessage = ({ data }) => {
      wait = FIRST_WAIT_MS;
      receive(JSON.parse(data));
    };
    mine.onclose = () => {
      if (socket !== mine) return;
      socket = null;
      plan();
    };
  }

  function plan() {
    const jitter = 1 - JITTER + Math.random() * 2 * JITTER;
    timer = setTimeout(() => {
      timer = null;
      if (!document.hidden) connect();
    }, wait * jitter);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }

  // A laptop that wakes up, or a tab that is looked at again, should not wait out the delay.
  function hurry() {
    if (socket || document.hidden) return;
    wait = FIRST_WAIT_MS;
    connect();
  }

  function receive({ kind, run, g }) {
    const isOther = run !== here.run || g !== here.g;
    if (isOther && isNews(`${run}.${g}`)) {
      clearTimeout(settling);
      settling = setTimeout(() => location.reload(), SETTLE_MS);
    }
    if (kind === "css") swapStyles();
    else state.isBroken = kind === "error";
    show();
  }

  // Whether this page has not been loaded for the sake of it: one that comes out of a cache is
  // as old as before, and would be loaded for ever.
  function isNews(version) {
    try {
      const key = `${MARK} ${location.pathname}${location.search}`;
      if (sessionStorage.getItem(key) === version) return false;
      sessionStorage.setItem(key, version);
      return true;
    } catch {
      return false;
    }
  }

  // The old sheet goes when the new one is there, so that the page is never without.
  function swapStyles() {
    for (const link of document.querySelectorAll("link[rel~=stylesheet][href]")) {
      const address = new URL(link.href);
      if (address.origin !== location.origin || link.dataset.snaxumOld !== undefined) continue;
      address.searchParams.set(MARK, Date.now().toString(36));
      const next = link.cloneNode();
      link.dataset.snaxumOld = "";
      next.onload = () => link.remove();
      next.onerror = () => {
        next.remove();
        delete link.dataset.snaxumOld;
      };
      next.href = address.href;
      link.after(next);
    }
  }

  let parts = null;

  function make(name, { text, ...attributes } = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...(text ? [text] : []), ...children);
    return element;
  }

  function build() {
    const host = make(MARK);
    const shadow = host.attachShadow({ mode: "open" });
    // Not a style element: the page's policy may forbid those.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(LOOK);
    shadow.adoptedStyleSheets = [sheet];
    const close = make("button", { type: "button", text: "Close" });
    close.onclick = dismiss;
    const overlay = make(
      "section",
      { role: "alertdialog", "aria-labelledby": "t", "aria-describedby": "d", tabindex: "-1", hidden: "" },
      make("strong", { id: "t", text: FAILED }),
      make("p", { id: "d", text: "It loads anew by itself after the next save that works." }),
      make("a", { href: CONSOLE, target: "_blank", rel: "noopener", text: "Console" }),
      close,
    );
    // A status is read out only if it was there before its text.
    const pill = make("div", { role: "status" });
    shadow.append(make("main", {}, overlay, pill));
    document.documentElement.append(host);
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !overlay.hidden) dismiss();
    });
    return { overlay, pill };
  }

  function dismiss() {
    state.isClosed = true;
    show();
  }

  function show() {
    const { isBroken, isFailed, isClosed } = state;
    if (quiet !== undefined || (parts === null && !isBroken && !isFailed)) return;
    parts ??= build();
    const { overlay, pill } = parts;
    const isOpen = isFailed && !isClosed;
    if (isOpen && overlay.hidden) {
      overlay.hidden = false;
      overlay.focus({ preventScroll: true });
    }
    overlay.hidden = !isOpen;
    const text = isBroken ? BROKEN : isFailed && isClosed ? FAILED : "";
    if (pill.textContent !== text) pill.replaceChildren(...(text ? [make("span", { text })] : []));
  }

  document.addEventListener("visibilitychange", hurry);
  addEventListener("online", hurry);
  // A page that goes lets its place go, and may come back as it was.
  addEventListener("pagehide", () => {
    clearTimeout(timer);
    const mine = socket;
    socket = null;
    mine?.close();
  });
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) hurry();
  });
  show();
  connect();
})();
