// Measures the console in Chromium: its first paint, 10,000 requests in its list, and the CPU time of its tab.
//
// Gets the console's link and the address of a handler; prints a JSON object for each figure. Judges nothing.
// Uses Playwright and the browser of tests/browser.

const http = require("node:http");
const path = require("node:path");

const TESTS = path.join(__dirname, "../tests/browser");
const { chromium } = require(path.join(TESTS, "node_modules/@playwright/test"));
const { launchOptions } = require(path.join(TESTS, "playwright.config.js")).use;

const PAINTS = 9;
const REPEATS = 7;
const LISTED = 10_000;
// The server stores 500 requests: the page must have received a burst before the next one.
const BURST = 250;
const RATE = 250;
const TICK_MS = 20;
const SETTLED_MS = 3000;
const PAUSE_MS = 300;
const IDLE_MS = 20_000;
const BUSY_MS = 20_000;
const TIMEOUT_MS = 120_000;

const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const print = (figure) => console.log(JSON.stringify(figure));

async function main(link, handler) {
  const browser = await chromium.launch(launchOptions);
  try {
    const first = await firstPaints(browser, link);
    print({ what: "paint", values: first.map(({ paint }) => paint) });
    print({ what: "first screen", values: first.map(({ sent }) => sent) });
    const processes = await browser.newBrowserCDPSession();
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(`${link}#requests`);
    await page.getByTestId("connection").filter({ hasText: "connected" }).waitFor({ timeout: TIMEOUT_MS });
    await send(handler, 100);
    print({ what: "idle", ...(await cpuShares(processes, IDLE_MS)) });
    await fill(page, handler);
    for (const [what, measure] of [["sort", sort], ["filter", filter], ["open", open]]) print({ what, values: await measure(page) });
    const stop = keepSending(handler);
    print({ what: "busy", ...(await cpuShares(processes, BUSY_MS)) });
    await stop();
  } finally {
    agent.destroy();
    await browser.close();
  }
}

// Opens the console in browsers that have stored nothing. `sent` is in bytes, as they are on the wire, when the page
// was painted; a module that it loads later does not count.
async function firstPaints(browser, link) {
  const found = [];
  for (let index = 0; index < PAINTS; index += 1) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    await page.goto(link);
    await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
    found.push(await page.evaluate(() => {
      const paint = performance.getEntriesByName("first-contentful-paint")[0].startTime;
      const loaded = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
      const before = loaded.filter(({ responseEnd }) => responseEnd && responseEnd <= paint);
      return { paint, sent: before.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0) };
    }));
    await context.close();
  }
  return found;
}

// The CPU time of the tab, and of the whole browser, as parts of one core.
async function cpuShares(session, ms) {
  await pause(SETTLED_MS);
  const [before, began] = [await cpuTimes(session), performance.now()];
  await pause(ms);
  const [after, seconds] = [await cpuTimes(session), (performance.now() - began) / 1000];
  const share = (name) => (100 * (after[name] - before[name])) / seconds;
  return { values: [share("tab")], browser: share("all") };
}

async function cpuTimes(session) {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const sum = (list) => list.reduce((total, { cpuTime }) => total + cpuTime, 0);
  return { tab: sum(processInfo.filter(({ type }) => type === "renderer")), all: sum(processInfo) };
}

function get(url) {
  return new Promise((resolve, reject) => {
    http.get(url, { agent }, (response) => response.resume().on("end", resolve)).on("error", reject);
  });
}

const send = (url, count) => Promise.all(Array.from({ length: count }, () => get(url)));

async function fill(page, handler) {
  const count = page.getByTestId("tab-requests").locator(".count");
  const listed = async () => Number(await count.textContent());
  for (let missing = LISTED - (await listed()); missing > 0; missing = LISTED - (await listed())) {
    const wanted = (await listed()) + Math.min(BURST, missing);
    await send(handler, Math.min(BURST, missing));
    await count.filter({ hasText: String(wanted) }).waitFor({ timeout: TIMEOUT_MS });
  }
}

function keepSending(handler) {
  const pending = new Set();
  const timer = setInterval(() => {
    for (let index = 0; index < (RATE * TICK_MS) / 1000; index += 1) {
      const request = get(handler).finally(() => pending.delete(request));
      pending.add(request);
    }
  }, TICK_MS);
  return async () => {
    clearInterval(timer);
    await Promise.all(pending);
  };
}

// The time from an event of the user to the end of the first frame in which `isDone` returns true.
async function timed(page, event, isDone, act) {
  const time = page.evaluate(`(${watch})(${JSON.stringify(event)}, ${isDone})`);
  await page.waitForFunction(() => window.isWatched);
  await act();
  const measured = await time;
  await pause(PAUSE_MS);
  return measured;
}

// Runs in the page.
function watch(event, isDone) {
  return new Promise((resolve) => {
    function check(began) {
      requestAnimationFrame(() => {
        if (!isDone()) return check(began);
        // The frame is drawn after its callbacks.
        setTimeout(() => {
          window.isWatched = false;
          resolve(performance.now() - began);
        });
      });
    }
    addEventListener(event, ({ timeStamp }) => check(timeStamp), { capture: true, once: true });
    window.isWatched = true;
  });
}

async function sort(page) {
  const head = page.getByRole("columnheader", { name: "Path" }).getByRole("button");
  const values = [];
  for (let index = 0; index < REPEATS; index += 1) {
    values.push(await timed(page, "click", () => document.querySelector("th.c-path[aria-sort]") && document.querySelector("[data-row]"), () => head.click()));
    // Another two clicks end the sort.
    await head.click();
    await head.click();
    await page.locator("th.c-path:not([aria-sort])").waitFor();
  }
  return values;
}

async function filter(page) {
  const field = page.getByTestId("filter");
  const values = [];
  for (let index = 0; index < REPEATS; index += 1) {
    await field.focus();
    values.push(await timed(page, "input", () => document.querySelector('[data-testid="match-count"]')?.textContent.startsWith("0 of 10000"), () => page.keyboard.insertText("path:/nowhere")));
    await field.fill("");
    await page.getByTestId("request-row").first().waitFor();
  }
  return values;
}

async function open(page) {
  const values = [];
  for (let index = 0; index < REPEATS; index += 1) {
    const row = page.getByTestId("request-row").nth(index);
    values.push(await timed(page, "click", () => document.querySelector('[role="tabpanel"]:not([hidden]) [data-testid="content"]'), () => row.click()));
    await page.keyboard.press("Escape");
    await page.getByTestId("request-details").waitFor({ state: "detached" });
  }
  return values;
}

main(...process.argv.slice(2));
