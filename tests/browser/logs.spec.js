// The Logs tab: one timeline, its filter, and the links of its lines.

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

test.beforeEach(async ({ page, world }) => {
  await world.start();
  await world.open(page);
});

test.afterEach(({ errors }) => {
  expect(errors).toEqual([]);
});

test("printed and logged lines are one timeline with requests and reloads, and link to what wrote them", async ({ page, world }) => {
  await page.getByTestId("tab-logs").click();
  await world.get("/buy/tea");
  const lines = page.getByTestId("log-entry");
  await expect(lines).toHaveCount(4);
  await expect(lines.nth(0)).toContainText("warning");
  await expect(lines.nth(0)).toContainText("stock is low");
  await expect(lines.nth(1)).toContainText("info");
  await expect(lines.nth(2)).toContainText("bought tea");
  await expect(lines.nth(2).locator("a.source-link")).toHaveText("python/app.py:9");
  await expect(lines.nth(3)).toContainText("loading the shop");
  await expect(lines.nth(3).getByRole("link", { name: "save #1" })).toBeVisible();
  // A request ends after its lines.
  await expect(page.locator(".entry").first()).toContainText("/buy/tea");
  await lines.nth(2).getByRole("link", { name: "request #1" }).click();
  await expect(page.getByTestId("request-details")).toContainText("/buy/tea");
  await expect(page.getByTestId("logs")).toContainText("bought tea");
});

test("the timeline is filtered by line, level, error and file", async ({ page, world }) => {
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
  await page.getByTestId("filter").fill("level:loud");
  await expect(page.locator("#filter-problems")).toContainText("level:loud is not one of");
});

test("hostile lines are text, and many lines are drawn in parts", async ({ page, world }) => {
  world.edit("app.py", `${APP}\nfor number in range(900):\n    print(f"<img src=x onerror=alert({number})> \\x1b[2J")\n`);
  await page.getByTestId("tab-logs").click();
  await expect(page.getByTestId("log-entry").first()).toContainText("<img src=x onerror=alert(899)>");
  expect(await page.locator(".entry").count()).toBeLessThanOrEqual(300);
  await page.getByRole("button", { name: "Show 300 more" }).click();
  await expect(page.locator(".entry")).toHaveCount(600);
});
