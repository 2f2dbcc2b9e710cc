// The console for people who use no mouse, see little or hear the page: axe finds nothing in any tab, light or dark.

const { AxeBuilder } = require("@axe-core/playwright");
const { test, expect } = require("@playwright/test");
const { World } = require("./world");

const SHOP = `from snaxum import Request, route

@route("/items")
def items(request: Request) -> dict:
    """All that there is to buy."""
    print("somebody looks")
    return {"items": ["tea"]}

@route("/items/<int:id>")
def item(request: Request) -> dict:
    return {"name": ["tea"][request.path_params["id"]]}
`;
const TABS = { requests: "request-row", routes: "route-row", reloads: "reload-row", errors: "error-row", workers: "dispatch-row" };

let world;

test.beforeEach(async () => {
  world = new World({ "shop.py": SHOP });
  await world.start();
});

test.afterEach(async () => {
  await world.remove();
});

// What axe says of the page as it is now, one line for each element.
async function violations(page) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.flatMap(({ id, help, nodes }) => nodes.map(({ target }) => `${id}: ${help}: ${target.join(" ")}`));
}

for (const colorScheme of ["light", "dark"]) {
  test(`no tab and no opened row has a barrier, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await world.open(page);
    for (const tab of Object.keys(TABS)) {
      await page.getByTestId(`tab-${tab}`).click();
      await expect(page.getByTestId(`tab-${tab}`)).toHaveAttribute("aria-current", "page");
      expect.soft(await violations(page), `${tab}, with nothing in it yet`).toEqual([]);
    }

    for (const address of ["/items?a=1", "/items/0", "/items/9", "/nowhere"]) await world.get(address);
    world.edit("shop.py", SHOP.replace('"/items/<int:id>"', '"/things/<int:id>"'));
    await expect(page.getByTestId("state")).toContainText("G2 ok");
    world.edit("shop.py", SHOP.replace('["tea"]}', '["tea"}'));
    await expect(page.getByTestId("banner")).toBeVisible();
    for (const [tab, row] of Object.entries(TABS)) {
      await page.getByTestId(`tab-${tab}`).click();
      await expect(page.getByTestId(row).first()).toBeVisible();
      expect.soft(await violations(page), tab).toEqual([]);
      const rows = tab === "requests" ? page.getByTestId(row).filter({ hasText: "/items/9" }) : page.getByTestId(row);
      if (tab === "workers") continue; // its rows do not open
      await rows.first().click();
      const opened = tab === "routes" || tab === "reloads" ? page.locator("tr.unfolded") : page.getByTestId("traceback");
      await expect(opened.first()).toBeVisible();
      expect.soft(await violations(page), `${tab}, a row opened`).toEqual([]);
      if (tab !== "requests") continue;
      for (const part of await page.getByRole("tab").all()) {
        await part.click();
        expect.soft(await violations(page), `a request, its part ${await part.textContent()}`).toEqual([]);
      }
      await page.getByRole("button", { name: "Edit and replay" }).click();
      await expect(page.getByTestId("edit-form")).toBeVisible();
      expect.soft(await violations(page), "a request being edited").toEqual([]);
    }
    await page.keyboard.press("?");
    await expect(page.getByTestId("keys")).toBeVisible();
    expect.soft(await violations(page), "the keys").toEqual([]);
  });
}

test("at 200 %, and on a narrow screen, nothing is cut off sideways and details stand below", async ({ page }) => {
  await world.open(page);
  for (const address of ["/items?a=1", "/items/0", "/items/9"]) await world.get(address);
  world.edit("shop.py", SHOP.replace('["tea"]}', '["tea"}'));
  await expect(page.getByTestId("banner")).toBeVisible();
  // A window of 1280 pixels, zoomed; one below 900; a telephone.
  for (const [width, height] of [[640, 400], [880, 700], [360, 740]]) {
    await page.setViewportSize({ width, height });
    for (const [tab, row] of Object.entries(TABS)) {
      await page.getByTestId(`tab-${tab}`).click();
      await page.getByTestId(row).first().click();
      if (tab === "requests") {
        await expect(page.getByTestId("traceback")).toBeVisible();
        const [list, details] = await Promise.all([page.locator(".list").boundingBox(), page.getByTestId("request-details").boundingBox()]);
        expect(details.y, `${width}`).toBeGreaterThanOrEqual(list.y + list.height);
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect.soft(wide, `${tab} at ${width}`).toBeLessThanOrEqual(width);
      if (tab === "routes" || tab === "reloads") await page.getByTestId(row).first().click();
      if (tab === "requests") await page.keyboard.press("Escape");
    }
  }
});

test("what changes by itself is said once in two seconds, and the last of it is", async ({ page }) => {
  await world.open(page);
  const spoken = page.getByTestId("spoken");
  await expect(spoken).toContainText("G1 ok");
  await spoken.evaluate((region) => {
    window.said = [];
    new MutationObserver(() => window.said.push([performance.now(), region.textContent])).observe(region, { childList: true, characterData: true, subtree: true });
  });
  const broken = SHOP.replace('["tea"]}', '["tea"}');
  for (const text of [broken, SHOP, broken, SHOP.replace("tea", "cake"), broken]) {
    world.edit("shop.py", text);
    await expect(page.getByTestId("banner")).toHaveCount(text === broken ? 1 : 0);
  }
  await expect(spoken).toContainText("serving G2, newest save does not load", { timeout: 10_000 });
  await expect(spoken).toContainText("SyntaxError in python/shop.py, line 7");
  await expect(spoken, "and does not stay there").toHaveText("", { timeout: 15_000 });
  const said = await page.evaluate(() => window.said);
  expect(said.length).toBeGreaterThan(0);
  for (let index = 1; index < said.length; index += 1) expect(said[index][0] - said[index - 1][0], `${said}`).toBeGreaterThan(1900);
});
