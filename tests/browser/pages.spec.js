// Live reload of the app's own pages after a save.

const { expect, test } = require("./world");

const POLICY = "default-src 'none'; script-src 'nonce-own'; style-src 'self'";
const app = (text) => `import pathlib
from snaxum import Request, Response, route

@route("/")
def index(request: Request):
    page = "<!doctype html><link rel=stylesheet href=/style.css><h1>${text}</h1><input></body></html>"
    return Response(page, headers={"content-type": "text/html", "content-security-policy": "${POLICY}"})

@route("/style.css")
def style(request: Request):
    sheet = pathlib.Path(__file__).with_name("style.css").read_text()
    return Response(sheet, headers={"content-type": "text/css"})

@route("/boom")
def boom(request: Request):
    raise ValueError("oops")
`;
const color = (name) => `h1 { color: ${name} }`;

let loads;

test.use({ files: { "app.py": app("one"), "style.css": color("rgb(1, 2, 3)") } });

test.beforeEach(async ({ page, world }) => {
  loads = 0;
  page.on("load", () => (loads += 1));
  await world.start();
});

// Opens a page and waits until it is connected.
async function open(page, url) {
  const connected = page
    .waitForEvent("websocket")
    .then((socket) => socket.waitForEvent("framereceived"));
  await Promise.all([connected, page.goto(url)]);
}

test("a page reloads after a successful save, and preserves typed text after any other save", async ({ page, world }) => {
  await open(page, world.app);
  await page.locator("input").fill("half");

  world.edit("app.py", `${app("two")}\nX = \n`);
  await expect(page.getByText("The newest save does not load")).toBeVisible();
  await expect(page.locator("input")).toHaveValue("half");

  world.edit("style.css", color("rgb(4, 5, 6)"));
  await expect(page.locator("h1")).toHaveCSS("color", "rgb(4, 5, 6)");
  await expect(page.locator("link")).toHaveCount(1);
  await expect(page.locator("input")).toHaveValue("half");
  await expect(page.getByText("The newest save does not load")).toBeVisible();
  expect(loads).toBe(1);

  world.edit("app.py", app("two"));
  await expect(page.locator("h1")).toHaveText("two");
  await expect(page.getByText("The newest save does not load")).toHaveCount(0);
});

test("a page reconnects without reloading", async ({ page, world }) => {
  const channels = [];
  let frames = 0;
  await page.routeWebSocket(/\/__snaxum\/live$/, (channel) => {
    channels.push(channel);
    channel.connectToServer().onMessage((message) => {
      channel.send(message);
      frames += 1;
    });
  });
  await page.goto(world.app);
  await expect.poll(() => frames).toBe(1);
  await page.locator("input").fill("half");

  await channels[0].close();
  await expect.poll(() => frames).toBe(2);

  await page.evaluate(() => new Promise(requestAnimationFrame));
  await expect(page.locator("input")).toHaveValue("half");
  expect([channels.length, loads]).toEqual([2, 1]);
});

test("a page does not reload when the server stops, but when a new one starts", async ({ page, world }) => {
  await open(page, world.app);
  await page.locator("input").fill("half");
  await world.stop();

  await page.waitForEvent("websocket"); // a reconnect attempt, which fails
  await expect(page.locator("input")).toHaveValue("half");
  expect(loads).toBe(1);

  await world.start(world.port);
  await expect(page.locator("input")).toHaveValue("");
});

test("the error page shows the traceback as the console does, and reloads after the fix", async ({ page, world }) => {
  await open(page, `${world.app}boom`);
  const traceback = page.getByTestId("traceback");
  await expect(traceback.locator(".py-keyword").filter({ hasText: "raise" })).toBeVisible();
  await expect(traceback.locator(".failing mark")).toHaveText('raise ValueError("oops")');
  await expect(traceback.locator("a.source-link")).toHaveAttribute("href", /^vscode:\/\/file.*python\/app\.py:16$/);
  await expect(page.getByRole("alertdialog")).toHaveCount(0);

  world.edit("app.py", app("two").replace('raise ValueError("oops")', 'return "well"'));
  await expect(page.getByText("well")).toBeVisible();
});

test("an error page replays its request, with the console's cookie only", async ({ page, world }) => {
  await open(page, `${world.app}boom`);
  const replay = page.getByRole("button", { name: "Replay the request" });
  await replay.click();
  await expect(page.getByTestId("replay-result")).toContainText("Open the console by the link");
  await page.goto(world.console);
  await page.goto(`${world.app}boom`);
  await replay.click();
  await expect(page.getByTestId("replay-result")).toContainText(/Replayed as #\d+: 500/);
  const [console] = await Promise.all([page.context().waitForEvent("page"), page.getByTestId("replay-result").getByRole("link").click()]);
  await expect(console.getByTestId("request-details")).toContainText("/boom");
});

test("the pill of a failed save opens the error, with the console's cookie only", async ({ page, world }) => {
  await open(page, world.app);
  world.edit("app.py", `${app("two")}def oops(:\n`);
  const pill = page.getByRole("button", { name: "The newest save does not load" });
  await pill.click();
  await expect(page.getByRole("dialog").getByRole("alert")).toContainText("Open the console by the link");
  await page.keyboard.press("Escape");

  await page.goto(world.console);
  await page.goto(world.app);
  await pill.click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByTestId("traceback")).toContainText("SyntaxError");
  await expect(dialog.locator(".failing")).toContainText("def oops(:");
  await expect(dialog.locator("a.source-link")).toHaveAttribute("href", /^vscode:/);
  // The dialog stays open, with the error of the next save.
  world.edit("app.py", `${app("two")}1 +\n`);
  await expect(dialog.locator(".failing")).toContainText("1 +");
  await expect(dialog.getByTestId("traceback")).toHaveCount(1);
  world.edit("app.py", app("two"));
  await expect(page.locator("h1")).toHaveText("two");
});

test("an error page of the app shows an overlay until Escape, which opens the error", async ({ page, world }) => {
  await page.goto(world.console);
  const own = `from snaxum import errorhandler, Response

@errorhandler(ValueError)
def own(request, error):
    return Response("<!doctype html><h1>sorry</h1></body></html>", status=500, headers={"content-type": "text/html"})
`;
  world.edit("app.py", own + app("one"));
  world.snaxum("wait");
  await page.goto(`${world.app}boom`);
  const overlay = page.getByRole("alertdialog");
  await expect(overlay).toBeVisible();
  await overlay.getByRole("button", { name: "Show error" }).click();
  await expect(page.getByRole("dialog").getByTestId("traceback")).toContainText("ValueError: oops");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await expect(overlay).toHaveCount(0);
  await expect(page.getByRole("status")).toHaveText("This page returned a 500 error");

  world.edit("app.py", own + app("two").replace('raise ValueError("oops")', 'return "well"'));
  await expect(page.getByText("well")).toBeVisible();
});

test("a 404 and a 405 page link to near routes", async ({ page, world }) => {
  await page.goto(`${world.app}bom`);
  await expect(page.getByRole("link", { name: "/boom" })).toHaveAttribute("href", "/boom");
  await page.goto("about:blank"); // the page would reload meanwhile
  world.edit("app.py", app("one").replace('@route("/boom")', '@route("/boom", methods=["POST"])'));
  world.snaxum("wait");
  await page.goto(`${world.app}boom`);
  await expect(page.locator("h1")).toContainText("405");
  await expect(page.getByRole("row", { name: "POST" })).toContainText("/boom");
  // A browser cannot open it, but the form of the console can.
  await page.goto(world.console);
  await page.goto(`${world.app}boom`);
  const [console] = await Promise.all([page.context().waitForEvent("page"), page.getByRole("row", { name: "POST" }).getByRole("link", { name: "Try it" }).click()]);
  await expect(console.getByTestId("route-details").getByRole("heading", { name: "Try it" })).toBeVisible();
  await expect(console.locator('[data-key="POST /boom"]')).toBeFocused();
});

test("the source on an error page has the same colors without scripts", async ({ page, browser, world }) => {
  const pieces = (lines) => lines.map((line) => [...line.querySelectorAll('[class^="py-"]')].map(({ className, textContent }) => `${className} ${textContent}`).filter((piece) => piece.trim()));
  const colors = (place) => place.locator(".source code").evaluateAll(pieces);
  await page.goto(`${world.app}boom`);
  await expect(page.getByTestId("traceback")).toBeVisible();
  const context = await browser.newContext();
  const plain = await context.newPage();
  await plain.route("**/__snaxum/**", (route) => route.abort());
  await plain.goto(`${world.app}boom`);
  await expect(plain.locator(".failing mark .py-keyword")).toHaveText("raise");
  expect(await colors(plain)).toEqual(await colors(page.getByTestId("traceback")));
  await context.close();
});

test.describe("without JavaScript", () => {
  test.use({ javaScriptEnabled: false });

  test("error pages have the elements of the console's component", async ({ page, world }) => {
    await page.goto(`${world.app}boom`);
    await expect(page.locator(".failing mark")).toHaveText('raise ValueError("oops")');
    await expect(page.locator(".exception h3")).toHaveText("ValueError: oops");
    await expect(page.locator(".location").first()).toContainText("python/app.py:16");
    const link = page.getByRole("link", { name: "request #" });
    await expect(link).toHaveAttribute("href", /^\/__snaxum\/#requests\?open=\d+$/);
    await page.goto(`${world.app}bom`);
    await expect(page.getByRole("link", { name: "/boom" })).toHaveAttribute("href", "/boom");
    await expect(page.getByRole("link", { name: "Try it" })).toHaveAttribute("href", "/__snaxum/#routes?open=GET%20%2Fboom");
  });
});

test.describe("static files", () => {
  const html = (text) =>
    `<!doctype html><link rel=stylesheet href=/style.css><h1>${text}</h1><input></body></html>`;

  test.use({
    files: {
      "app.py": 'from snaxum import static\n\nstatic("/", "python/site")\n',
      "site/index.html": html("one"),
      "site/style.css": color("rgb(1, 2, 3)"),
    },
  });

  test("a static page swaps a saved style sheet, and reloads after another save", async ({ page, world }) => {
    await open(page, world.app);
    await expect(page.locator("h1")).toHaveCSS("color", "rgb(1, 2, 3)");
    await page.locator("input").fill("half");

    world.edit("site/style.css", color("rgb(4, 5, 6)"));
    await expect(page.locator("h1")).toHaveCSS("color", "rgb(4, 5, 6)");
    await expect(page.locator("input")).toHaveValue("half");
    expect(loads).toBe(1);

    world.edit("site/index.html", html("two"));
    await expect(page.locator("h1")).toHaveText("two");
    world.edit("site/index.html", html("three"));
    await expect(page.locator("h1")).toHaveText("three");
  });
});
