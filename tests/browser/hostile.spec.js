// Text that wants to be markup, through every place where the console shows what the app or its clients said.

const { test, expect } = require("@playwright/test");
const { World, complaintsOf } = require("./world");

// None has a slash or a dot, so that each can be the name of a file and of a module.
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
// What the corpus would make; the forms and charts of the console itself have names and classes.
const ELEMENTS =
  "main :is(img, svg:not(.sparkline), iframe, input:not([name]), style, base, meta, script, object, embed, [onerror], [onload], [onfocus], [autofocus])";

// An app that says `evil` wherever it can say anything.
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

@route("/answer/<path:rest>", methods=["GET", "POST"])
def answer(request: Request):
    return Response(EVIL, headers={"content-type": "text/html", "x-evil": EVIL})
`;

let world;
let complaints;

test.beforeEach(async ({ page }) => {
  world = new World({ "app.py": "" });
  complaints = complaintsOf(page);
  // Whatever the policy stops was let through by the console.
  await page.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, sample }) =>
      console.error(`policy: ${violatedDirective} ${sample}`),
    ),
  );
  await world.start();
});

test.afterEach(async () => {
  await world.remove();
});

test("whatever is said shows as text", async ({ page }) => {
  test.setTimeout(180_000);
  await world.open(page);
  for (const evil of CORPUS) {
    const shows = async (locator) => expect(locator.filter({ hasText: evil }).first()).toBeVisible();
    const nothingElse = async () => expect(await page.locator(ELEMENTS).count(), evil).toBe(0);

    world.edit(`${evil}.py`, "");
    world.edit("app.py", app(evil));
    world.snaxum("wait");
    world.edit(`${evil}.py`, "X = 1");
    const escaped = encodeURIComponent(evil);
    world.snaxum("wait");
    for (const kind of ["answer", "fail"]) {
      const address = `/${kind}/${escaped}?${escaped}=${escaped}`;
      await world.get(address, { "x-evil": evil });
    }

    await page.getByTestId("tab-requests").click();
    const failed = page.getByTestId("request-row").first();
    await expect(failed).toContainText("/fail/");
    await shows(page.getByTestId("request-row"));
    await failed.click();
    const details = page.getByTestId("request-details");
    for (const place of [".said", ".note", ".where", ".locals", ".path"]) await shows(details.locator(place));
    const part = (name) => details.getByRole("tab", { name }).click();
    await part("Logs");
    await shows(details.getByTestId("logs"));
    await part("Request");
    await shows(details.getByRole("row", { name: "x-evil" }));
    await nothingElse();
    await page.getByTestId("request-row").nth(1).click();
    await expect(details.locator("h2")).toContainText("/answer/");
    await part("Request");
    await shows(details.getByRole("row", { name: "x-evil" }));
    await part("Response");
    await shows(details.getByRole("row", { name: "x-evil" }));
    await shows(details.getByTestId("body"));
    await nothingElse();

    await page.getByTestId("tab-errors").click();
    await page.getByTestId("error-row").first().click();
    await shows(page.getByTestId("traceback").locator(".said"));
    await nothingElse();

    await page.getByTestId("tab-routes").click();
    const route = page.getByTestId("route-row").filter({ hasText: "/fail/" });
    await shows(route);
    await route.click();
    await shows(page.locator(".doc"));
    await nothingElse();
    await route.click();

    await page.getByTestId("tab-reloads").click();
    await page.getByTestId("reload-row").first().click();
    await shows(page.getByTestId("reload-row"));
    await shows(page.locator("tr.unfolded"));
    await nothingElse();
    await page.getByTestId("reload-row").first().click();
  }
  expect(complaints).toEqual([]);
});
