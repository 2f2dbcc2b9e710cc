// Ten tasks of a user, each from the first page of the console, with the clicks and keys that it takes.
//
// The page itself counts them. Text that is typed into a field counts as no key.

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { row } = require("./requests_page");
const { expect, test } = require("./world");

const PRICES = `TAX = 0.2

def with_tax(price):
    return round(price * (1 + TAX), 2)
`;
const SHOP = `import prices
import struct
import time
import zlib
from snaxum import Request, Response, get, post

ITEMS = {"tea": 3.5, "cake": 4.0}

@get("/items/<name>")
def item(name: str) -> dict:
    return {"name": name, "price": prices.with_tax(ITEMS[name])}

@post("/orders")
def order(request: Request) -> dict:
    lines = request.body["lines"]
    for line in lines:
        print("bought", line["name"])
    if request.headers.get("authorization") != "Bearer t0ps3cret":
        raise PermissionError("no token")
    return {"total": sum(prices.with_tax(ITEMS[line["name"]]) * line["count"] for line in lines)}

@get("/average")
def average() -> dict:
    dear = [price for price in ITEMS.values() if price > 5]
    return {"average": sum(dear) / len(dear)}

def simulate(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass

@get("/report")
def report() -> dict:
    simulate(0.3)
    return {}

@get("/plot")
def plot() -> Response:
    part = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\\0" + b"\\x20\\x60\\xd0" * 40 for _ in range(30))
    png = part(b"IHDR", struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 0)) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
    return Response(b"\\x89PNG\\r\\n\\x1a\\n" + png, content_type="image/png")

@get("/sales")
def sales() -> list:
    return [{"city": city, "sales": 90 + n * 37 % 101} for n, city in enumerate(["Graz", "Linz", "Wien"] * 10)]
`;
const ORDER = { lines: [{ name: "tea", count: 2 }] };

let opened;

test.use({ files: { "shop.py": SHOP, "prices.py": PRICES } });

// A project in use: requests of every kind, then a save, then the console as its link opens it.
test.beforeEach(async ({ page, world, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  opened = path.join(world.root, "opened");
  const program = path.join(world.root, "code");
  fs.writeFileSync(program, `#!/bin/sh\necho "$@" >> '${opened}'\n`, { mode: 0o755 });
  await world.start(0, ["--editor", program]);
  for (const address of ["/items/cake", "/average", "/report", "/plot", "/sales"]) await (await world.get(address)).arrayBuffer();
  const headers = { "content-type": "application/json", authorization: "Bearer t0ps3cret" };
  const response = await fetch(new URL("/orders", world.app), { method: "POST", headers, body: JSON.stringify(ORDER) });
  expect(await response.json()).toEqual({ total: 8.4 });
  await page.goto(world.console);
  await expect(page.getByTestId("tab-requests")).toContainText("6");
  world.edit("prices.py", PRICES.replace("0.2", "0.1"));
  await expect(page.getByTestId("save-row")).toHaveCount(1);
  await page.evaluate(() => {
    window.hands = { clicks: 0, keys: 0 };
    // A key on a button is a click without a detail.
    addEventListener("click", ({ isTrusted, detail }) => void (isTrusted && detail && (window.hands.clicks += 1)), true);
    addEventListener("keydown", ({ key }) => void (["Control", "Shift"].includes(key) || (window.hands.keys += 1)), true);
  });
});

test.afterEach(({ errors }) => {
  expect(errors).toEqual([]);
});

const tab = (page, name) => page.getByTestId(`tab-${name}`);
const lineOf = (text) => SHOP.split("\n").findIndex((line) => line.includes(text)) + 1;
const hands = (page) => page.evaluate(() => window.hands);

test("find the handler of a path", async ({ page }) => {
  await tab(page, "routes").click();
  await page.getByTestId("route-lookup").click();
  await page.keyboard.insertText("/items/milk");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("route-lookup-result")).toContainText("shop.item");
  await expect(page.getByTestId("route-lookup-result")).toContainText(/name = .?milk/);
  expect(await hands(page)).toEqual({ clicks: 2, keys: 1 });
});

test("see why a request was slow, inside its handler too", async ({ page }) => {
  await tab(page, "requests").click();
  await row(page, "/report").click();
  await page.getByRole("tab", { name: "Profile" }).click();
  const hot = page.getByTestId("heat").filter({ hasText: "def simulate(seconds):" }).locator(".heat-4");
  await expect(hot.first()).toContainText(/\d m?s/);
  expect(await hands(page)).toEqual({ clicks: 3, keys: 0 });
});

test("replay a request with a changed body", async ({ page }) => {
  await tab(page, "requests").click();
  await row(page, "/orders").click();
  await page.getByRole("button", { name: "Edit and replay" }).click();
  await expect(page.getByLabel("Body")).toBeFocused();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText('{"lines": [{"name": "cake", "count": 10}]}');
  await page.keyboard.press("Control+Enter");
  await expect(row(page, "/orders")).toHaveCount(2);
  await expect(page.getByRole("tabpanel", { name: "Response" })).toContainText("total: 44");
  expect(await hands(page)).toEqual({ clicks: 3, keys: 2 });
});

test("see the value of a local", async ({ page }) => {
  await tab(page, "errors").click();
  await expect(page.getByTestId("traceback").getByRole("row", { name: "dear []" })).toBeInViewport();
  expect(await hands(page)).toEqual({ clicks: 1, keys: 0 });
});

test("see the plot that a handler returned", async ({ page }) => {
  await tab(page, "requests").click();
  await row(page, "/plot").click();
  await expect(page.getByTestId("picture")).toHaveJSProperty("naturalWidth", 40);
  await expect(page.getByTestId("picture")).toBeInViewport();
  expect(await hands(page)).toEqual({ clicks: 2, keys: 0 });
});

test("see the records that a handler returned as a table", async ({ page }) => {
  await tab(page, "requests").click();
  await row(page, "/sales").click();
  await expect(page.getByRole("grid").getByRole("gridcell", { name: "Linz" }).first()).toBeInViewport();
  expect(await hands(page)).toEqual({ clicks: 2, keys: 0 });
});

test("copy a curl command that works", async ({ page }) => {
  await tab(page, "requests").click();
  await row(page, "/orders").click();
  await page.getByRole("button", { name: "Copy as cURL with secrets" }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  expect(execFileSync("sh", ["-c", command], { encoding: "utf8" })).toContain('{"total":7.7}');
  expect(await hands(page)).toEqual({ clicks: 3, keys: 0 });
});

test("open the code of a request, and the line that failed, in the editor", async ({ page, world }) => {
  const lines = () => (fs.existsSync(opened) ? fs.readFileSync(opened, "utf8") : "");
  await tab(page, "requests").click();
  await row(page, "/sales").click();
  await page.getByTestId("request-details").getByRole("button", { name: /shop\.py:/ }).click();
  await expect.poll(lines).toMatch(new RegExp(`--goto \\S+/python/shop\\.py:${lineOf('@get("/sales")')}\n$`));
  expect(await hands(page)).toEqual({ clicks: 3, keys: 0 });

  await page.goto(`${world.console}#now`);
  await tab(page, "errors").click();
  await page.getByTestId("traceback").getByRole("button", { name: /shop\.py:/ }).click();
  await expect.poll(lines).toMatch(new RegExp(`/python/shop\\.py:${lineOf("sum(dear) / len(dear)")}\n$`));
});

test("find what printed a line", async ({ page }) => {
  await tab(page, "logs").click();
  await page.getByTestId("filter").click();
  await page.keyboard.insertText("bought");
  await expect(page.getByTestId("log-entry")).toHaveCount(1);
  await expect(page.getByTestId("log-entry")).toContainText(new RegExp(`bought tea.*shop\\.py:${lineOf('print("bought"')}.*request #6`, "s"));
  expect(await hands(page)).toEqual({ clicks: 2, keys: 0 });
});

test("see what a save ran again, and why", async ({ page }) => {
  await page.getByRole("button", { name: "Why 2 modules re-ran" }).click();
  await expect(page.getByTestId("import-paths").getByRole("listitem").nth(1)).toHaveText(/prices\.py\s+is\s+prices\s+→ imported by\s+shop$/);
  expect(await hands(page)).toEqual({ clicks: 1, keys: 0 });
});
