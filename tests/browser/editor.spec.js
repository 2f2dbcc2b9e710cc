// Places in the code, where the server starts the editor.

const fs = require("node:fs");
const path = require("node:path");
const { test, expect } = require("@playwright/test");
const { World, complaintsOf } = require("./world");

const SHOP = `from snaxum import route

@route("/boom")
def boom(request):
    try:
        fail()
    except ValueError as error:
        raise KeyError("outer") from error

def fail():
    raise ValueError("inner")
`;

let world;
let opened;

test.beforeEach(async ({ page }) => {
  world = new World({ "shop.py": SHOP });
  opened = path.join(world.root, "opened");
  const program = path.join(world.root, "code");
  fs.writeFileSync(program, `#!/bin/sh\necho "$@" >> '${opened}'\n`, { mode: 0o755 });
  await world.start(0, ["--editor", program]);
  await world.open(page);
});

test.afterEach(async () => {
  await world.remove();
});

const lines = () => (fs.existsSync(opened) ? fs.readFileSync(opened, "utf8") : "");

// What a click asks for, once the editor has got its line.
async function click(page, place, line) {
  const asked = page.waitForRequest(/api\/open$/);
  await place.click();
  const request = await asked;
  await expect.poll(lines).toMatch(new RegExp(`--goto \\S+/python/shop\\.py:${line}\\n$`));
  return request.postDataJSON();
}

test("a click lets the server open a route and a frame of a cause, and names no path", async ({ page }) => {
  const complaints = complaintsOf(page);
  await page.keyboard.press("2");
  const row = page.getByTestId("route-row").first();
  const asked = await click(page, row.locator(".place-link"), 3);
  expect(asked).toEqual({ route: expect.stringMatching(/^r_/) });
  await expect(page.locator(".unfolded")).toHaveCount(0);

  await world.get("/boom");
  await page.keyboard.press("3");
  const places = page.getByTestId("traceback").locator("button.place-link");
  await expect(places).toHaveCount(3);
  expect(await click(page, places.nth(1), 11)).toEqual({ request: expect.any(String), frame: 2 });

  world.edit("shop.py", "def oops(:\n");
  const banner = page.getByTestId("banner").locator(".place-link");
  expect(await click(page, banner, 1)).toEqual({ reload: expect.any(Number), frame: 0 });
  expect(complaints).toEqual([]);
});

test("what the server cannot open is said beside the place", async ({ page }) => {
  fs.rmSync(path.join(world.root, "code"));
  await page.keyboard.press("2");
  const row = page.getByTestId("route-row").first();
  await row.locator(".place-link").click();
  await expect(row.getByRole("alert")).toContainText("does not start");
});
