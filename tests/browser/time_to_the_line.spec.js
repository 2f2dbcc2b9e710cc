// The time of a request to the line: its profile, its calls to databases, and the waterfall of the list.

const { AxeBuilder } = require("@axe-core/playwright");
const { expect, test } = require("./world");

const APP = `import sqlite3
import threading
import time
from snaxum import route

opened = threading.Event()

def spin(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass

@route("/slow")
def slow(request):
    spin(0.3)
    return {}

@route("/waiting")
async def waiting(request):
    import asyncio
    while not opened.is_set():
        await asyncio.sleep(0.01)
    return {}

@route("/open")
def open(request):
    opened.set()
    return {}

@route("/orders")
def orders(request):
    connection = sqlite3.connect(":memory:")
    connection.execute("create table orders (id integer, total integer)")
    for number in range(9):
        connection.execute("select total from orders where id = ?", (number,))
    return {}
`;

test.use({ files: { "app.py": APP } });

test.beforeEach(async ({ page, world }) => {
  await world.start(0, ["--dispatch-workers", "1"]);
  await world.open(page);
});

test.afterEach(({ errors }) => {
  expect(errors).toEqual([]);
});

const row = (page, text) => page.getByTestId("request-row").filter({ hasText: text });
const tab = (page, name) => page.getByRole("tab", { name });

async function hasNoViolations(page) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`)).toEqual([]);
}

test("a slow request shows its functions and the time of each line, in two clicks", async ({ page, world }) => {
  await world.get("/slow");
  await row(page, "/slow").click();
  await tab(page, "Profile").click();
  const profile = page.getByTestId("profile");
  await expect(page.getByTestId("profile-about")).toContainText(/\d+ samples/);
  await expect(profile.getByRole("button", { name: /^slow, / })).toBeVisible();
  const hot = profile.getByTestId("heat").filter({ hasText: "def spin(seconds):" }).locator(".heat-4");
  await expect(hot.first()).toContainText(/\d m?s/);
  await hasNoViolations(page);

  // By keyboard: down to the function that it calls, and into it.
  await profile.getByRole("button", { name: /^slow, / }).focus();
  await page.keyboard.press("ArrowDown");
  await expect(profile.getByRole("button", { name: /^spin, / })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(profile.getByRole("button", { name: /^slow, / })).toHaveCount(0);
  await profile.getByRole("button", { name: "Show all" }).click();
  await expect(profile.getByRole("button", { name: /^slow, / })).toBeVisible();
});

test("a running request shows what it does", async ({ page, world }) => {
  const response = world.get("/waiting?profile");
  await page.getByTestId("slow-requests").locator("summary").click();
  await page.getByTestId("slow-requests").getByRole("button", { name: "What does it do?" }).click();
  await expect(page.getByTestId("profile-about")).toContainText("still running");
  await expect(page.getByTestId("profile").getByRole("button", { name: /^waiting, / })).toBeVisible();
  await expect(page.getByTestId("profile-about")).toContainText("suspended in await");
  await world.get("/open");
  await response;
  await row(page, "/waiting").click();
  await tab(page, "Profile").click();
  await expect(page.getByTestId("profile-about")).not.toContainText("still running");
});

test("statements are rows with their place, and N+1 is named", async ({ page, world }) => {
  await world.get("/orders");
  await expect(row(page, "/orders")).toContainText("N+1");
  await row(page, "/orders").click();
  await tab(page, "Calls").click();
  const calls = page.getByTestId("calls");
  await expect(calls).toContainText("10 calls");
  await expect(calls.getByTestId("repeated")).toContainText("one line made 9 calls like this: python/app.py:35");
  await expect(calls.getByRole("listitem")).toHaveCount(4);
  await expect(calls).toContainText("6 similar calls from this line");
  await hasNoViolations(page);
});

test("the switch of a route profiles each request to it", async ({ page, world }) => {
  await page.getByTestId("tab-routes").click();
  await page.getByTestId("route-row").filter({ hasText: "/orders" }).click();
  const profile = page.getByRole("switch", { name: /Profile each request/ });
  await profile.click();
  await expect(profile).toHaveAttribute("aria-checked", "true");
  await world.get("/orders");
  await page.getByTestId("tab-requests").click();
  await row(page, "/orders").click();
  await expect(tab(page, "Profile")).toBeVisible();
});

test("the waterfall shows requests by their start and what occupied the thread", async ({ page, world }) => {
  await Promise.all([world.get("/slow"), world.get("/slow")]);
  await world.get("/orders");
  await expect(page.getByTestId("request-row")).toHaveCount(3);
  await page.getByRole("button", { name: "Waterfall" }).click();
  const waterfall = page.getByTestId("waterfall");
  await expect(waterfall.getByTestId("waterfall-row")).toHaveText([/#1 .*\/slow/, /#2 .*\/slow/, /#3 .*\/orders/]);
  await expect(waterfall.locator(".holder")).toHaveText(/#[12] \/slow/);
  await hasNoViolations(page);
  await waterfall.getByTestId("waterfall-row").filter({ hasText: "/orders" }).click();
  await expect(page.getByTestId("request-details")).toContainText("/orders");
});
