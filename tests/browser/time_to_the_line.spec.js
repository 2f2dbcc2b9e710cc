// The time of a request to the line: its profile, its calls to databases, and the waterfall of the list.

const { execFileSync } = require("node:child_process");
const path = require("node:path");
const { AxeBuilder } = require("@axe-core/playwright");
const { openBeforeEach, row } = require("./requests_page");
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

openBeforeEach({ options: ["--dispatch-workers", "1"] });

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

test("a request without a profile has no tab for it, and is replayed with one", async ({ page, world }) => {
  const rowOf = (id) => page.locator(`[data-testid="request-row"][data-id="${id}"]`);
  let [id, replayed] = [0, 0];
  // On a busy machine a request may be slow enough for a profile of its own.
  await expect(async () => {
    id = Number((await world.get("/orders?day=1")).headers.get("x-request-id"));
    await rowOf(id).click();
    await tab(page, "Timing").click();
    await expect(tab(page, "Profile")).toHaveCount(0, { timeout: 1000 });
    await page.getByRole("button", { name: "Replay with a profile" }).click({ timeout: 1000 });
    replayed = id + 1;
  }).toPass();
  await expect(tab(page, "Profile")).toHaveAttribute("aria-selected", "true");
  await expect(page.getByTestId("request-details")).toContainText(`#${replayed}`);

  // The list names the requests that have one.
  await page.getByTestId("filter").fill("has:profile");
  await expect(rowOf(replayed)).toHaveCount(1);
  await expect(rowOf(id)).toHaveCount(0);
  await page.getByTestId("filter").fill("N+1 calls>9 sql>0ms");
  for (const each of [id, replayed]) await expect(rowOf(each)).toHaveCount(1);
  await page.getByTestId("filter").fill("calls>10");
  await expect(page.getByTestId("request-row")).toHaveCount(0);
  await page.getByTestId("filter").fill("");
  await page.getByTestId("column-menu").locator("summary").click();
  for (const name of ["Calls", "Profile"]) await page.getByRole("checkbox", { name, exact: true }).check();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await expect(rowOf(replayed)).toHaveText(/10 · .*✓$/);
  await expect(rowOf(id)).toHaveText(/10 · [^✓]*$/);
});

test("the waterfall is a column of the list, by start, and shows what occupied the thread", async ({ page, world }) => {
  await Promise.all([world.get("/slow"), world.get("/slow")]);
  await world.get("/orders");
  await expect(page.getByTestId("request-row")).toHaveCount(3);
  await page.getByRole("button", { name: "Waterfall" }).click();
  await expect(page.getByTestId("burst")).toHaveText(/^3 requests from /);
  await expect(page.getByTestId("request-row")).toHaveText([/^1.*GET\/slow.*200/, /^2.*GET\/slow.*200/, /^3.*GET\/orders.*200/]);
  await expect(page.locator(".holder")).toHaveText(/#[12] \/slow/);
  await hasNoViolations(page);

  // The sort is within a burst, and both are in the URL.
  await page.getByRole("columnheader", { name: "#" }).getByRole("button").click();
  await expect(page.getByTestId("request-row")).toHaveText([/^3/, /^2/, /^1/]);
  await expect(page).toHaveURL(/[?&]sort=-id&view=waterfall/);
  await page.reload();
  await expect(page.getByTestId("burst")).toBeVisible();
  await expect(page.getByTestId("request-row")).toHaveText([/^3/, /^2/, /^1/]);

  await row(page, "/orders").click();
  await expect(page.getByTestId("request-details")).toContainText("/orders");
  await page.getByTestId("tab-routes").click();
  await page.getByTestId("tab-requests").click();
  await expect(page.getByTestId("burst")).toBeVisible();
  await page.getByRole("button", { name: "Waterfall" }).click();
  await expect(page).not.toHaveURL(/view=/);
  await expect(page.getByTestId("burst")).toHaveCount(0);
});

test("a new request changes no burst of the waterfall but the newest", () => {
  const code = `
    const { bursts } = await import(${JSON.stringify(path.join(__dirname, "../../templates/console/requests/waterfall.js"))});
    const requests = [0, 0.1, 5, 5.2, ...Array.from({ length: 230 }, (_, each) => 10 + each / 100)].map((seconds, index) => ({ id: String(index), time_ms: seconds * 1000, total_ms: 20 }));
    const all = (count) => bursts(requests.slice(0, count).reverse()).map((burst) => burst.requests.map(({ id }) => id));
    for (let count = 1; count < requests.length; count += 1) {
      const [before, after] = [all(count), all(count + 1)];
      const older = after.slice(after.length - before.length + 1);
      if (JSON.stringify(older) !== JSON.stringify(before.slice(1))) throw new Error(count);
    }
    console.log(JSON.stringify(all(requests.length).map((burst) => [burst.length, burst[0]])));
  `;
  const printed = execFileSync("node", ["--no-warnings", "--input-type=module", "--eval", code], { encoding: "utf8" });
  expect(JSON.parse(printed)).toEqual([[30, "204"], [100, "104"], [100, "4"], [2, "2"], [2, "0"]]);
});
