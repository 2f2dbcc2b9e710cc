// Tracebacks and reloads: the order of frames, changed sources, and why a module ran.

const { openBeforeEach } = require("./requests_page");
const { expect, test } = require("./world");

const STOCK = `LEFT = {"tea": 0}

def left(name):
    return LEFT[name]
`;
const SHOP = `import stock
from snaxum import Request, route

@route("/share/<name>")
def share(request: Request) -> dict:
    try:
        return {"share": 12 / stock.left(request.path_params["name"])}
    except ArithmeticError as error:
        raise ValueError("no share") from error
`;

test.use({ files: { "shop.py": SHOP, "stock.py": STOCK } });

openBeforeEach();

test("a traceback is shown newest first or in Python's order, and the choice is remembered", async ({ page, world }) => {
  await world.get("/share/tea");
  await world.get("/share/milk");
  await page.keyboard.press("4");
  await page.getByTestId("error-row").filter({ hasText: "ValueError" }).click();
  const exceptions = page.getByTestId("traceback").locator(".exception h3");
  await expect(exceptions).toHaveText([/^ValueError/, /^ZeroDivisionError/]);
  await expect(page.getByText("It was caused by:")).toBeVisible();
  await page.getByRole("button", { name: "Python's order" }).click();
  await expect(exceptions).toHaveText([/^ZeroDivisionError/, /^ValueError/]);
  await expect(page.getByText("The above exception was the direct cause of the following exception:", { exact: true })).toBeVisible();

  await page.reload();
  await page.getByTestId("error-row").filter({ hasText: "KeyError" }).click();
  await expect(page.getByTestId("traceback").locator(".location").first()).toContainText("in share");
  await expect(page.getByTestId("traceback").locator(".location").last()).toContainText("in left");
  await page.getByRole("button", { name: "Python's order" }).click();
  await expect(page.getByTestId("traceback").locator(".location").first()).toContainText("in left");
});

test("a frame shows that its file has changed since, unless the change was undone", async ({ page, world }) => {
  await world.get("/share/milk");
  await page.keyboard.press("4");
  const frame = (name) => page.locator(".frame").filter({ hasText: name });
  await expect(frame("stock.py")).toBeVisible();
  await expect(page.getByTestId("source-changed")).toHaveCount(0);

  world.edit("stock.py", `${STOCK}\ndef oops(:\n`);
  await expect(page.getByTestId("banner")).toBeVisible();
  await page.getByTestId("error-row").filter({ hasText: "KeyError" }).click();
  await expect(frame("stock.py").getByTestId("source-changed")).toBeVisible();
  await expect(frame("shop.py").getByTestId("source-changed")).toHaveCount(0);

  world.edit("stock.py", STOCK);
  await expect(page.getByTestId("banner")).toHaveCount(0);
  await expect(page.getByTestId("source-changed")).toHaveCount(0);

  world.edit("stock.py", STOCK.replace('"tea": 0', '"tea": 4'));
  await expect(page.getByTestId("state")).toContainText("version 2 live");
  await expect(frame("stock.py").getByTestId("source-changed")).toBeVisible();
});

test("a failure can be pinned, replayed and opened from the Errors tab", async ({ page, world }) => {
  await world.get("/share/milk");
  await page.keyboard.press("4");
  await page.getByRole("button", { name: "Pin until it passes" }).click();
  await expect(page.getByRole("button", { name: "Unpin" })).toBeVisible();
  await page.getByRole("button", { name: "Replay", exact: true }).click();
  await page.getByRole("tab", { name: "Diff" }).click();
  await expect(page.getByRole("tabpanel", { name: "Diff" })).toContainText("Compared with #1");
  await expect(page.getByTestId("request-row").filter({ hasText: "pinned" })).toHaveCount(1);
  await page.goBack();
  await page.getByRole("link", { name: /^request #/ }).click();
  await expect(page.getByRole("tabpanel", { name: "Error" })).toContainText("KeyError");
});

test("a reload shows why each module ran again", async ({ page, world }) => {
  world.edit("stock.py", STOCK.replace('"tea": 0', '"tea": 4'));
  await expect(page.getByTestId("state")).toContainText("version 2 live");
  await page.keyboard.press("5");
  await page.getByTestId("reload-row").first().click();
  await page.getByRole("button", { name: "Why these modules?" }).click();
  await expect(page.getByTestId("import-paths").locator("li")).toHaveText([
    /^\s*python\/stock\.py is stock\s*$/,
    /^\s*python\/stock\.py is stock\s+→ imported by shop\s*$/,
  ]);
});

test("an open reload preserves its state and focus when another reload is added", async ({ page, world }) => {
  world.edit("stock.py", STOCK.replace('"tea": 0', '"tea": 3'));
  await expect(page.getByTestId("state")).toContainText("version 2 live");
  await page.keyboard.press("5");
  await page.getByTestId("reload-row").first().click();
  const why = page.getByRole("button", { name: "Why these modules?" });
  await why.click();
  await expect(page.locator(".import-paths")).toContainText("shop");
  await why.focus();

  world.edit("stock.py", STOCK.replace('"tea": 0', '"tea": 4'));
  await expect(page.getByTestId("reload-row")).toHaveCount(3);
  await expect(page.locator(".import-paths")).toContainText("shop");
  await expect(why).toBeFocused();
});
