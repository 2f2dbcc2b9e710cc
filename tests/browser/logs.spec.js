// The Logs tab: one timeline, its filter, and the links of its lines.

const { execFileSync } = require("node:child_process");
const path = require("node:path");
const { openBeforeEach } = require("./requests_page");
const { expect, test } = require("./world");

const APP = `import logging
from snaxum import Request, route

log = logging.getLogger("shop")
print("loading the shop")

@route("/buy/<name>")
def buy(request: Request) -> dict:
    print("bought", request.path_params["name"])
    log.info("stock is %s", 3)
    log.warning("stock is low")
    log.debug("never shown")
    return {}

@route("/boom")
def boom(request: Request):
    raise ValueError("oops")
`;

test.use({ files: { "app.py": APP } });

openBeforeEach();

test("printed and logged lines are one timeline with requests and reloads, and link to what wrote them", async ({ page, world }) => {
  await page.getByTestId("tab-logs").click();
  await world.get("/buy/tea");
  const lines = page.getByTestId("log-entry");
  await expect(lines).toHaveCount(4);
  await expect(lines.nth(0)).toContainText("warning");
  await expect(lines.nth(0).locator(".text")).toHaveText("stock is low");
  await expect(lines.nth(1)).toContainText("info");
  await expect(lines.nth(2)).toContainText("bought tea");
  await expect(lines.nth(2).locator("a.source-link")).toHaveText("python/app.py:9");
  await expect(lines.nth(3)).toContainText("loading the shop");
  await expect(lines.nth(2).getByRole("link", { name: "module app" })).toHaveAttribute("href", "#routes?q=python%2Fapp.py");
  await expect(lines.nth(3).getByRole("link", { name: "save #1" })).toBeVisible();
  // A request ends after its lines.
  await expect(page.locator(".entry").first()).toContainText("/buy/tea");
  await lines.nth(2).getByRole("link", { name: "request #1" }).click();
  await expect(page.getByTestId("request-details")).toContainText("/buy/tea");
  await expect(page.getByTestId("logs")).toContainText("bought tea");
});

test("the timeline is filtered by line, level, error, file, logger and request", async ({ page, world }) => {
  await world.get("/buy/tea");
  await world.get("/buy/milk");
  await world.get("/boom");
  await page.getByTestId("tab-logs").click();
  const entries = page.locator(".entry");
  const shows = async (filter, texts) => {
    await page.getByTestId("filter").fill(filter);
    await expect(entries).toHaveCount(texts.length);
    for (const [index, text] of texts.entries()) await expect(entries.nth(index)).toContainText(text);
  };
  await shows("log:bought", ["bought milk", "bought tea"]);
  await shows("level:warning", ["stock is low", "stock is low"]);
  await shows("error:value", ["/boom"]);
  await shows("file:app.py log:loading", ["loading the shop"]);
  await shows("log:bought -milk", ["bought tea"]);
  await shows("logger:nothing", []);
  await shows("logger:shop -level:warning", ["stock is 3", "stock is 3"]);
  await shows("request:2 -level:warning", ["/buy/milk", "stock is 3", "bought milk"]);
  await page.getByTestId("filter").fill("level:loud request:x");
  await expect(page.locator("#filter-problems")).toContainText("level:loud is not one of");
  await expect(page.locator("#filter-problems")).toContainText("request:x is not the number of a request");
});

test("the link of a line opens that very reload, also after later ones", async ({ page, world }) => {
  world.edit("app.py", `${APP}print("second")\n`);
  world.snaxum("wait");
  world.edit("app.py", `${APP}print("third")\n`);
  world.snaxum("wait");
  await page.getByTestId("tab-logs").click();
  const line = page.getByTestId("log-entry").filter({ hasText: "second" });
  await line.getByRole("link", { name: "save #2" }).click();
  await expect(page).toHaveURL(/#reloads\?open=2/);
  const opened = page.locator("tr.expanded-row");
  await expect(opened).toHaveCount(1);
  await expect(opened).toContainText("live as version 2");
  await expect(page.getByTestId("reload-row").nth(1)).toBeFocused();
  await page.reload();
  await expect(opened).toContainText("live as version 2");
  await page.getByTestId("reload-row").nth(1).click();
  await expect(opened).toHaveCount(0);
  await expect(page).not.toHaveURL(/open=/);
  await page.goto(`${page.url().split("#")[0]}#reloads?open=99`);
  await expect(page.getByRole("status").filter({ hasText: "Reload #99 is not listed" })).toBeVisible();
});

test("j and k move between rows, Enter opens the request, and a frozen list stays as it is", async ({ page, world }) => {
  await world.get("/buy/tea");
  await page.getByTestId("tab-logs").click();
  const entries = page.locator(".entry");
  await expect(entries).toHaveCount(6);
  await page.getByRole("button", { name: "Freeze list" }).click();
  await world.get("/buy/milk");
  const more = page.getByRole("button", { name: "Show 4 new" });
  await expect(more).toBeVisible();
  await expect(entries).toHaveCount(6);
  await page.getByTestId("tab-logs").focus();
  await page.keyboard.press("j");
  await expect(entries.nth(0)).toBeFocused();
  await page.keyboard.press("j");
  await expect(entries.nth(1)).toBeFocused();
  await expect(entries.nth(1)).toContainText("stock is low");
  await page.keyboard.press("k");
  await expect(entries.nth(0)).toBeFocused();
  await more.click();
  await expect(entries).toHaveCount(10);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("request-details")).toContainText("/buy/milk");
});

test("a row stays the same element while old lines leave the list, and an event draws its own row only", async ({ page, world }) => {
  const loop = `@route("/print/<int:count>")
def printing(request: Request) -> dict:
    for number in range(request.path_params["count"]):
        print("line", number)
    return {}
`;
  world.edit("app.py", `${APP}\n${loop}`);
  world.snaxum("wait");
  await page.getByTestId("tab-logs").click();
  for (let count = 0; count < 6; count += 1) await world.get("/print/900");
  await world.get("/buy/tea");
  // Its request is the last of its rows.
  await expect(page.locator(".entry").first()).toContainText("/buy/tea");
  const line = page.getByTestId("log-entry").filter({ hasText: "bought tea" });
  await line.evaluate((element) => {
    element.marked = true;
    window.drawn = 0;
    new MutationObserver((records) => {
      for (const { addedNodes } of records) window.drawn += [...addedNodes].filter(({ nodeName }) => nodeName === "LI").length;
    }).observe(element.parentElement, { childList: true, subtree: true, characterData: true });
  });
  await world.get("/buy/milk");
  await expect(page.getByTestId("log-entry").filter({ hasText: "bought milk" })).toHaveCount(1);
  expect(await line.evaluate((element) => element.marked)).toBe(true);
  // Its request and its three lines.
  await expect.poll(() => page.evaluate(() => window.drawn)).toBe(4);
});

test("hostile lines are text, and many lines are drawn in parts", async ({ page, world }) => {
  world.edit("app.py", `${APP}\nfor number in range(900):\n    print(f"<img src=x onerror=alert({number})> \\x1b[2J")\n`);
  await page.getByTestId("tab-logs").click();
  await expect(page.getByTestId("log-entry").first()).toContainText("<img src=x onerror=alert(899)>");
  expect(await page.locator(".entry").count()).toBeLessThanOrEqual(300);
  await page.getByRole("button", { name: "Show 300 more" }).click();
  await expect(page.locator(".entry")).toHaveCount(600);
});

test("a request is above its lines though the times of both are rounded down", () => {
  const code = `
    const { Timeline } = await import(${JSON.stringify(path.join(__dirname, "../../templates/console/logs/timeline.js"))});
    const log = { time_ms: 1001, line: "bought tea", request: "1" };
    const request = { id: "1", time_ms: 1000, total_ms: 0.5 };
    const rows = new Timeline().update({ logs: [log], older: [], requests: [request], reloads: [] }, () => true);
    console.log(rows.map(({ kind }) => kind).join());
  `;
  const printed = execFileSync("node", ["--no-warnings", "--input-type=module", "--eval", code], { encoding: "utf8" });
  expect(printed).toBe("request,log\n");
});
