// The words of the page: a user's, and not the names of the server's parts.

const { expect, test } = require("./world");

const APP = `from snaxum import Request, route

@route("/hello")
def hello(request: Request) -> dict:
    return {"message": "v1"}

@route("/later")
async def later(request: Request) -> str:
    return "later"
`;
// Names of the code and of the event schema, which only details and tooltips have.
const OURS = /\bG\d+\b|\bgenerations?\b|\bsettle\b|\bstage\b|\bcommit\b|\bgil\b|\bconvert\b|\bnoop\b|\bdispatch\b/i;
const TABS = ["now", "requests", "routes", "errors", "reloads", "workers"];

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
    if (tab !== "workers") {
      await page.locator("[data-row]").first().click();
      await expect(page.locator("[aria-current=true], .expanded-row").first()).toBeVisible();
    }
    if (tab === "workers") await expect(page.getByTestId("slowest-row").first()).toBeVisible();
    // A thread has the name that debuggers show.
    const shown = (await page.locator("body").innerText()).replaceAll(/\bsnaxum-dispatch-\d+\b|\bdispatch-\d+\b/g, "");
    expect(shown.match(OURS), `${tab}: ${shown}`).toBeNull();
  }
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
