// Gives RapiDoc the address of the server, the colors of the system, the same as the console's, and below each
// operation the form that sends a request, which is the console's too. Follows a change of the colors.

import { html, render } from "./vendor/preact-htm.js";
import { TryForm } from "./try-it/form.js";

// RapiDoc's attributes, and the colors of theme.css that they get.
const COLORS = {
  "bg-color": "--panel",
  "text-color": "--text",
  "primary-color": "--accent",
  "nav-bg-color": "--page",
  "nav-text-color": "--text",
  "nav-hover-bg-color": "--selected",
  "nav-accent-color": "--accent",
};

const page = document.querySelector("rapi-doc");

// A proxy may add a prefix to the paths, which the requests of the page need too.
const server = new URL(page.dataset.root, location.href).href.replace(/\/$/, "");
page.setAttribute("server-url", server);
page.setAttribute("default-api-server", server);

const isDark = window.matchMedia("(prefers-color-scheme: dark)");

function applyTheme() {
  page.setAttribute("theme", isDark.matches ? "dark" : "light");
  const probe = document.body.appendChild(document.createElement("i"));
  for (const [name, color] of Object.entries(COLORS)) {
    probe.style.color = `var(${color})`;
    // RapiDoc reads hexadecimal colors only.
    const parts = getComputedStyle(probe).color.match(/\d+/g).slice(0, 3);
    page.setAttribute(name, `#${parts.map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`);
  }
  probe.remove();
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
