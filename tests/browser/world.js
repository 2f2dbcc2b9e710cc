// The world of a test: a temporary project, and a real server that serves it.
//
// Owns the directory and the process, and removes both. Also opens the console in a page, and collects the
// errors that a page reports. Tests get them as the fixtures `world` and `errors`.

const { execFileSync, spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const base = require("@playwright/test");

const { expect } = base;

class World {
  // `files` maps paths below python/ to their content.
  constructor(files) {
    this.root = fs.mkdtempSync(path.join(os.tmpdir(), "snaxum-browser-"));
    fs.mkdirSync(path.join(this.root, "python"));
    for (const [name, text] of Object.entries(files)) this.edit(name, text);
  }

  // Copies a project of the repository, with a link to its virtual environment, which is made first.
  copy(project) {
    const from = path.join(__dirname, "../..", project);
    execFileSync(process.env.SNAXUM_BIN, ["sync", from], { stdio: "ignore" });
    for (const name of ["pyproject.toml", "python", "static"])
      fs.cpSync(path.join(from, name), path.join(this.root, name), { recursive: true });
    fs.symlinkSync(path.join(from, ".venv"), path.join(this.root, ".venv"));
  }

  // Replaces a part of a file below python/.
  replace(name, old, text) {
    const before = fs.readFileSync(path.join(this.root, "python", name), "utf8");
    expect(before).toContain(old);
    this.edit(name, before.replaceAll(old, text));
  }

  edit(name, text) {
    const file = path.join(this.root, "python", name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }

  // Starts `snaxum dev`; resolves when it has printed the console's URL. `port` is the port of an earlier
  // start, to test a restart; `options` are further command line options.
  async start(port = 0, options = []) {
    const args = ["dev", this.root, "--port", String(port), ...options];
    const env = { ...process.env, NO_COLOR: "1", SNAXUM_HALF_CLOSE_TIMEOUT: "500ms" };
    delete env.PYTHONDONTWRITEBYTECODE;
    delete env.SNAXUM_EDITOR;
    this.server = spawn(process.env.SNAXUM_BIN, args, { env, stdio: ["ignore", "pipe", "inherit"] });
    this.exited = new Promise((resolve) => this.server.once("exit", resolve));
    const lines = readline.createInterface({ input: this.server.stdout });
    this.console = await new Promise((resolve, reject) => {
      lines.on("line", (line) => {
        const url = line.match(/Console\s+(http\S+)/);
        if (url) resolve(url[1]);
      });
      this.exited.then((code) => reject(new Error(`the server exited with code ${code}`)));
    });
    this.app = this.console.replace(/__snaxum.*/, "");
    this.port = Number(new URL(this.app).port);
  }

  // Opens a tab of the console by the printed link, and waits until it is connected.
  async open(page, tab = "requests") {
    await page.goto(`${this.console}#${tab}`);
    await expect(page.getByTestId("connection")).toContainText("connected");
  }

  get(pathname, headers = {}) {
    return fetch(new URL(pathname, this.app), { headers });
  }

  // Runs `snaxum COMMAND` on the project.
  snaxum(command) {
    execFileSync(process.env.SNAXUM_BIN, [command, this.root]);
  }

  async stop() {
    this.server.kill("SIGTERM");
    return this.exited;
  }

  async remove() {
    if (this.server && this.server.exitCode === null) await this.stop();
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}

// Returns a list of all errors that the page reports from now on. `expected` is a regular expression for
// errors that are part of the test. A dialog is an error: only injected markup could open one.
function collectErrors(page, expected = null) {
  const errors = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !expected?.test(message.text())) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("dialog", (dialog) => {
    errors.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  return errors;
}

// A spec file sets `files`, and may set `expectedErrors`, with `test.use`. The test starts the world itself.
const test = base.test.extend({
  files: [{}, { option: true }],
  expectedErrors: [null, { option: true }],
  // Depends on `errors` so that they are collected from the first page on.
  world: async ({ files, errors }, use) => {
    const world = new World(files);
    await use(world);
    await world.remove();
  },
  errors: async ({ page, expectedErrors }, use) => use(collectErrors(page, expectedErrors)),
});

module.exports = { World, collectErrors, expect, test };
