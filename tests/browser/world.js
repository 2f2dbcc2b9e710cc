// A little world for a test: a project of its own, and the real server on it.
//
// Owns the temporary directory and the process; ends both. Of the browser it knows how the console is
// opened, and what a page must not say.

const { execFileSync, spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const { expect } = require("@playwright/test");

class World {
  // `files` maps paths below python/ to their text.
  constructor(files) {
    this.root = fs.mkdtempSync(path.join(os.tmpdir(), "snaxum-browser-"));
    fs.mkdirSync(path.join(this.root, "python"));
    for (const [name, text] of Object.entries(files)) this.edit(name, text);
  }

  edit(name, text) {
    fs.writeFileSync(path.join(this.root, "python", name), text);
  }

  // Starts `snaxum dev`; resolves once it has printed where its console is. `port` is the one of
  // an earlier start, for a test of what survives a restart; `more` are further options.
  async start(port = 0, more = []) {
    const args = ["dev", this.root, "--port", String(port), ...more];
    const env = { ...process.env, NO_COLOR: "1" };
    delete env.PYTHONDONTWRITEBYTECODE;
    delete env.SNAXUM_EDITOR;
    this.server = spawn(process.env.SNAXUM_BIN, args, { env, stdio: ["ignore", "pipe", "inherit"] });
    this.ended = new Promise((resolve) => this.server.once("exit", resolve));
    const lines = readline.createInterface({ input: this.server.stdout });
    this.console = await new Promise((resolve, reject) => {
      lines.on("line", (line) => {
        const url = line.match(/Console\s+(http\S+)/);
        if (url) resolve(url[1]);
      });
      this.ended.then((code) => reject(new Error(`the server ended with ${code}`)));
    });
    this.app = this.console.replace(/__snaxum.*/, "");
    this.port = Number(new URL(this.app).port);
  }

  // Opens the console as a person does, and waits until it listens.
  async open(page) {
    await page.goto(this.console);
    await expect(page.getByTestId("connection")).toContainText("live");
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
    return this.ended;
  }

  async remove() {
    if (this.server && this.server.exitCode === null) await this.stop();
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}

// What the browser complains of from now on; `isExpected` tells what is part of the test.
function complaintsOf(page, isExpected = () => false) {
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !isExpected(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  return complaints;
}

module.exports = { World, complaintsOf };
