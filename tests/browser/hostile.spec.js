// Hostile text from the app and its clients, in every part of the console that shows such text.

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
  "main :is(img, svg:not(.sparkline), iframe, input:not([name]), style, base, meta, script, object, embed, [onerror], [onload], [onfocus], [autofocus])";

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

test.use({ files: { "app.py": "" } });

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
    const noMarkup = async () => expect(await page.locator(ELEMENTS).count(), evil).toBe(0);

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
