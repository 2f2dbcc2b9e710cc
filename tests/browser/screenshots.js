// Draws the console's pictures for the docs: every tab, light and dark, of a small shop that is edited
// and broken. Run by `just screenshots`; no test.

const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("@playwright/test");
const config = require("./playwright.config");
const { World } = require("./world");

const SHOP = `import logging
from snaxum import Request, route

ITEMS = {1: ("tea", 3.5), 2: ("cake", 4.0)}
log = logging.getLogger("shop")

@route("/items")
def items(request: Request) -> dict:
    """All that there is to buy."""
    return {"items": [name for name, _ in ITEMS.values()]}

@route("/items/<int:id>")
def item(request: Request) -> dict:
    """One item with its price."""
    name, price = ITEMS[request.path_params["id"]]
    print("somebody looks at", name)
    return {"name": name, "price": price}

@route("/average")
def average(request: Request) -> dict:
    """The mean price."""
    prices = [price for _, price in ITEMS.values() if price > 5]
    log.warning("of %d prices", len(prices))
    return {"average": sum(prices) / len(prices)}
`;
const TABS = ["requests", "errors", "routes", "reloads"];

async function main(target) {
  fs.mkdirSync(target, { recursive: true });
  const world = new World({ "shop.py": SHOP });
  const browser = await chromium.launch(config.use.launchOptions);
  try {
    await world.start();
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.goto(world.console);
    const shows = (id, text) => page.getByTestId(id).filter({ hasText: text }).first().waitFor();
    await shows("connection", "live");
    for (const address of ["/items", "/items/1", "/items/2?token=abc", "/items/9", "/average", "/cart"]) await world.get(address);
    world.edit("shop.py", SHOP.replace('@route("/average")', '@route("/mean")'));
    await shows("state", "G2 ok");
    await world.get("/mean");
    world.edit("shop.py", SHOP.replace('return {"items"', 'return {"items'));
    await page.getByTestId("banner").waitFor();
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      for (const tab of TABS) {
        await page.getByTestId(`tab-${tab}`).click();
        if (tab === "requests") {
          await page.getByTestId("request-row").first().click();
          await page.getByTestId("logs").waitFor();
        }
        await page.screenshot({ path: path.join(target, `${tab}-${colorScheme}.png`) });
      }
    }
  } finally {
    await browser.close();
    await world.remove();
  }
}

main(path.resolve(process.argv[2] ?? "../../docs/console"));
