// Gives RapiDoc the address of the server, the colors of the system, the same as the console's, and below each
// operation the form that sends a request, which is the console's too. Follows a change of the colors.

import { html, render } from "./vendor/preact-htm.js";
import { TryForm } from "./try-it/form.js";

const COLORS = {
  light: {
    "bg-color": "#ffffff",
    "text-color": "#1a1f27",
    "primary-color": "#0a58b8",
    "nav-bg-color": "#f4f5f8",
    "nav-text-color": "#1a1f27",
    "nav-hover-bg-color": "#e2ecfb",
    "nav-accent-color": "#0a58b8",
  },
  dark: {
    "bg-color": "#12151a",
    "text-color": "#dfe4ec",
    "primary-color": "#82b8ff",
    "nav-bg-color": "#191d24",
    "nav-text-color": "#dfe4ec",
    "nav-hover-bg-color": "#1e3350",
    "nav-accent-color": "#82b8ff",
  },
};

const page = document.querySelector("rapi-doc");

// A proxy may add a prefix to the paths, which the requests of the page need too.
const server = new URL(page.dataset.root, location.href).href.replace(/\/$/, "");
page.setAttribute("server-url", server);
page.setAttribute("default-api-server", server);

const isDark = window.matchMedia("(prefers-color-scheme: dark)");

function applyTheme() {
  const theme = isDark.matches ? "dark" : "light";
  page.setAttribute("theme", theme);
  for (const [name, color] of Object.entries(COLORS[theme])) page.setAttribute(name, color);
}

isDark.addEventListener("change", applyTheme);
applyTheme();

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/** Adds a form for each operation, in RapiDoc's slot below its description. */
function addForms(api) {
  const base = `${server}/`;
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    for (const method of METHODS.filter((name) => item[name])) {
      const params = (item[method].parameters ?? []).filter((each) => each.in === "path").map(({ name }) => ({ name }));
      const form = document.createElement("section");
      // The name that RapiDoc makes of the method and the path.
      form.slot = `${method}-${path.replace(/[\s#:?&={}]/g, "-")}`;
      form.className = "try-it";
      page.append(form);
      // The document has the braces of a pattern encoded.
      const target = { pattern: path.replaceAll("%7B", "{{").replaceAll("%7D", "}}"), params };
      render(html`<h3>Send a request</h3><${TryForm} id=${form.slot} methods=${[method.toUpperCase()]} target=${target} api=${api} base=${base} />`, form);
    }
  }
}

// OpenAPI has no WebSockets: the document lists them apart, and RapiDoc does not show them.
async function showDocument() {
  const url = page.getAttribute("spec-url");
  const overview = document.getElementById("overview");
  const link = Object.assign(document.createElement("a"), { href: url, textContent: "OpenAPI document" });
  overview.append(link);
  const response = await fetch(url);
  if (!response.ok) return;
  const api = await response.json();
  addForms(api);
  const sockets = Object.entries(api["x-websockets"] ?? {});
  if (sockets.length === 0) return;
  overview.append(Object.assign(document.createElement("h3"), { textContent: "WebSockets" }));
  const list = document.createElement("dl");
  for (const [path, socket] of sockets) {
    const code = Object.assign(document.createElement("code"), { textContent: path });
    const term = document.createElement("dt");
    term.append(code);
    const text = [socket.summary, socket.description].filter(Boolean).join("\n\n");
    list.append(term, Object.assign(document.createElement("dd"), { textContent: text }));
  }
  overview.append(list);
}

showDocument();
