// Takes the console's screenshots: each screen at three widths, in light and dark. Not a test.
//
// `just screenshots` makes the pictures of the docs; with a directory, all of them are made there.
// `pngquant` makes them small, if it is there.

const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("@playwright/test");
const config = require("./playwright.config");
const { FILES } = require("./shop");
const { World } = require("./world");

const DOCS = path.resolve(__dirname, "../../docs/console");
const SIZES = { large: [1440, 900], tablet: [1024, 768], phone: [390, 844] };
const SCHEMES = ["light", "dark"];
// The docs show all screens in a large window, and some in the others.
const IN_DOCS = { large: null, tablet: ["requests", "response", "routes"], phone: ["now", "requests", "response", "errors"] };

class Shots {
  constructor(page, target, isForDocs) {
    Object.assign(this, { page, target, isForDocs, files: [] });
  }

  // Takes the pictures of what the page shows.
  async take(name) {
    for (const [size, [width, height]] of Object.entries(SIZES)) {
      if (this.isForDocs && IN_DOCS[size] && !IN_DOCS[size].includes(name)) continue;
      await this.page.setViewportSize({ width, height });
      for (const colorScheme of SCHEMES) {
        await this.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        // Parts that follow the size, such as the columns of a table, are drawn in the next frames.
        await this.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
        const file = path.join(this.target, `${[name, size === "large" ? "" : size, colorScheme].filter(Boolean).join("-")}.png`);
        await this.page.screenshot({ path: file });
        this.files.push(file);
      }
    }
    await this.page.setViewportSize({ width: SIZES.large[0], height: SIZES.large[1] });
  }

  // Removes pictures of earlier screens, and makes the others small.
  finish() {
    for (const name of fs.readdirSync(this.target)) {
      const file = path.join(this.target, name);
      if (name.endsWith(".png") && !this.files.includes(file)) fs.unlinkSync(file);
    }
    const { error } = spawnSync("pngquant", ["--force", "--ext", ".png", "--skip-if-larger", "--speed", "1", "256", ...this.files], { stdio: "inherit" });
    if (error) console.log("pngquant is not installed: the pictures are about three times as large as they can be");
    const bytes = this.files.reduce((sum, file) => sum + fs.statSync(file).size, 0);
    console.log(`${this.files.length} pictures, ${Math.round(bytes / 1000)} kB`);
  }
}

async function main(directory) {
  const target = path.resolve(directory ?? DOCS);
  fs.mkdirSync(target, { recursive: true });
  const world = new World(FILES);
  const browser = await chromium.launch(config.use.launchOptions);
  try {
    await world.start(0, ["--dispatch-workers", "2"]);
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    page.setDefaultTimeout(20000);
    const shots = new Shots(page, target, directory === undefined);
    await page.goto(world.console);
    await screens(page, world, shots);
    shots.finish();
  } finally {
    await browser.close();
    await world.remove();
  }
}

async function screens(page, world, shots) {
  const shown = (id, text) => page.getByTestId(id).filter({ hasText: text }).first().waitFor();
  const tab = (name) => page.getByTestId(`tab-${name}`).click();
  const row = (text) => page.getByTestId("request-row").filter({ hasText: text }).first();
  async function openPart(text, part) {
    await tab("requests");
    await row(text).click();
    await page.getByRole("tab", { name: part }).click();
  }
  async function closeRequest() {
    await page.keyboard.press("Escape");
    await page.getByTestId("request-details").waitFor({ state: "detached" });
  }

  await shown("connection", "connected");
  for (const address of ["/items", "/items/1", "/items/9", "/sales?city=Graz", "/sales/chart", "/orders", "/stock", "/cart", "/items/2?token=abc", "/average", "/report"]) await (await world.get(address)).text();
  await order(world, { item: "pot", count: 2, gift: true });

  // A save that changes a total.
  world.replace("prices.py", "TAX = 0.1", "TAX = 0.2");
  await shown("state", "version 2 live");
  await page.getByRole("button", { name: /^Replay the newest request/ }).click();
  await shown("replay-summary", "changed");
  await page.getByRole("button", { name: /changed: / }).first().click();
  await page.getByTestId("comparison-diff").waitFor();
  await shots.take("now");

  // More requests than there are threads, which the first two have.
  const send = async (address) => (await world.get(address)).text();
  const reports = [send("/report"), send("/report")];
  await bothThreadsAreBusy(page, world, reports);
  await Promise.all([...reports, ...["/items/3", "/report", "/items/1"].map(send)]);
  await order(world, { item: "tea", count: 3 });
  await (await world.get("/sales")).text();
  await page.getByTestId("slow-requests").waitFor({ state: "detached" });
  await openPart("/items/1", "Timing");
  await shots.take("requests");
  await openPart("/sales", "Response");
  await page.getByRole("grid").waitFor();
  await shots.take("response");
  await openPart("/sales/chart", "Response");
  await page.getByTestId("picture").waitFor();
  await shots.take("picture");
  await openPart("/report", "Profile");
  await page.getByTestId("heat").first().waitFor();
  await shots.take("profile");
  await openPart(/GET\s*\/orders/, "Calls");
  await page.getByTestId("calls").waitFor();
  await shots.take("calls");
  await closeRequest();
  await page.getByRole("button", { name: "Waterfall" }).click();
  await page.getByTestId("burst").first().waitFor();
  await shots.take("waterfall");
  await page.getByRole("button", { name: "Waterfall" }).click();

  await tab("routes");
  await page.getByTestId("route-lookup").fill("POST /orders/7");
  await page.getByTestId("route-lookup").press("Enter");
  await shown("route-lookup-result", "Similar routes");
  await page.getByTestId("route-row").filter({ hasText: "create" }).click();
  await page.getByTestId("try-it").getByText("from request #").waitFor();
  await page.getByTestId("try-it").getByRole("button", { name: "Send" }).click();
  await page.getByTestId("try-result").waitFor();
  await page.getByTestId("try-it").scrollIntoViewIfNeeded();
  await shots.take("routes");

  await (await world.get("/average")).text();
  await tab("errors");
  await page.getByTestId("traceback").waitFor();
  await shots.take("errors");
  await tab("logs");
  await page.getByTestId("log-entry").first().waitFor();
  await shots.take("logs");

  // A save that does not load, and one that runs.
  world.replace("shop.py", "    closing.set()", "    closing.set(");
  await page.getByTestId("banner").waitFor();
  await tab("reloads");
  await page.getByTestId("reload-row").nth(1).click();
  await page.getByRole("button", { name: "Why these modules?" }).click();
  await page.getByTestId("import-paths").waitFor();
  await shots.take("reloads");
  const closing = world.get("/closing");
  await tab("workers");
  await shown("dispatch-row", "/closing");
  await shots.take("workers");
  await world.get("/closed");
  await closing;

  await page.setExtraHTTPHeaders({ accept: "text/html" });
  await page.goto(new URL("/item/1", world.app).href);
  await shots.take("not-found");
}

// Asks again and again: no event reports that a handler begins.
async function bothThreadsAreBusy(page, world, reports) {
  let isOver = false;
  Promise.race(reports).then(() => (isOver = true));
  const threads = async () => (await (await page.request.get(new URL("/__snaxum/api/workers", world.app).href)).json()).dispatch;
  while (!isOver && (await threads()).filter(({ request }) => request).length < 2);
}

async function order(world, body) {
  const response = await fetch(new URL("/orders", world.app), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  await response.text();
}

main(process.argv[2]);
