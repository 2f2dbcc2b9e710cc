// Hostile text from the app and its clients, in every part of the console that shows such text.

const fs = require("node:fs");
const path = require("node:path");
const { expect, test } = require("./world");

// No text contains a slash or a dot, so each can be the name of a file and a module.
const CORPUS = [
  "<img src=x onerror=alert(1)>",
  "<svg onload=alert(2)>",
  "\"'><input autofocus onfocus=alert(3)>",
  "<iframe srcdoc=\"<script>alert(4)<!--\">",
  "javascript:alert(5)",
  "{{constructor['constructor']('alert(6)')()}} ${alert(7)}",
  "<a href=javascript:alert(8) ping=x>x",
  "&lt;b&gt; &#60;i&#62; \\u003cu\\u003e <!--",
  "<style>*{display:none}",
  "<base href=x><meta http-equiv=refresh content=0>",
];
// The elements that the corpus would create. The console's own inputs have names, its charts a class.
const ELEMENTS =
  ":is(main, dialog) :is(img, svg:not(.sparkline, .module-graph svg), iframe, input:not([name], [role=combobox], .viewer-bar input), style, base, meta, script, object, embed, [onerror], [onload], [onfocus], [autofocus])";

// An app that outputs `evil` in every way that an app can output text.
const app = (evil) => `import importlib
import logging
import sys
from snaxum import Request, Response, route

EVIL = ${JSON.stringify(evil)}
importlib.import_module(EVIL)

class Thing:
    def __repr__(self):
        return EVIL

def named(function):
    function.__name__ = function.__qualname__ = EVIL
    function.__code__ = function.__code__.replace(co_name=EVIL)
    if hasattr(function.__code__, "co_qualname"):
        function.__code__ = function.__code__.replace(co_qualname=EVIL)
    function.__doc__ = EVIL
    function.__module__ = EVIL
    return function

@route("/fail/<path:rest>", methods=["GET", "POST"])
@named
def fail(request: Request):
    thing = Thing()
    print(EVIL)
    print(EVIL, file=sys.stderr)
    logging.getLogger(EVIL).warning(EVIL)
    error = type(EVIL, (ValueError,), {"__module__": EVIL})(EVIL)
    error.__notes__ = [EVIL]
    raise error from KeyError(EVIL)

@route("/respond/<path:rest>", methods=["GET", "POST"])
def respond(request: Request):
    return Response(EVIL, headers={"content-type": "text/html", "x-evil": EVIL})
`;

// In place of the library: its shape, and no network.
const LIBRARIES = fs.mkdtempSync(path.join(require("node:os").tmpdir(), "snaxum-libraries-"));
const HTTPX = `class Client:
    def send(self, request):
        return type("Response", (), {"status_code": 200})()

class AsyncClient:
    async def send(self, request):
        return None
`;

// An app whose calls, profile, types and documents have `evil`. Its module has the name `evil`, too.
const detailed = (evil) => `import importlib
import sqlite3
import sys
from types import SimpleNamespace
from typing import Annotated, Literal
from snaxum import Query, Request, get, post, route

EVIL = ${JSON.stringify(evil)}
sys.path.append(${JSON.stringify(LIBRARIES)})
import httpx
spin = importlib.import_module(EVIL).spin

@route("/calls/<path:rest>")
def calls(request: Request):
    connection = sqlite3.connect(":memory:")
    connection.execute("create table items (name text)")
    for _ in range(6):
        connection.execute("select name from items where name = ? /* " + EVIL + " */", (EVIL,))
    httpx.Client().send(SimpleNamespace(method="GET", url="http://a.example/" + EVIL))
    try:
        connection.execute("select * from \\"" + EVIL.replace('"', '""') + "\\"")
    except sqlite3.Error:
        pass
    return {}

@route("/spin/<path:rest>")
def spinning(request: Request):
    spin()
    return {}

def documented(function):
    function.__doc__ = EVIL
    return function

@post("/form")
@documented
def form(body: dict[str, Literal[EVIL]], q: Annotated[str, Query(description=EVIL, title=EVIL, examples=[EVIL])] = EVIL) -> dict:
    return {}

@get("/near/<name>/exact")
def near(name: str) -> str:
    return EVIL
`;
// The names and the lines of a function that takes its time.
const spinning = (evil) => `import time

def spin():
    # ${evil}
    until = time.perf_counter() + 0.15
    while time.perf_counter() < until:
        pass

EVIL = ${JSON.stringify(evil)}
spin.__code__ = spin.__code__.replace(co_name=EVIL)
if hasattr(spin.__code__, "co_qualname"):
    spin.__code__ = spin.__code__.replace(co_qualname=EVIL)
`;
// Returns the elements that the corpus may have created.
const markup = (page) => page.locator(ELEMENTS).evaluateAll((found) => found.map(({ outerHTML }) => outerHTML.slice(0, 200)));

test.use({ files: { "app.py": "" }, expectedErrors: /status of 404/ });

test.beforeAll(() => fs.writeFileSync(path.join(LIBRARIES, "httpx.py"), HTTPX));
test.afterAll(() => fs.rmSync(LIBRARIES, { recursive: true, force: true }));

test.beforeEach(async ({ page, world }) => {
  // The policy is the second line of defense: a violation means that the console created markup.
  await page.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, sample }) =>
      console.error(`policy: ${violatedDirective} ${sample}`),
    ),
  );
  await world.start();
});

test("hostile text is shown as text everywhere", async ({ page, world, errors }) => {
  await world.open(page);
  for (const evil of CORPUS) {
    const shows = async (locator) => expect(locator.filter({ hasText: evil }).first()).toBeVisible();
    const noMarkup = async () => expect(await markup(page), evil).toEqual([]);

    world.edit(`${evil}.py`, "");
    world.edit("app.py", app(evil));
    world.snaxum("wait");
    world.edit(`${evil}.py`, "X = 1");
    const escaped = encodeURIComponent(evil);
    world.snaxum("wait");
    for (const kind of ["respond", "fail"]) {
      const target = `/${kind}/${escaped}?${escaped}=${escaped}`;
      await world.get(target, { "x-evil": evil });
    }

    await page.getByTestId("tab-requests").click();
    const failed = page.getByTestId("request-row").first();
    await expect(failed).toContainText("/fail/");
    await shows(page.getByTestId("request-row"));
    await failed.click();
    const details = page.getByTestId("request-details");
    for (const selector of [".exception-message", ".note", ".location", ".locals", ".path"]) await shows(details.locator(selector));
    const part = (name) => details.getByRole("tab", { name }).click();
    await part("Logs");
    await shows(details.getByTestId("logs"));
    await part("Request");
    await shows(details.getByRole("row", { name: "x-evil" }));
    await noMarkup();
    await page.getByTestId("request-row").nth(1).click();
    await expect(details.locator("h2")).toContainText("/respond/");
    await part("Request");
    await shows(details.getByRole("row", { name: "x-evil" }));
    await part("Response");
    await shows(details.getByRole("row", { name: "x-evil" }));
    await shows(details.getByTestId("body"));
    await noMarkup();

    await page.getByTestId("tab-errors").click();
    await page.getByTestId("error-row").first().click();
    await shows(page.getByTestId("traceback").locator(".exception-message"));
    await noMarkup();

    await page.getByTestId("tab-routes").click();
    const route = page.getByTestId("route-row").filter({ hasText: "/fail/" });
    await shows(route);
    await route.click();
    await shows(page.locator(".doc"));
    await noMarkup();
    await route.click();

    await page.getByTestId("tab-reloads").click();
    await page.getByTestId("reload-row").first().click();
    await shows(page.getByTestId("reload-row"));
    await shows(page.locator("tr.expanded-row"));
    await noMarkup();
    await page.getByTestId("reload-row").first().click();
  }
  expect(errors).toEqual([]);
});

test("hostile text of calls, profiles, modules, types and near routes is shown as text", async ({ page, world, errors }) => {
  await world.open(page);
  for (const [number, evil] of CORPUS.entries()) {
    const shows = async (locator) => expect(locator.filter({ hasText: evil }).first()).toBeVisible();
    const noMarkup = async () => expect(await markup(page), evil).toEqual([]);
    const openRequest = async (target) => {
      await page.goto(`${world.app}__snaxum/#requests?q=path:${target}`);
      await page.getByTestId("request-row").first().click();
      await expect(page.getByTestId("request-details").locator("h2")).toContainText(target);
    };

    world.edit(`${evil}.py`, spinning(evil));
    world.edit("app.py", detailed(evil));
    world.snaxum("wait");
    expect((await world.get(`/calls/${number}`)).status, evil).toBe(200);
    await world.get(`/spin/${number}?profile`);

    await openRequest(`/calls/${number}`);
    await page.getByRole("tab", { name: "Calls" }).click();
    const calls = page.getByTestId("calls");
    await shows(calls.locator(".statement").filter({ hasText: "select name" }));
    await shows(calls.locator(".statement").filter({ hasText: "a.example" }));
    await shows(calls.getByTestId("repeated"));
    await expect(calls.getByText("no such table").first()).toBeVisible();
    await noMarkup();
    await openRequest(`/spin/${number}`);
    await page.getByRole("tab", { name: "Profile" }).click();
    await shows(page.getByTestId("flame").getByRole("button"));
    await shows(page.getByTestId("heat"));
    await noMarkup();

    await page.goto(`${world.app}__snaxum/#routes`);
    await page.getByTestId("modules").locator("summary").click();
    await expect(page.getByTestId("module-graph").locator("title").filter({ hasText: evil })).toHaveCount(1);
    await page.getByTestId("route-row").filter({ hasText: "/form" }).click();
    await shows(page.locator(".doc"));
    await shows(page.getByTestId("route-schema"));
    await shows(page.getByTestId("try-it"));
    await noMarkup();
    await page.getByTestId("route-lookup").fill(`/near/${evil.replace(/[#?]/g, "")}/exact2`);
    await page.getByTestId("route-lookup").press("Enter");
    await expect(page.getByTestId("route-lookup-result")).toContainText("/near/<name>/exact");
    await page.keyboard.press("Control+k");
    await expect(page.getByTestId("palette")).toBeVisible();
    await noMarkup();
    await page.keyboard.press("Escape");

    // The page of a 404, of the app's own address.
    await page.goto(`${world.app}near/${encodeURIComponent(evil)}/exact2`);
    await shows(page.locator(".detail"));
    await expect(page.getByRole("link", { name: /^\/near\/.+\/exact$/ })).toBeVisible();
    await noMarkup();
  }
  expect(errors).toEqual([]);
});
