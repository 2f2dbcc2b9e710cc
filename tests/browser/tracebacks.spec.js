// Tracebacks and reloads as a person reads them: in which order, how old, and why a module ran.

const { test, expect } = require("@playwright/test");
const { World, complaintsOf } = require("./world");

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

let world;
let complaints;

test.beforeEach(async ({ page }) => {
  world = new World({ "shop.py": SHOP, "stock.py": STOCK });
  complaints = complaintsOf(page);
  await world.start();
  await world.open(page);
});

test.afterEach(async () => {
  await world.remove();
  expect(complaints).toEqual([]);
});

test("a traceback reads newest first or as Python prints it, and stays so", async ({ page }) => {
  await world.get("/share/tea");
  await world.get("/share/milk");
  await page.keyboard.press("3");
  await page.getByTestId("error-row").filter({ hasText: "ValueError" }).click();
  const exceptions = page.getByTestId("traceback").locator(".exception h3");
  await expect(exceptions).toHaveText([/^ValueError/, /^ZeroDivisionError/]);
  await expect(page.getByText("It was raised because of:")).toBeVisible();
  await page.getByRole("button", { name: "Python's order" }).click();
  await expect(exceptions).toHaveText([/^ZeroDivisionError/, /^ValueError/]);
  await expect(page.getByText("Because of it was raised:")).toBeVisible();

  await page.reload();
  await page.getByTestId("error-row").filter({ hasText: "KeyError" }).click();
  await expect(page.getByTestId("traceback").locator(".where").first()).toContainText("in share");
  await expect(page.getByTestId("traceback").locator(".where").last()).toContainText("in left");
  await page.getByRole("button", { name: "Python's order" }).click();
  await expect(page.getByTestId("traceback").locator(".where").first()).toContainText("in left");
});

test("a frame says that its file has changed since, and no longer when that is taken back", async ({ page }) => {
  await world.get("/share/milk");
  await page.keyboard.press("3");
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
  await expect(page.getByTestId("state")).toContainText("G2 ok");
  await expect(frame("stock.py").getByTestId("source-changed")).toBeVisible();
});

test("a failure is sent again and its request opened from the list of errors", async ({ page }) => {
  await world.get("/share/milk");
  await page.keyboard.press("3");
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

test("a reload says which imports led to a module", async ({ page }) => {
  world.edit("stock.py", STOCK.replace('"tea": 0', '"tea": 4'));
  await expect(page.getByTestId("state")).toContainText("G2 ok");
  await page.keyboard.press("4");
  await page.getByTestId("reload-row").first().click();
  await page.getByRole("button", { name: "Why these?" }).click();
  await expect(page.getByTestId("why").locator("li")).toHaveText([
    /^\s*python\/stock\.py is stock\s*$/,
    /^\s*python\/stock\.py is stock\s+→ imported by shop\s*$/,
  ]);
});

test("an opened reload stays open, with what is open and focused in it, when another comes", async ({ page }) => {
  world.edit("stock.py", STOCK.replace('"tea": 0', '"tea": 3'));
  await expect(page.getByTestId("state")).toContainText("G2 ok");
  await page.keyboard.press("4");
  await page.getByTestId("reload-row").first().click();
  const why = page.getByRole("button", { name: "Why these?" });
  await why.click();
  await expect(page.locator(".why")).toContainText("shop");
  await why.focus();

  world.edit("stock.py", STOCK.replace('"tea": 0', '"tea": 4'));
  await expect(page.getByTestId("reload-row")).toHaveCount(3);
  await expect(page.locator(".why")).toContainText("shop");
  await expect(why).toBeFocused();
});
