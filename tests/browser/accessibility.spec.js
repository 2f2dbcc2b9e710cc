// Accessibility of the console: checked by axe, at high zoom, on a narrow screen and for screen readers.

const { AxeBuilder } = require("@axe-core/playwright");
const { expect, test } = require("./world");

const SHOP = `from snaxum import Request, route

@route("/items")
def items(request: Request) -> dict:
    """All items of the shop."""
    print("listing the items")
    return {"items": ["tea"]}

@route("/items/<int:id>")
def item(request: Request) -> dict:
    return {"name": ["tea"][request.path_params["id"]]}
`;
const TABS = { now: "save-row", requests: "request-row", routes: "route-row", reloads: "reload-row", errors: "error-row", workers: "slowest-row", logs: "request-entry" };

test.use({ files: { "shop.py": SHOP } });

test.beforeEach(async ({ world }) => {
  await world.start();
});

// Returns the violations that axe finds in the current page, one line per element. In dark colors only the
// contrast differs.
async function violations(page) {
  const found = [];
  for (const [colorScheme, rules] of [["dark", ["color-contrast"]], ["light", null]]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const axe = new AxeBuilder({ page });
    const { violations } = await (rules ? axe.withRules(rules) : axe).analyze();
    for (const { id, help, nodes } of violations)
      for (const { target } of nodes) found.push(`${colorScheme}: ${id}: ${help}: ${target.join(" ")}`);
  }
  return found;
}

test("axe finds no violation in any tab or open row", async ({ page, world }) => {
  await world.open(page);
  for (const tab of Object.keys(TABS)) {
    await page.getByTestId(`tab-${tab}`).click();
    await expect(page.getByTestId(`tab-${tab}`)).toHaveAttribute("aria-current", "page");
    expect.soft(await violations(page), `${tab}, empty`).toEqual([]);
  }

  for (const address of ["/items?a=1", "/items/0", "/items/9", "/nowhere"]) await world.get(address);
  world.edit("shop.py", SHOP.replace('"/items/<int:id>"', '"/things/<int:id>"'));
  await expect(page.getByTestId("state")).toContainText("version 2 live");
  world.edit("shop.py", SHOP.replace('["tea"]}', '["tea"}'));
  await expect(page.getByTestId("banner")).toBeVisible();
  for (const [tab, row] of Object.entries(TABS)) {
    await page.getByTestId(`tab-${tab}`).click();
    await expect(page.getByTestId(row).first()).toBeVisible();
    expect.soft(await violations(page), tab).toEqual([]);
    const rows = tab === "requests" ? page.getByTestId(row).filter({ hasText: "/items/9" }) : page.getByTestId(row);
    if (tab === "workers" || tab === "logs") continue; // their rows cannot be opened
    await rows.first().click();
    const opened = tab === "routes" || tab === "reloads" ? page.locator("tr.expanded-row") : page.getByTestId("traceback");
    await expect(opened.first()).toBeVisible();
    expect.soft(await violations(page), `${tab}, with an open row`).toEqual([]);
    if (tab !== "requests") continue;
    for (const part of await page.getByRole("tab").all()) {
      await part.click();
      expect.soft(await violations(page), `an open request, part ${await part.textContent()}`).toEqual([]);
    }
    await page.getByRole("button", { name: "Edit and replay" }).click();
    await expect(page.getByTestId("edit-form")).toBeVisible();
    expect.soft(await violations(page), "the edit form").toEqual([]);
  }
  await page.keyboard.press("?");
  await expect(page.getByTestId("shortcuts")).toBeVisible();
  expect.soft(await violations(page), "the keyboard shortcuts").toEqual([]);
});

test("axe finds no violation in menus, the palette, the picture of modules and the form of a route", async ({ page, world }) => {
  const types = `from dataclasses import dataclass
from typing import Annotated, Literal
from snaxum import Header, Path, Query, UploadFile, post
import shop

@dataclass
class Order:
    item: str
    count: int = 1
    size: Literal["small", "large"] = "small"

@post("/orders/<int:id>")
def order(id: Annotated[int, Path(ge=3)], body: Order, lang: Annotated[str, Query(description="A language")] = "en",
          x_token: Annotated[str, Header()] = "") -> dict:
    return {}

@post("/upload")
def upload(title: str, file: UploadFile) -> dict:
    return {}
`;
  world.edit("orders.py", types);
  world.snaxum("wait");
  await world.get("/items");
  await world.open(page);
  await page.keyboard.press("Control+k");
  await expect(page.getByTestId("palette")).toBeVisible();
  expect.soft(await violations(page), "the palette").toEqual([]);
  await page.keyboard.type("no such command");
  expect.soft(await violations(page), "the palette, without a match").toEqual([]);
  await page.keyboard.press("Escape");
  for (const tab of ["requests", "routes"]) {
    await page.getByTestId(`tab-${tab}`).click();
    await page.getByTestId("column-menu").locator("summary").click();
    expect.soft(await violations(page), `the menu of ${tab}`).toEqual([]);
    await page.keyboard.press("Escape");
  }
  world.edit("shop.py", SHOP.replace("tea", "cake"));
  await expect(page.getByTestId("state")).toContainText("version 3 live");
  await page.getByTestId("modules").locator("summary").click();
  await expect(page.getByTestId("module-graph")).toBeVisible();
  expect.soft(await violations(page), "the picture of the modules").toEqual([]);
  await page.setViewportSize({ width: 360, height: 740 });
  await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth), "the picture on a phone").toBeLessThanOrEqual(360);
  await page.setViewportSize({ width: 1280, height: 720 });
  for (const key of ["POST /orders/<int:id>", "POST /upload"]) {
    await page.locator(`[data-key="${key}"]`).click();
    await expect(page.getByTestId("try-it").last()).toBeVisible();
  }
  expect.soft(await violations(page), "the forms of routes").toEqual([]);
  await page.getByTestId("tab-requests").click();
  await page.getByTestId("request-row").first().click();
  await page.getByTestId("request-details").locator(".menu summary").first().click();
  expect.soft(await violations(page), "the menu of copies").toEqual([]);
});

test("axe finds no violation in pages of the app: a dialog, 404, 405, 422 and 500, and 500 without JavaScript", async ({ page, browser, world }) => {
  await page.goto(world.console);
  for (const [address, status] of [["/items9", "404"], ["/items/9", "500"]]) {
    await page.goto(new URL(address, world.app).href);
    await expect(page.locator("h1")).toContainText(status);
    if (status === "500") await expect(page.getByTestId("traceback")).toBeVisible();
    expect.soft(await violations(page), `the page of a ${status}`).toEqual([]);
  }
  await page.goto("about:blank"); // the page would reload meanwhile
  world.edit("shop.py", `${SHOP}\n@route("/pay", methods=["POST"])\ndef pay(request: Request) -> dict:\n    return {}\n\n@route("/count")\ndef count(number: int) -> dict:\n    return {}\n`);
  world.snaxum("wait");
  for (const [address, status] of [["/pay", "405"], ["/count?number=x", "422"]]) {
    await page.goto(new URL(address, world.app).href);
    await expect(page.locator("h1")).toContainText(status);
    expect.soft(await violations(page), `the page of a ${status}`).toEqual([]);
  }
  world.edit("shop.py", "def oops(:\n");
  await page.getByRole("button", { name: "The newest save does not load" }).click();
  await expect(page.getByRole("dialog").getByTestId("traceback")).toBeVisible();
  expect.soft(await violations(page), "the dialog of a failed save").toEqual([]);

  // axe itself is a script, so only the scripts of the page are blocked.
  const context = await browser.newContext();
  const plain = await context.newPage();
  await plain.route("**/__snaxum/**", (route) => route.abort());
  await plain.goto(new URL("/items/9", world.app).href);
  await expect(plain.locator(".failing mark")).toBeVisible();
  expect.soft(await violations(plain), "a 500 without JavaScript").toEqual([]);
  await context.close();
});

test("at 200 % zoom and on a narrow screen the page fits the width and an open request is a page of its own", async ({ page, world }) => {
  await world.open(page);
  for (const address of ["/items?a=1", "/items/0", "/items/9"]) await world.get(address);
  world.edit("shop.py", SHOP.replace('["tea"]}', '["tea"}'));
  await expect(page.getByTestId("banner")).toBeVisible();
  // A zoomed window of 1280 pixels; one below 900 pixels; a phone.
  for (const [width, height] of [[640, 400], [880, 700], [360, 740]]) {
    await page.setViewportSize({ width, height });
    for (const [tab, row] of Object.entries(TABS)) {
      await page.getByTestId(`tab-${tab}`).click();
      await page.getByTestId(row).first().click();
      if (tab === "requests") {
        await expect(page.getByTestId("traceback")).toBeVisible();
        await expect(page.locator(".list")).toBeHidden();
        await expect(page.getByTestId("page-nav")).toBeVisible();
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect.soft(wide, `${tab} at ${width}`).toBeLessThanOrEqual(width);
      if (tab === "routes" || tab === "reloads") await page.getByTestId(row).first().click();
      if (tab === "requests") await page.keyboard.press("Escape");
    }
  }
});

test("changes are announced at most once in two seconds, and the last one always is", async ({ page, world }) => {
  await world.open(page);
  const region = page.getByTestId("live-region");
  await expect(region).toContainText("version 1 live");
  await region.evaluate((region) => {
    window.announced = [];
    new MutationObserver(() => window.announced.push([performance.now(), region.textContent])).observe(region, { childList: true, characterData: true, subtree: true });
  });
  const broken = SHOP.replace('["tea"]}', '["tea"}');
  for (const text of [broken, SHOP, broken, SHOP.replace("tea", "cake"), broken]) {
    world.edit("shop.py", text);
    await expect(page.getByTestId("banner")).toHaveCount(text === broken ? 1 : 0);
  }
  await expect(region).toContainText("version 2 live, the newest save is not");
  await expect(region).toContainText("SyntaxError in python/shop.py, line 7");
  await expect(region, "is cleared").toHaveText("");
  const announced = await page.evaluate(() => window.announced);
  expect(announced.length).toBeGreaterThan(0);
  for (let index = 1; index < announced.length; index += 1) expect(announced[index][0] - announced[index - 1][0], `${announced}`).toBeGreaterThan(1900);
});
