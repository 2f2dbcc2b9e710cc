// The Now tab and the line of the newest save: what a save changed, reached and broke.

const { expect, test } = require("./world");

const PRICES = `TAX = 0.2

def total(prices):
    return sum(prices)
`;
const SHOP = `import prices
from snaxum import Request, route

@route("/total")
def total(request: Request) -> dict:
    return {"total": prices.total([1, 2])}

@route("/hello")
def hello(request: Request) -> dict:
    return {"hello": "you"}

@route("/orders", methods=["POST"])
def order(request: Request) -> dict:
    return {"ordered": prices.total([3])}
`;
const OTHER = `from snaxum import route

@route("/other")
def other(request):
    return "other"
`;

test.use({ files: { "prices.py": PRICES, "shop.py": SHOP, "other.py": OTHER } });

test.beforeEach(async ({ world }) => {
  await world.start();
});

test("the console opens on the newest save: its line, its diff, the changed function and the affected routes", async ({ page, world, errors }) => {
  await page.goto(world.console);
  await expect(page.getByRole("heading", { name: "No save yet" })).toBeVisible();
  await world.get("/hello");
  await expect(page.getByRole("link", { name: "1 request" })).toBeVisible();
  await expect(page.getByTestId("tab-now")).toHaveAttribute("aria-current", "page");

  world.edit("prices.py", PRICES.replace("sum(prices)", "sum(prices) * 2"));
  const line = page.getByTestId("save-row");
  await expect(line).toHaveCount(1);
  await expect(line).toHaveText(/prices\.py saved .* · live in \d.* · 2 modules re-ran · 3 routes affected$/);
  await expect(page.locator(".removed-line")).toHaveText(/return sum\(prices\)$/);
  await expect(page.locator(".added-line")).toHaveText(/return sum\(prices\) \* 2$/);
  await expect(page.getByTestId("changed-functions")).toContainText("total");
  await expect(page.getByTestId("affected-row")).toHaveCount(3);
  await expect(page.getByTestId("affected-routes")).not.toContainText("/other");
  // Their modules import the changed function; which of them call it is not known.
  await expect(page.getByTestId("helpers")).toHaveText(Array(3).fill("may use prices.total"));
  expect(errors).toEqual([]);
});

test("one click shows why each module of a save re-ran", async ({ page, world, errors }) => {
  await world.open(page, "now");
  world.edit("prices.py", PRICES.replace("0.2", "0.3"));
  await page.getByRole("button", { name: "Why 2 modules re-ran" }).click();
  const paths = page.getByTestId("import-paths").getByRole("listitem");
  await expect(paths.first()).toHaveText(/python\/prices\.py\s+is\s+prices$/);
  await expect(paths.nth(1)).toHaveText(/python\/prices\.py\s+is\s+prices\s+→ imported by\s+shop$/);
  expect(errors).toEqual([]);
});

test("one click replays the newest request of each affected route and shows which responses changed", async ({ page, world, errors }) => {
  for (const address of ["/hello", "/total"]) expect((await world.get(address)).status).toBe(200);
  await fetch(new URL("/orders", world.app), { method: "POST" });
  await world.open(page, "now");
  world.edit("prices.py", PRICES.replace("sum(prices)", "sum(prices) * 2"));
  await expect(page.getByTestId("affected-row")).toHaveCount(3);

  await page.getByRole("button", { name: "Replay the newest request of 2 routes" }).click();
  await expect(page.getByTestId("replay-summary")).toHaveText("1 same · 1 changed");
  const row = (text) => page.getByTestId("affected-row").filter({ hasText: text });
  await expect(row("/hello")).toContainText("✔ same");
  await expect(row("/total")).toContainText("changed: 2 lines");
  await expect(row("/orders")).toContainText("not sent again");
  await row("/total").getByRole("button", { name: "changed: 2 lines" }).click();
  await expect(page.getByTestId("comparison-diff")).toContainText('- {"total":3}');
  await expect(page.getByTestId("comparison-diff")).toContainText('+ {"total":6}');

  // A request that may change something is sent only if the user asks for that.
  await page.getByRole("checkbox", { name: /also POST/ }).check();
  await page.getByRole("button", { name: "Replay the newest request of 3 routes" }).click();
  await expect(page.getByTestId("replay-summary")).toHaveText("1 same · 2 changed");
  expect(errors).toEqual([]);
});

test("a route that fails since the save is counted in the line, on every tab, and mended by the next", async ({ page, world, errors }) => {
  await world.get("/total");
  await world.open(page);
  world.edit("prices.py", PRICES.replace("sum(prices)", "sum(prices) / 0"));
  const bar = page.getByTestId("save-bar");
  await expect(bar).toContainText("3 routes affected");
  await expect(bar).not.toContainText("newly failing");
  await world.get("/total");
  await expect(bar).toContainText("1 newly failing");

  await page.keyboard.press("1");
  await expect(page.getByTestId("affected-row").first()).toContainText("✖ newly failing");
  world.edit("prices.py", PRICES);
  await expect(page.getByTestId("save-row")).toHaveCount(2);
  await world.get("/total");
  await expect(page.getByTestId("affected-row").filter({ hasText: "/total" })).toContainText("✔ mended");
  await expect(bar).toHaveCount(0); // the first row has the same line
  await page.keyboard.press("2");
  await expect(bar).toContainText("3 routes affected");
  await expect(bar).not.toContainText("newly failing");
  expect(errors).toEqual([]);
});

test("a response that becomes a 404 is newly failing, another path that has none is not", async ({ page, world, errors }) => {
  const found = (condition) => `from snaxum import HTTPError, Request, route

@route("/find/<name>")
def find(request: Request) -> dict:
    if ${condition}:
        raise HTTPError(404, "not here")
    return {}
`;
  world.edit("other.py", found('request.path_params["name"] == "salt"'));
  world.snaxum("wait");
  await world.get("/find/tea");
  await world.open(page, "now");
  world.edit("other.py", found('request.path_params["name"] != "tea"'));
  await expect(page.getByTestId("save-row")).toHaveCount(2);
  await world.get("/find/salt");
  const row = page.getByTestId("affected-row").filter({ hasText: "/find" });
  await expect(row).toContainText("404");
  await expect(row).not.toContainText("newly failing");

  world.edit("other.py", found("True"));
  await expect(page.getByTestId("save-row")).toHaveCount(3);
  await world.get("/find/tea");
  await expect(row).toContainText("✖ newly failing");
  await expect(page.getByTestId("newly-failing")).toHaveText("1 newly failing");
  world.edit("other.py", found("False"));
  await expect(page.getByTestId("save-row")).toHaveCount(4);
  await world.get("/find/tea");
  await expect(row).toContainText("✔ mended");
  expect(errors).toEqual([]);
});

test("a comparison of responses is still there after another tab was shown", async ({ page, world, errors }) => {
  await world.get("/total");
  await world.open(page, "now");
  world.edit("prices.py", PRICES.replace("sum(prices)", "sum(prices) * 2"));
  await page.getByRole("button", { name: "Replay the newest request of 1 route" }).click();
  await expect(page.getByTestId("replay-summary")).toHaveText("0 same · 1 changed");
  await page.keyboard.press("3");
  await expect(page.getByTestId("route-row").first()).toBeVisible();
  await page.keyboard.press("1");
  await expect(page.getByTestId("replay-summary")).toHaveText("0 same · 1 changed");
  await page.getByTestId("affected-row").filter({ hasText: "/total" }).getByRole("button", { name: "changed: 2 lines" }).click();
  await expect(page.getByTestId("comparison-diff")).toContainText('+ {"total":6}');
  expect(errors).toEqual([]);
});

test("a save that does not load replaces an older choice, and shows its error and its lines", async ({ page, world, errors }) => {
  await world.open(page, "now");
  const rows = page.getByTestId("save-row");
  for (const [index, factor] of ["2", "3"].entries()) {
    world.edit("prices.py", PRICES.replace("sum(prices)", `sum(prices) * ${factor}`));
    await expect(rows).toHaveCount(index + 1);
  }
  await rows.nth(1).click();
  await expect(page.locator(".added-line")).toHaveText(/return sum\(prices\) \* 2$/);

  world.edit("prices.py", PRICES.replace("sum(prices)", "sum(prices"));
  await expect(rows).toHaveCount(3);
  await expect(rows.first()).toHaveAttribute("aria-current", "true");
  await expect(rows.first()).toContainText("not live: SyntaxError");
  await expect(rows.first()).toContainText("version 3 is still live");
  await expect(page.getByTestId("traceback")).toContainText("SyntaxError");
  await expect(page.locator(".removed-line")).toHaveText(/return sum\(prices\) \* 3$/);
  expect(errors).toEqual([]);
});

test("an error that was chosen does not stay open beside a new save that does not load", async ({ page, world, errors }) => {
  world.edit("shop.py", `${SHOP}\n@route("/boom")\ndef boom(request):\n    raise ValueError("boom")\n`);
  await world.open(page, "errors");
  await expect(page.getByTestId("state")).toContainText("version 2 live");
  await world.get("/boom");
  await page.getByTestId("error-row").first().click();
  await expect(page.getByTestId("traceback")).toContainText("ValueError");

  world.edit("prices.py", "def oops(:\n");
  await expect(page.getByTestId("traceback")).toContainText("SyntaxError");
  await expect(page.getByTestId("traceback")).not.toContainText("ValueError");
  expect(errors).toEqual([]);
});

test("only lines that moved, a new file and a deleted one are named as that", async ({ page, world, errors }) => {
  await world.open(page, "now");
  world.edit("prices.py", `# a comment\n${PRICES}`);
  const newest = page.getByTestId("save-row").first();
  await expect(newest).toContainText("nothing to run: only comments, blank lines or layout changed");
  await expect(page.locator(".added-line")).toHaveText(/# a comment$/);

  world.edit("more.py", OTHER.replaceAll("other", "more"));
  await expect(newest).toContainText("more.py");
  await expect(page.getByTestId("file-changes")).toContainText("new file");
  await expect(page.getByTestId("affected-row")).toHaveText(/GET \/more/);
  expect(errors).toEqual([]);
});

test("the icon and the title of the browser's tab show the state", async ({ page, world, errors }) => {
  await world.open(page, "now");
  const icon = () => page.locator('link[rel="icon"]').getAttribute("href");
  await expect(page).toHaveTitle("● version 1 live · Snaxum console");
  const good = await icon();
  expect(decodeURIComponent(good)).toContain("<svg");

  world.edit("prices.py", "def oops(:\n");
  await expect(page).toHaveTitle("▲ save not live · Snaxum console");
  expect(await icon()).not.toBe(good);
  world.edit("prices.py", PRICES.replace("0.2", "0.3"));
  await expect(page).toHaveTitle("● version 2 live · Snaxum console");
  expect(await icon()).toBe(good);
  expect(errors).toEqual([]);
});

test("a hidden page notifies of a save that is not live, once the user has asked for it", async ({ page, context, world, errors }) => {
  await context.grantPermissions(["notifications"], { origin: new URL(world.app).origin });
  await page.addInitScript(() => {
    window.shown = [];
    window.isHidden = false;
    Object.defineProperty(document, "hidden", { get: () => window.isHidden });
    window.Notification = class {
      static permission = "granted";
      static requestPermission = async () => "granted";
      constructor(title, { body }) {
        window.shown.push(`${title}: ${body}`);
      }
    };
  });
  await world.open(page, "now");
  const breakIt = async (text) => {
    world.edit("prices.py", text);
    await expect(page.getByTestId("banner")).toBeVisible();
    world.edit("prices.py", PRICES);
    await expect(page.getByTestId("banner")).toHaveCount(0);
  };
  const setHidden = (isHidden) => page.evaluate((isHidden) => void (window.isHidden = isHidden), isHidden);
  await setHidden(true);
  await breakIt("def a(:\n");
  expect(await page.evaluate(() => window.shown)).toEqual([]);

  await page.getByTestId("notify").check();
  await breakIt("def b(:\n");
  await setHidden(false);
  await breakIt("def c(:\n");
  const shown = await page.evaluate(() => window.shown);
  expect(shown).toHaveLength(1);
  expect(shown[0]).toMatch(/^python\/prices\.py is not live: SyntaxError/);
  expect(errors).toEqual([]);
});

test("a hidden page follows saves in its title, and is drawn soon after it is shown again", async ({ page, world, errors }) => {
  // A browser gives a hidden page no frames until it is shown, here ten minutes later.
  await page.addInitScript(() => {
    const [request, now] = [requestAnimationFrame, performance.now.bind(performance)];
    const waiting = [];
    window.isHidden = false;
    Object.defineProperty(document, "hidden", { get: () => window.isHidden });
    window.requestAnimationFrame = (run) => (window.isHidden ? waiting.push(run) : request(run));
    window.setHidden = (isHidden) => {
      if (!isHidden) performance.now = () => now() + 600_000;
      window.isHidden = isHidden;
      document.dispatchEvent(new Event("visibilitychange"));
      if (!isHidden) for (const run of waiting.splice(0)) request(run);
    };
  });
  await world.open(page, "now");
  await page.evaluate(() => window.setHidden(true));
  world.edit("prices.py", "def oops(:\n");
  await expect(page).toHaveTitle("▲ save not live · Snaxum console");
  await expect(page.getByTestId("save-row")).toHaveCount(1);
  await page.evaluate(() => window.setHidden(false));
  // The page fetches the changes of the save once it is shown.
  await expect(page.getByTestId("file-changes")).toContainText("def oops(:");
  world.edit("prices.py", PRICES.replace("0.2", "0.3"));
  await expect(page).toHaveTitle("● version 2 live · Snaxum console");
  expect(errors).toEqual([]);
});

test("a save that reaches many routes shows the first ones, and all on demand", async ({ page, world, errors }) => {
  const routes = Array.from({ length: 80 }, (_, index) => `@route("/many/${index}")\ndef many${index}(request):\n    return prices.TAX\n`);
  world.edit("many.py", `import prices\nfrom snaxum import route\n\n${routes.join("\n")}`);
  await world.open(page, "now");
  await expect(page.getByTestId("save-row")).toHaveCount(1);
  world.edit("prices.py", PRICES.replace("0.2", "0.3"));
  await expect(page.getByTestId("save-row").first()).toContainText("83 routes affected");
  await expect(page.getByTestId("affected-row")).toHaveCount(60);
  await page.getByRole("button", { name: "Show all 83 routes" }).click();
  await expect(page.getByTestId("affected-row")).toHaveCount(83);
  expect(errors).toEqual([]);
});

test("markup and characters that reorder text are shown as they are in the lines of a save", async ({ page, world, errors }) => {
  await world.open(page, "now");
  world.edit("prices.py", `${PRICES}\nNOTE = "<img src=x onerror=alert(1)>\u202e"\n`);
  await expect(page.locator(".added-line").last()).toContainText('NOTE = "<img src=x onerror=alert(1)>\\u202e"');
  await expect(page.locator("img")).toHaveCount(0);
  expect(errors).toEqual([]);
});
