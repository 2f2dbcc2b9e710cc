// The words of the page: a user's, and not the names of the server's parts.

const { expect, test } = require("./world");

const APP = `import logging
import sqlite3
import time
from snaxum import Request, route

log = logging.getLogger("shop")

@route("/hello")
def hello(request: Request) -> dict:
    return {"message": "v1"}

@route("/later")
async def later(request: Request) -> str:
    return "later"

@route("/orders")
def orders(request: Request) -> dict:
    connection = sqlite3.connect(":memory:")
    for number in range(9):
        connection.execute("select ?", (number,))
    time.sleep(0.1)
    log.warning("no orders")
    return {}
`;
// Names of the code and of the event schema, which only details and tooltips have.
const OURS = /\bG\d+\b|\bgenerations?\b|\bsettle\b|\bstage\b|\bcommit\b|\bgil\b|\bconvert\b|\bnoop\b|\bdispatch\b|\bRSS\b|\bgen\b/i;
const TABS = ["now", "requests", "routes", "errors", "reloads", "workers", "logs"];

async function expectNone(page, where) {
  // A thread has the name that debuggers show.
  const shown = (await page.locator("body").innerText()).replaceAll(/\bsnaxum-dispatch-\d+\b|\bdispatch-\d+\b/g, "");
  expect(shown.match(OURS), `${where}: ${shown}`).toBeNull();
}

test.use({ files: { "app.py": APP } });

test("no tab shows a word of the server's parts", async ({ page, world, errors }) => {
  await world.start();
  await world.open(page);
  for (const address of ["/hello", "/later", "/nowhere"]) await world.get(address);
  world.edit("app.py", APP.replace("v1", "v2"));
  await expect(page.getByTestId("state")).toContainText("version 2 live");
  world.edit("app.py", "def oops(:\n");
  await expect(page.getByTestId("banner")).toBeVisible();
  for (const tab of TABS) {
    await page.getByTestId(`tab-${tab}`).click();
    if (tab === "logs") await expect(page.getByTestId("request-entry").first()).toBeVisible();
    else if (tab !== "workers") {
      await page.locator("[data-row]").first().click();
      await expect(page.locator("[aria-current=true], .expanded-row").first()).toBeVisible();
    }
    if (tab === "workers") await expect(page.getByTestId("slowest-row").first()).toBeVisible();
    await expectNone(page, tab);
  }
  expect(errors).toEqual([]);
});

test("no part of a request, menu, waterfall or palette shows such a word", async ({ page, world, errors }) => {
  await world.start(0, ["--dispatch-workers", "1"]);
  await world.open(page);
  await Promise.all([world.get("/orders?profile"), world.get("/orders?profile")]);
  await expect(page.getByTestId("request-row")).toHaveCount(2);
  // The second one waited for the thread of the first.
  await page.getByTestId("request-row").first().click();
  for (const part of ["Response", "Request", "Timing", "Profile", "Calls", "Logs"]) {
    await page.getByRole("tab", { name: part }).click();
    if (part === "Profile") await expect(page.getByTestId("profile-about")).toContainText("sample");
    await expectNone(page, part);
  }
  await page.getByTestId("copy-menu").locator("summary").click();
  await expectNone(page, "Copy as");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Edit and replay" }).click();
  await expectNone(page, "Edit and replay");
  await page.getByTestId("request-row").last().press("Escape");
  await page.getByTestId("column-menu").locator("summary").click();
  await expectNone(page, "the menu of requests");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Waterfall" }).click();
  await expect(page.getByTestId("burst")).toContainText("2 requests");
  await expectNone(page, "Waterfall");
  await page.getByTestId("tab-routes").click();
  await page.getByTestId("column-menu").locator("summary").click();
  await expectNone(page, "the menu of routes");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await expect(page.getByTestId("palette").getByRole("option").first()).toBeVisible();
  await expectNone(page, "the palette");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await expect(page.getByTestId("shortcuts")).toBeVisible();
  await expectNone(page, "the keys");
  expect(errors).toEqual([]);
});

test("the filter knows the words of the page for phases and versions, and of the terminal", async ({ page, world, errors }) => {
  await world.start();
  await world.open(page);
  await world.get("/hello");
  await expect(page.getByTestId("request-row")).toHaveCount(1);
  for (const [filter, count] of [["version:1", 1], ["gen:1", 1], ["version:2", 0], ["code<10s", 1], ["py<10s", 1], ["encoding>10s", 0]]) {
    await page.getByTestId("filter").fill(filter);
    await expect(page.getByTestId("request-row"), filter).toHaveCount(count);
    await expect(page.getByTestId("filter-problems")).toBeEmpty();
  }
  expect(errors).toEqual([]);
});
