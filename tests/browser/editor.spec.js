// Source locations that the server opens in an editor.

const fs = require("node:fs");
const path = require("node:path");
const { expect, test } = require("./world");

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

let opened;

test.use({ files: { "shop.py": SHOP } });

test.beforeEach(async ({ page, world }) => {
  opened = path.join(world.root, "opened");
  const program = path.join(world.root, "code");
  fs.writeFileSync(program, `#!/bin/sh\necho "$@" >> '${opened}'\n`, { mode: 0o755 });
  await world.start(0, ["--editor", program]);
  await world.open(page);
});

const lines = () => (fs.existsSync(opened) ? fs.readFileSync(opened, "utf8") : "");

// Clicks a location, waits until the editor has started at `line`, and returns the body of the API request.
async function click(page, location, line) {
  const sent = page.waitForRequest(/api\/open$/);
  await location.click();
  const request = await sent;
  await expect.poll(lines).toMatch(new RegExp(`--goto \\S+/python/shop\\.py:${line}\\n$`));
  return request.postDataJSON();
}

test("a click opens a route and a frame of a cause in the server's editor without sending a path", async ({ page, world, errors }) => {
  await page.keyboard.press("3");
  const row = page.getByTestId("route-row").first();
  const sent = await click(page, row.locator(".source-link"), 3);
  expect(sent).toEqual({ route: expect.stringMatching(/^r_/) });
  await expect(page.locator(".expanded-row")).toHaveCount(0);

  await world.get("/boom");
  await page.keyboard.press("4");
  const locations = page.getByTestId("traceback").locator("button.source-link");
  await expect(locations).toHaveCount(3);
  expect(await click(page, locations.nth(1), 11)).toEqual({ error: expect.any(Number), frame: 2 });

  world.edit("shop.py", "def oops(:\n");
  const banner = page.getByTestId("banner").locator(".source-link");
  expect(await click(page, banner, 1)).toEqual({ reload: expect.any(Number), frame: 0 });
  expect(errors).toEqual([]);
});

test("in pages of the app a click opens the line of their error and of a failed save", async ({ page, world }) => {
  await page.goto(`${world.app}boom`);
  const locations = page.getByTestId("traceback").locator("button.source-link");
  expect(await click(page, locations.first(), 8)).toEqual({ request: expect.any(String), frame: 0 });
  world.edit("shop.py", `${SHOP}def oops(:\n`);
  await page.getByRole("button", { name: "The newest save does not load" }).click();
  const place = page.getByRole("dialog").locator("button.source-link");
  expect(await click(page, place, 12)).toEqual({ error: expect.any(Number), frame: 0 });

  await page.context().clearCookies();
  await place.click();
  await expect(page.getByRole("dialog").getByRole("alert")).toContainText("Open the console by the link");
});

test("an error is shown beside a location that the server cannot open", async ({ page, world }) => {
  fs.rmSync(path.join(world.root, "code"));
  await page.keyboard.press("3");
  const row = page.getByTestId("route-row").first();
  await row.locator(".source-link").click();
  await expect(row.getByRole("alert")).toContainText("does not start");
});
