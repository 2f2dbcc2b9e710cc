// The Errors tab: states of errors, steps by key, dependants, and the report for an assistant.

const { openBeforeEach } = require("./requests_page");
const { expect, test } = require("./world");

const APP = `from snaxum import Request, route

@route("/ok")
def ok(request: Request) -> dict:
    return {}

@route("/share/<int:count>")
def share(request: Request) -> dict:
    count = request.path_params["count"]
    try:
        return {"share": 12 / count}
    except ArithmeticError as error:
        raise ValueError("no share") from error

@route("/find/<name>")
def find(request: Request) -> dict:
    return {"tea": 1}[request.path_params["name"]]
`;

test.use({ files: { "app.py": APP } });

openBeforeEach();

test("an error stays under traffic, is mended by a save, and comes back", async ({ page, world }) => {
  await world.get("/find/milk");
  await page.keyboard.press("4");
  const row = page.getByTestId("error-row").filter({ hasText: "KeyError" });
  await expect(row).toContainText("● open");
  await expect(row).toContainText("python/app.py:17 in find");

  for (let count = 0; count < 520; count += 1) await world.get("/ok");
  await page.reload();
  await expect(row).toContainText("● open");
  await expect(page.getByTestId("traceback")).toContainText('return {"tea": 1}');
  await expect(page.getByRole("button", { name: "Copy for an assistant" })).toBeVisible();

  world.replace("app.py", '{"tea": 1}[', '{"tea": 1, "milk": 2}[');
  await expect(row).toContainText("changed by save #2, not tried since");
  await world.get("/find/milk");
  await expect(row).toContainText("✓ mended by save #2");
  await expect(page.getByTestId("tab-errors")).toContainText("0");
  await world.get("/find/salt");
  await expect(row).toContainText("↺ came back");
});

test("n and p show the next and the previous error, and a new failing save replaces the choice", async ({ page, world }) => {
  await world.get("/find/milk");
  await world.get("/share/0");
  await page.keyboard.press("4");
  const title = page.getByTestId("traceback").locator("h3").first();
  await expect(title).toContainText("ValueError");
  await page.keyboard.press("n");
  await expect(title).toContainText("KeyError");
  await page.keyboard.press("n");
  await expect(title).toContainText("ValueError");
  await page.keyboard.press("p");
  await expect(title).toContainText("KeyError");
  await expect(page).toHaveURL(/#errors\?open=1/);

  world.edit("app.py", `${APP}def oops(:\n`);
  await expect(title).toContainText("SyntaxError");
  await expect(page).not.toHaveURL(/open=/);
});

test("a missing package is one error with the modules that do not load", async ({ page, world }) => {
  world.edit("charts.py", "import no_such_package\n");
  world.edit("pages.py", "import charts\nimport no_such_package\n");
  await page.keyboard.press("4");
  await expect(page.getByTestId("error-row")).toHaveCount(1);
  await expect(page.getByTestId("dependants")).toContainText("charts");
});

test("source is colored, and the report for an assistant names a direct cause", async ({ page, context, world }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await world.get("/share/0");
  await page.keyboard.press("4");
  const traceback = page.getByTestId("traceback");
  await expect(traceback.locator(".py-keyword").filter({ hasText: "raise" }).first()).toBeVisible();
  await expect(traceback.locator(".py-string").filter({ hasText: '"share"' }).first()).toBeVisible();
  await expect(traceback.locator(".failing mark").first()).toHaveText('raise ValueError("no share") from error');
  await page.getByRole("button", { name: "Copy for an assistant" }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  const report = await page.evaluate(() => navigator.clipboard.readText());
  expect(report).toContain("## Caused by");
  expect(report).not.toContain("## While handling");
});

test("r replays the newest request of an error, c copies it, and e opens its line", async ({ page, context, world }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  // A link of another program leaves no trace in the browser, so the click is what can be seen.
  await page.evaluate(() => {
    window.opened = [];
    HTMLAnchorElement.prototype.click = function () {
      window.opened.push(this.href);
    };
  });
  await world.get("/find/milk");
  await page.keyboard.press("4");
  await expect(page.getByTestId("traceback")).toContainText("KeyError");
  await page.keyboard.press("r");
  await expect(page.getByTestId("notice")).toContainText("Replayed as #2: 500");
  await expect(page.getByTestId("error-row").locator(".c-count")).toHaveText("2");
  await expect(page.getByRole("link", { name: "request #2" })).toBeVisible();
  await page.keyboard.press("c");
  await expect(page.getByTestId("notice")).toContainText("Copied #2 as cURL");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toMatch(/^curl .*\/find\/milk'$/);
  await page.keyboard.press("e");
  await expect.poll(() => page.evaluate(() => window.opened)).toEqual([expect.stringMatching(/python\/app\.py:17/)]);

  world.edit("app.py", `${APP}def oops(:\n`);
  await expect(page.getByTestId("traceback")).toContainText("SyntaxError");
  await page.keyboard.press("c");
  await expect(page.getByTestId("notice")).toContainText("Copied the traceback");
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("def oops(:");
  await page.keyboard.press("r");
  await expect(page.getByTestId("notice")).toContainText("No request failed because of this error");
  await page.getByRole("link", { name: "See save #2" }).click();
  await expect(page.locator("tr.expanded-row")).toContainText("SyntaxError");
});
