// Takes the console's screenshots for the docs: each tab in light and dark, of a small shop whose newest
// save is broken. Not a test; `just screenshots` runs it.

const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("@playwright/test");
const config = require("./playwright.config");
const { World } = require("./world");

const SHOP = `import logging
import threading
import stock
from snaxum import Request, route

closing = threading.Event()

ITEMS = {1: ("tea", 3.5), 2: ("cake", 4.0)}
log = logging.getLogger("shop")

@route("/items")
def items(request: Request) -> dict:
    """All items of the shop."""
    return {"items": [name for name, _ in ITEMS.values()]}

@route("/items/<int:id>")
def item(request: Request) -> dict:
    """One item with its price."""
    name, price = ITEMS[request.path_params["id"]]
    print("showing", name)
    return {"name": name, "price": price}

@route("/average")
def average(request: Request) -> dict:
    """The mean price."""
    prices = [price for _, price in ITEMS.values() if price > 5]
    log.warning("averaging %d prices", len(prices))
    return {"average": sum(prices) / len(prices)}

@route("/sales")
def sales(request: Request) -> list:
    """The sales of each day, by city."""
    cities = ["Graz", "Linz", "Wien"]
    return [
        {"city": cities[n % 3], "day": f"2026-03-{1 + n // 3:02}", "sales": 90 + n * 37 % 101, "price": round(2 + n * 0.37 % 3, 2), "note": "sale" if n % 7 == 0 else None}
        for n in range(60)
    ]

@route("/closing")
def close(request: Request) -> str:
    """Waits until the shop is closed."""
    closing.wait()
    return "closed"

@route("/closed")
def closed(request: Request) -> str:
    """Closes the shop."""
    closing.set()
    return "closed"

@route("/stock", use_process_pool=True)
def count(request: Request, pool) -> dict:
    """Counts the stock in another process."""
    return {"stock": pool.submit(stock.count).result()}
`;
const STOCK = `def count():
    return 42
`;
const TABS = ["requests", "routes", "errors", "reloads", "workers"];

async function main(target) {
  fs.mkdirSync(target, { recursive: true });
  const world = new World({ "shop.py": SHOP, "stock.py": STOCK });
  const browser = await chromium.launch(config.use.launchOptions);
  try {
    await world.start();
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(world.console);
    const shows = (id, text) => page.getByTestId(id).filter({ hasText: text }).first().waitFor();
    await shows("connection", "connected");
    for (const address of ["/items", "/items/9", "/items/1", "/items/2?token=abc", "/average", "/sales", "/cart", "/stock"]) await world.get(address);
    world.edit("shop.py", SHOP.replace('@route("/average")', '@route("/mean")'));
    await shows("state", "version 2 live");
    await world.get("/mean");
    const shoot = async (tab, colorScheme) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.screenshot({ path: path.join(target, `${tab}-${colorScheme}.png`) });
    };
    const SAVED = SHOP.replace('@route("/average")', '@route("/mean")').replace('"price": price}', '"price": round(price * 1.2, 2)}');
    world.edit("shop.py", SAVED);
    await shows("state", "version 3 live");
    await page.getByTestId("tab-now").click();
    await page.getByRole("button", { name: /^Replay the newest request/ }).click();
    await shows("replay-summary", "changed");
    await page.getByRole("button", { name: /changed: / }).first().click();
    await page.getByTestId("comparison-diff").waitFor();
    for (const colorScheme of ["light", "dark"]) await shoot("now", colorScheme);
    await world.get("/items/9");
    world.edit("shop.py", SAVED.replace('return {"items"', 'return {"items'));
    await page.getByTestId("banner").waitFor();
    const closing = world.get("/closing");
    for (const colorScheme of ["light", "dark"]) {
      for (const tab of TABS) {
        await page.getByTestId(`tab-${tab}`).click();
        if (tab === "requests") {
          await page.getByTestId("request-row").first().click();
          await page.getByTestId("traceback").waitFor();
        }
        if (tab === "routes") {
          await page.getByTestId("route-row").filter({ hasText: "/items/<int:id>" }).click();
          await page.getByTestId("route-source").waitFor();
          await page.getByTestId("route-lookup").fill("GET /items/tea");
          await page.getByTestId("route-lookup").press("Enter");
          await shows("route-lookup-result", "Similar routes");
        }
        if (tab === "workers") await shows("dispatch-row", "/closing");
        await shoot(tab, colorScheme);
        if (tab === "requests") {
          await page.getByTestId("request-row").filter({ hasText: "/sales" }).click();
          await page.getByRole("tab", { name: "Response" }).click();
          await page.getByRole("grid").waitFor();
          await shoot("response", colorScheme);
        }
      }
    }
    await world.get("/closed");
    await closing;
  } finally {
    await browser.close();
    await world.remove();
  }
}

main(path.resolve(process.argv[2] ?? "../../docs/console"));
