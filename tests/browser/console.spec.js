// The console as a person meets it: opened by the printed link, watched while files change.

const fs = require("node:fs");
const path = require("node:path");
const { test, expect } = require("@playwright/test");
const { World, complaintsOf } = require("./world");

const HELLO = `from snaxum import Request, route

@route("/hello")
def hello(request: Request) -> dict:
    return {"message": "v1"}

@route("/boom")
def boom(request: Request) -> dict:
    password = "hunter2"
    items = []
    return {"first": items[0]}
`;

let world;
let complaints;

test.beforeEach(async ({ page }) => {
  world = new World({ "app.py": HELLO });
  complaints = complaintsOf(page);
  await world.start();
});

test.afterEach(async () => {
  await world.remove();
});

test("the printed link opens the console and leaves no token in the address", async ({ page }) => {
  await world.open(page);

  expect(page.url()).toBe(`${world.app}__snaxum/`);
  expect(await page.content()).not.toContain(new URL(world.console).searchParams.get("t"));
  await expect(page.getByTestId("state")).toContainText("G1 ok");
  expect(complaints).toEqual([]);
});

test("a pause is shown as long as it lasts", async ({ page }) => {
  await world.open(page);
  world.snaxum("pause");
  await expect(page.getByTestId("paused")).toBeVisible();
  world.snaxum("resume");
  await expect(page.getByTestId("paused")).toHaveCount(0);
  expect(complaints).toEqual([]);
});

test("reloading is paused, resumed and asked for by a click", async ({ page }) => {
  await world.open(page);
  await page.getByRole("button", { name: "Reload now" }).click();
  await expect(page.getByTestId("by-hand")).toHaveText("nothing to reload");

  await page.getByRole("button", { name: "Pause reloading" }).click();
  await expect(page.getByTestId("paused")).toBeVisible();
  world.edit("app.py", HELLO.replace("v1", "v2"));
  await page.getByRole("button", { name: "Reload now" }).click();
  await expect(page.getByTestId("by-hand")).toHaveText("reloaded: G2");
  expect(await (await world.get("/hello")).json()).toEqual({ message: "v2" });

  await page.getByRole("button", { name: "Resume reloading" }).click();
  await expect(page.getByTestId("paused")).toHaveCount(0);
  expect(complaints).toEqual([]);
});

test("a request, a reload, a broken save and its repair appear by themselves", async ({ page }) => {
  await world.open(page);

  await world.get("/hello");
  await expect(page.getByTestId("request-row").first()).toContainText("/hello");

  world.edit("app.py", HELLO.replace("v1", "v2"));
  await expect(page.getByTestId("state")).toContainText("G2 ok");
  expect(await (await world.get("/hello")).json()).toEqual({ message: "v2" });

  world.edit("app.py", "def oops(:\n");
  await expect(page.getByTestId("banner")).toContainText("SyntaxError");
  await expect(page.getByTestId("banner")).toContainText("python/app.py:1");
  await expect(page.getByTestId("state")).toContainText("serving G2");
  expect(await (await world.get("/hello")).json()).toEqual({ message: "v2" });

  world.edit("app.py", `${HELLO.replace("v1", "v3")}\nprint("v3 loads")\n`);
  await expect(page.getByTestId("state")).toContainText("G3 ok");
  await expect(page.getByTestId("banner")).toHaveCount(0);
  await page.getByTestId("tab-reloads").click();
  await expect(page.getByTestId("reload-row")).toHaveCount(4);
  await page.getByTestId("reload-row").first().click();
  await expect(page.getByTestId("logs")).toContainText("v3 loads");
  expect(complaints).toEqual([]);
});

test("a module that does not load at the start is told of, while the others serve", async ({ page }) => {
  await world.stop();
  world.edit("broken.py", "import no_such_module\n");
  await world.start();
  await world.open(page);

  await expect(page.getByTestId("banner")).toContainText("no_such_module");
  await page.getByTestId("tab-errors").click();
  await expect(page.getByTestId("traceback").first()).toContainText("ModuleNotFoundError");
  expect((await world.get("/hello")).status).toBe(200);

  world.edit("broken.py", "");
  await expect(page.getByTestId("banner")).toHaveCount(0);
  expect(complaints).toEqual([]);
});

test("the routes are listed with handler, mode and place, and follow a save", async ({ page }) => {
  await world.open(page);
  await page.getByTestId("tab-routes").click();
  const rows = page.getByTestId("route-row");
  await expect(rows).toHaveCount(2);
  await expect(rows.filter({ hasText: "/hello" })).toContainText("app.hello");
  await expect(rows.filter({ hasText: "/hello" })).toContainText("python/app.py:");

  world.edit("app.py", `${HELLO}\n@route("/added")\ndef added(request: Request) -> dict:\n    return {}\n`);

  await expect(rows.filter({ hasText: "/added" })).toContainText("new");
  expect(complaints).toEqual([]);
});

test("a failing request shows its traceback with masked locals", async ({ page }) => {
  await world.open(page);
  await world.get("/boom");
  await page.getByTestId("tab-errors").click();

  const traceback = page.getByTestId("traceback").first();
  await expect(traceback).toContainText("IndexError");
  await expect(traceback).toContainText("return {\"first\": items[0]}");
  await expect(traceback).toContainText("••••");
  await expect(traceback).not.toContainText("'hunter2'");
  expect(complaints).toEqual([]);
});

test("a failing request is copied as a command and as a report, secrets masked", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  world.edit("app.py", HELLO.replace("items = []", 'items = []\n    print("about to ``` fail")'));
  await world.open(page);
  await expect(page.getByTestId("state")).toContainText("G2 ok");
  await world.get("/boom?token=abc&plain=1", { "x-note": "it's" });
  await page.getByTestId("request-row").first().click();
  await page.getByRole("tab", { name: "Logs" }).click();
  await expect(page.getByTestId("logs")).toBeVisible();
  await expect(page.getByTestId("logs")).toContainText("about to ``` fail");

  await page.getByRole("button", { name: "Copy as cURL" }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  expect(await copied()).toContain(`'${world.app}boom?token=••••&plain=1'`);
  expect(await copied()).toContain(`-H 'x-note: it'\\''s'`);

  await page.getByRole("button", { name: "Copy for an assistant" }).click();
  await expect.poll(copied).toContain("# 500 of a request");
  const report = await copied();
  expect(report).toContain("IndexError: list index out of range");
  expect(report).toContain("````text\n");
  expect(report).toContain("no instruction");
  expect(report).not.toContain("'hunter2'");
  expect(complaints).toEqual([]);
});

test("a copied link opens exactly its request, and none of a later process", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await world.open(page);
  for (const address of ["/hello", "/boom", "/hello"]) await world.get(address);
  await page.getByTestId("request-row").filter({ hasText: "/boom" }).click();
  await page.getByRole("button", { name: "Copy link" }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  expect(link).toMatch(new RegExp(`^${world.app}__snaxum/#requests\\?open=2&run=`));
  expect(link).not.toContain(new URL(world.console).searchParams.get("t"));

  await page.goto("about:blank");
  await page.goto(link);
  await expect(page.getByTestId("traceback")).toBeVisible();
  await expect(page.getByTestId("traceback")).toContainText("IndexError");

  await page.goto("about:blank");
  await page.goto(link.replace(/run=.*/, "run=another"));
  await expect(page.getByTestId("other-run")).toContainText("#2");
  await page.getByRole("button", { name: "Show its requests" }).click();
  await expect(page.getByTestId("request-row")).toHaveCount(3);
  expect(complaints).toEqual([]);
});

test("a server that answers no ping is gone, and connected to anew", async ({ page }) => {
  // The test says when the page looks whether the server is there.
  await page.addInitScript(() => {
    const every = window.setInterval;
    window.setInterval = (run, ms, ...rest) => (ms === 15_000 ? (window.beat = run) && 0 : every(run, ms, ...rest));
  });
  let connections = 0;
  let reaches = true;
  await page.routeWebSocket(/\/__snaxum\/ws/, (channel) => {
    connections += 1;
    const isFirst = connections === 1;
    const passes = () => reaches || !isFirst;
    const server = channel.connectToServer();
    channel.onMessage((message) => passes() && server.send(message));
    server.onMessage((message) => passes() && channel.send(message));
  });
  await world.open(page);
  const beat = () => page.evaluate(() => window.beat());
  // The page reads the answer, whatever else it is told.
  const isAnswered = page.waitForEvent("console", (message) => message.text() === "pong");
  await page.evaluate(() => {
    const parse = JSON.parse;
    JSON.parse = (text) => (text.includes('"pong"') && console.log("pong"), parse(text));
  });
  await beat();
  await isAnswered;
  reaches = false;
  await beat();
  expect(connections).toBe(1);
  await expect.poll(async () => (await beat(), connections)).toBe(2);
  await expect(page.getByTestId("connection")).toContainText("live");
});

test("the console reconnects by itself when the server comes back", async ({ page }) => {
  await world.open(page);
  await world.stop();
  await expect(page.getByTestId("connection")).not.toContainText("live");

  // Another process has another token: the page says so instead of trying for ever.
  await world.start(world.port);
  await expect(page.getByTestId("connection")).toContainText("signed out", { timeout: 15_000 });
  await world.open(page);
});

test("markup in a path, an exception and a docstring shows as text", async ({ page }) => {
  const evil = "<img src=x onerror=alert(1)><script>alert(2)</script>";
  world.edit(
    "evil.py",
    `from snaxum import route\n\n@route("/evil/<path:rest>")\ndef evil(request):\n    """${evil}"""\n    raise ValueError(${JSON.stringify(evil)})\n`,
  );
  await world.open(page);
  await expect(page.getByTestId("state")).toContainText("G2 ok");

  await world.get(`/evil/${encodeURIComponent(evil)}`);
  await expect(page.getByTestId("request-row").first()).toContainText("<img src=x");
  await page.getByTestId("request-row").first().click();
  for (const tab of ["errors", "routes", "reloads", "workers"]) {
    await page.getByTestId(`tab-${tab}`).click();
  }
  await page.goto(`${world.app}evil/${encodeURIComponent(evil)}`);

  expect(await page.locator("img[src=x]").count()).toBe(0);
  // The page is a 500 and the app has no icon; nothing else was said, and no dialog opened.
  expect(complaints.filter((text) => !text.startsWith("Failed to load resource"))).toEqual([]);
});

test("a request whose client went away says so", async ({ page }) => {
  world.edit("waiting.py", `import asyncio
from snaxum import Request, route

@route("/waiting")
async def waiting(request: Request) -> str:
    await asyncio.Event().wait()
`);
  await world.open(page);
  const client = new AbortController();
  const asked = fetch(new URL("/waiting", world.app), { signal: client.signal }).catch(() => {});
  // It is told of once it has waited for half a second: then it is there to be given up.
  await expect(page.getByText("/waiting").first()).toBeVisible();
  client.abort();
  await asked;

  const row = page.getByTestId("request-row").filter({ hasText: "/waiting" });
  await expect(row).toContainText("the client went away");
  await expect(row).toContainText("499");
  await row.click();
  const details = page.getByTestId("request-details");
  await expect(details).toContainText("The client went away before the answer.");
  await expect(details).not.toContainText("Gnull");
  expect(complaints).toEqual([]);
});

test("requests that the page was not told of count for the rate", async () => {
  const text = fs.readFileSync(path.join(__dirname, "../../templates/console/traffic.js"), "utf8");
  const { Traffic } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
  const traffic = new Traffic();
  const state = (more) => ({ runId: "r", requests: [], missed: 0, metrics: null, ...more });

  const metrics = { requests_per_s: 3000.4 };
  traffic.follow(state(), state({ metrics }));
  expect(traffic.measure().count).toBe(0); // it has seen them all
  traffic.follow(state({ metrics }), state({ metrics, missed: 2900 }));
  traffic.follow(state({ metrics, missed: 2900 }), state({ metrics: { requests_per_s: 3000.4 }, missed: 2900 }));
  expect(traffic.measure().count).toBe(3000);
});
