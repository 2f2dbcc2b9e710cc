// The console from the printed link on: live updates, reloading, copying, reconnecting.

const fs = require("node:fs");
const path = require("node:path");
const { expect, test } = require("./world");

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

test.use({ files: { "app.py": HELLO } });

test.beforeEach(async ({ world }) => {
  await world.start();
});

test("the printed link opens the console and leaves no token in the address", async ({ page, world, errors }) => {
  await page.goto(world.console);
  await expect(page.getByTestId("connection")).toContainText("connected");

  expect(page.url()).toBe(`${world.app}__snaxum/`);
  expect(await page.content()).not.toContain(new URL(world.console).searchParams.get("t"));
  await expect(page.getByTestId("state")).toContainText("version 1 live");
  expect(errors).toEqual([]);
});

test("the header shows that reloading is paused", async ({ page, world, errors }) => {
  await world.open(page);
  world.snaxum("pause");
  await expect(page.getByTestId("paused")).toBeVisible();
  world.snaxum("resume");
  await expect(page.getByTestId("paused")).toHaveCount(0);
  expect(errors).toEqual([]);
});

test("buttons pause reloading, resume it, and reload now", async ({ page, world, errors }) => {
  await world.open(page);
  await page.getByRole("button", { name: "Reload now" }).click();
  await expect(page.getByTestId("reload-result")).toHaveText("nothing was saved since; version 1 is still live");

  await page.getByRole("button", { name: "Pause reloading" }).click();
  await expect(page.getByTestId("paused")).toBeVisible();
  world.edit("app.py", HELLO.replace("v1", "v2"));
  await page.getByRole("button", { name: "Reload now" }).click();
  await expect(page.getByTestId("reload-result")).toHaveText(/^live as version 2 in \d/);
  expect(await (await world.get("/hello")).json()).toEqual({ message: "v2" });

  await page.getByRole("button", { name: "Resume reloading" }).click();
  await expect(page.getByTestId("paused")).toHaveCount(0);
  expect(errors).toEqual([]);
});

test("a request, a reload, a broken save and its fix appear without reloading the page", async ({ page, world, errors }) => {
  await world.open(page);

  await world.get("/hello");
  await expect(page.getByTestId("request-row").first()).toContainText("/hello");

  world.edit("app.py", HELLO.replace("v1", "v2"));
  await expect(page.getByTestId("state")).toContainText("version 2 live");
  expect(await (await world.get("/hello")).json()).toEqual({ message: "v2" });

  world.edit("app.py", "def oops(:\n");
  await expect(page.getByTestId("banner")).toContainText("SyntaxError");
  await expect(page.getByTestId("banner")).toContainText("python/app.py:1");
  await expect(page.getByTestId("state")).toContainText("version 2 live, the newest save is not");
  expect(await (await world.get("/hello")).json()).toEqual({ message: "v2" });

  world.edit("app.py", `${HELLO.replace("v1", "v3")}\nprint("v3 loads")\n`);
  await expect(page.getByTestId("state")).toContainText("version 3 live");
  await expect(page.getByTestId("banner")).toHaveCount(0);
  await page.getByTestId("tab-reloads").click();
  await expect(page.getByTestId("reload-row")).toHaveCount(4);
  await page.getByTestId("reload-row").first().click();
  await expect(page.getByTestId("logs")).toContainText("v3 loads");
  expect(errors).toEqual([]);
});

test("a reload shows its changes for clients of the API, and so does a page that is opened later", async ({ page, world, errors }) => {
  await world.open(page);
  await page.getByTestId("tab-reloads").click();
  const row = page.getByTestId("reload-row").first();

  world.edit("app.py", HELLO.replace("/hello", "/hi"));
  await expect(row.getByTestId("contract-summary")).toHaveText("✖ 1 breaks clients");
  await page.reload();
  await expect(row.getByTestId("contract-summary")).toHaveText("✖ 1 breaks clients");

  await row.click();
  const changes = page.getByTestId("contract").getByRole("listitem");
  await expect(changes).toHaveText([/GET \/hello the path no longer exists$/, /GET \/hi the path is new$/]);
  expect(errors).toEqual([]);
});

test("a module that does not load at startup is reported while the others are served", async ({ page, world, errors }) => {
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
  expect(errors).toEqual([]);
});

test("the routes are listed with handler and location, and update after a save", async ({ page, world, errors }) => {
  await world.open(page);
  await page.getByTestId("tab-routes").click();
  const rows = page.getByTestId("route-row");
  await expect(rows).toHaveCount(2);
  await expect(rows.filter({ hasText: "/hello" })).toContainText("app.hello");
  await expect(rows.filter({ hasText: "/hello" })).toContainText("python/app.py:");

  world.edit("app.py", `${HELLO}\n@route("/added")\ndef added(request: Request) -> dict:\n    return {}\n`);

  await expect(rows.filter({ hasText: "/added" })).toContainText("new");
  expect(errors).toEqual([]);
});

test("a failing request shows its traceback with secrets masked in its locals", async ({ page, world, errors }) => {
  await world.open(page);
  await world.get("/boom");
  await page.getByTestId("tab-errors").click();

  const traceback = page.getByTestId("traceback").first();
  await expect(traceback).toContainText("IndexError");
  await expect(traceback).toContainText("return {\"first\": items[0]}");
  await expect(traceback).toContainText("••••");
  await expect(traceback).not.toContainText("'hunter2'");
  expect(errors).toEqual([]);
});

test("a failing request can be copied as a command and as a report with secrets masked", async ({ page, context, world, errors }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  world.edit("app.py", HELLO.replace("items = []", 'items = []\n    print("about to ``` fail")'));
  await world.open(page);
  await expect(page.getByTestId("state")).toContainText("version 2 live");
  await world.get("/boom?token=abc&plain=1", { "x-note": "it's" });
  await page.getByTestId("request-row").first().click();
  await page.getByRole("tab", { name: "Logs" }).click();
  await expect(page.getByTestId("logs")).toBeVisible();
  await expect(page.getByTestId("logs")).toContainText("about to ``` fail");

  await page.getByRole("button", { name: "Copy as cURL", exact: true }).click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  expect(await copied()).toContain(`'${world.app}boom?token=••••&plain=1'`);
  expect(await copied()).toContain(`-H 'x-note: it'\\''s'`);
  await expect(page.getByTestId("masked-parts")).toHaveText("Masked in the copied command: token.");
  await page.getByRole("button", { name: "Copy as cURL with secrets" }).click();
  await expect.poll(copied).toContain(`'${world.app}boom?token=abc&plain=1'`);

  await page.getByRole("button", { name: "Copy for an assistant" }).click();
  await expect.poll(copied).toContain("# Request returned 500");
  const report = await copied();
  expect(report).toContain("IndexError: list index out of range");
  expect(report).toContain("````text\n");
  expect(report).toContain("not as instructions");
  expect(report).not.toContain("'hunter2'");
  expect(errors).toEqual([]);
});

test("a copied link opens its request, and none of a later process", async ({ page, context, world, errors }) => {
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
  await page.getByRole("button", { name: "Show current requests" }).click();
  await expect(page.getByTestId("request-row")).toHaveCount(3);
  expect(errors).toEqual([]);
});

test("the console reconnects when the server does not respond to a ping", async ({ page, world }) => {
  // The test triggers the ping timer itself.
  await page.addInitScript(() => {
    const every = window.setInterval;
    window.setInterval = (run, ms, ...rest) => (ms === 15_000 ? (window.pingNow = run) && 0 : every(run, ms, ...rest));
  });
  let connections = 0;
  let isReachable = true;
  await page.routeWebSocket(/\/__snaxum\/ws/, (channel) => {
    connections += 1;
    const isFirst = connections === 1;
    const passes = () => isReachable || !isFirst;
    const server = channel.connectToServer();
    channel.onMessage((message) => passes() && server.send(message));
    server.onMessage((message) => passes() && channel.send(message));
  });
  await world.open(page);
  const ping = () => page.evaluate(() => window.pingNow());
  // Other messages may arrive before the pong.
  const receivedPong = page.waitForEvent("console", (message) => message.text() === "pong");
  await page.evaluate(() => {
    const parse = JSON.parse;
    JSON.parse = (text) => (text.includes('"pong"') && console.log("pong"), parse(text));
  });
  await ping();
  await receivedPong;
  isReachable = false;
  await ping();
  expect(connections).toBe(1);
  await expect.poll(async () => (await ping(), connections)).toBe(2);
  await expect(page.getByTestId("connection")).toContainText("connected");
});

test("the console reconnects to a restarted server and shows that it is signed out", async ({ page, world }) => {
  await world.open(page);
  await world.stop();
  await expect(page.getByTestId("connection")).not.toContainText("connected");

  // The new process has a new token, so the page cannot reconnect without the new link.
  await world.start(world.port);
  await expect(page.getByTestId("connection")).toContainText("signed out");
  await world.open(page);
});

test("markup in a path, an exception and a docstring is shown as text", async ({ page, world, errors }) => {
  const evil = "<img src=x onerror=alert(1)><script>alert(2)</script>";
  world.edit(
    "evil.py",
    `from snaxum import route\n\n@route("/evil/<path:rest>")\ndef evil(request):\n    """${evil}"""\n    raise ValueError(${JSON.stringify(evil)})\n`,
  );
  await world.open(page);
  await expect(page.getByTestId("state")).toContainText("version 2 live");

  await world.get(`/evil/${encodeURIComponent(evil)}`);
  await expect(page.getByTestId("request-row").first()).toContainText("<img src=x");
  await page.getByTestId("request-row").first().click();
  for (const tab of ["errors", "routes", "reloads", "workers"]) {
    await page.getByTestId(`tab-${tab}`).click();
  }
  await page.goto(`${world.app}evil/${encodeURIComponent(evil)}`);

  expect(await page.locator("img[src=x]").count()).toBe(0);
  // The page returns a 500 and the app has no icon; any other error or a dialog is a failure.
  expect(errors.filter((text) => !text.startsWith("Failed to load resource"))).toEqual([]);
});

test("a request whose client disconnected is marked", async ({ page, world, errors }) => {
  world.edit("waiting.py", `import asyncio
from snaxum import Request, route

@route("/waiting")
async def waiting(request: Request) -> str:
    await asyncio.Event().wait()
`);
  await world.open(page);
  await world.get("/hello");
  await expect(page.getByTestId("request-row")).toHaveCount(1);
  const top = async () => (await page.locator(".request-rows").boundingBox()).y;
  const before = await top();
  const client = new AbortController();
  const request = fetch(new URL("/waiting", world.app), { signal: client.signal }).catch(() => {});
  // The request is listed after half a second, so the server has received it before the abort.
  await expect(page.getByTestId("slow-requests")).toContainText("/waiting");
  expect(await top(), "the table stays where it is").toBe(before);
  client.abort();
  await request;

  const row = page.getByTestId("request-row").filter({ hasText: "/waiting" });
  await expect(row).toContainText("client disconnected");
  await expect(row).toContainText("499");
  await row.click();
  const details = page.getByTestId("request-details");
  await expect(details).toContainText("The client disconnected before the response.");
  await expect(details).not.toContainText("Gnull");
  expect(errors).toEqual([]);
});

test("a frozen list counts new requests until it is shown again", async ({ page, world, errors }) => {
  await world.open(page);
  await world.get("/hello");
  await expect(page.getByTestId("request-row")).toHaveCount(1);
  await page.getByRole("button", { name: "Freeze list" }).click();
  await world.get("/boom");
  await page.getByRole("button", { name: "Show 1 new" }).click();
  await expect(page.getByTestId("request-row")).toHaveCount(2);
  await expect(page.getByRole("button", { name: "Freeze list" })).toBeVisible();
  expect(errors).toEqual([]);
});

test("many routes that only moved are one line of a reload, which unfolds by file", async ({ page, world, errors }) => {
  const many = Array.from({ length: 12 }, (_, index) => `@route("/many/${index}")\ndef many${index}(request):\n    return "many"\n`).join("\n");
  world.edit("many.py", `from snaxum import route\n\n${many}`);
  await world.open(page, "reloads");
  await expect(page.getByTestId("state")).toContainText("version 2 live");
  world.edit("many.py", `from snaxum import route\n\nLIMIT = 3\n\n${many}`);
  const row = page.getByTestId("reload-row").first();
  await expect(row).toContainText("12 routes moved");
  await row.click();
  const details = page.locator(".expanded-content");
  await expect(details.getByText("12 routes to another line")).toBeVisible();
  await expect(details.getByText("GET /many/11")).toBeHidden();
  await details.getByText("12 routes to another line").click();
  await expect(details.getByText("GET /many/11")).toBeVisible();
  expect(errors).toEqual([]);
});

test("a tab whose modules could not be loaded is there after another try", async ({ page, world }) => {
  // The second one is imported by the first, which arrives.
  for (const module of ["logs/logs.js", "routes/module-graph.js"]) await page.route(`**/assets/${module}`, (route) => route.abort());
  await world.open(page, "now");
  for (const [tab, module, row] of [["logs", "logs/logs.js", ".timeline"], ["routes", "routes/module-graph.js", '[data-testid="route-row"]']]) {
    await page.getByTestId(`tab-${tab}`).click();
    await expect(page.getByRole("heading", { name: "The server does not respond" })).toBeVisible();
    await page.unroute(`**/assets/${module}`);
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(page.locator(row).first()).toBeVisible();
  }
});

test("the rate includes requests that the page did not receive", async () => {
  const text = fs.readFileSync(path.join(__dirname, "../../templates/console/server/traffic.js"), "utf8");
  const { Traffic } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
  const traffic = new Traffic();
  const state = (more) => ({ runId: "r", requests: [], droppedEvents: 0, metrics: null, ...more });

  const metrics = { requests_per_s: 3000.4 };
  traffic.update(state(), state({ metrics }));
  expect(traffic.measure().count).toBe(0); // without dropped events the metrics are not needed
  traffic.update(state({ metrics }), state({ metrics, droppedEvents: 2900 }));
  traffic.update(state({ metrics, droppedEvents: 2900 }), state({ metrics: { requests_per_s: 3000.4 }, droppedEvents: 2900 }));
  expect(traffic.measure().count).toBe(3000);
});
