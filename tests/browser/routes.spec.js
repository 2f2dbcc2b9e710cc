// The Routes tab: an open route, its form, the route lookup, and the links to an editor.

const { expect, test } = require("./world");

const SHOP = `from snaxum import Request, Response, route

@route("/orders/<int:id>", methods=["GET", "POST"])
def order(request: Request) -> Response:
    """One order."""
    body = request.text if request.method == "POST" else None
    text = f"<b>{request.method}</b> {request.path_params['id']} {request.query_params.get('q')} {body}"
    return Response(text, status=201, headers={"content-type": "text/html", "x-kind": "order"})

@route("/orders/new")
def new(request: Request) -> dict:
    return {}

@route("/files/<path:rest>")
def files(request: Request) -> dict:
    return {"rest": request.path_params["rest"]}

@route("/boom")
def boom(request: Request) -> dict:
    return {"count": 1 / 0}
`;

// While Python is busy, the page asks again.
test.use({ files: { "shop.py": SHOP }, expectedErrors: /status of 503/ });

test.beforeEach(async ({ page, world }) => {
  await world.start();
  await world.open(page);
  await page.keyboard.press("3");
});

const row = (page, text) => page.getByTestId("route-row").filter({ hasText: text });

test("a route shows its docstring, and its source as loaded while the file is broken", async ({ page, world, errors }) => {
  world.edit("shop.py", "def oops(:\n");
  await expect(page.getByTestId("banner")).toBeVisible();
  await row(page, "/orders/<int:id>").focus();
  await page.keyboard.press("Enter");
  const details = page.getByTestId("route-details");
  await expect(details).toContainText("One order.");
  await expect(details.getByTestId("route-source")).toContainText("def order(request: Request) -> Response:");
  await expect(details.getByTestId("route-source")).toContainText("status=201");
  await expect(details).toContainText("as loaded in version 1");
  expect(errors).toEqual([]);
});

test("a route shows its hits, errors and recent requests, and links to its requests", async ({ page, world, errors }) => {
  for (const address of ["/boom", "/boom", "/orders/new"]) await world.get(address);
  const boom = row(page, "/boom");
  await expect(boom.locator("td").nth(5)).toHaveText("2");
  await expect(boom.locator("td").nth(6)).toContainText("ms");
  await expect(boom.locator("td").nth(7)).toHaveText("2");
  await expect(row(page, "/orders/new").locator("td").nth(7)).toHaveText("0");
  await expect(row(page, "/files").locator("td").nth(5)).toHaveText("0");

  await boom.click();
  await expect(page, "names the open route").toHaveURL(/open=GET/);
  await page.getByTestId("route-details").getByRole("link", { name: "#2" }).click();
  await expect(page.getByRole("tabpanel", { name: "Error" })).toContainText("ZeroDivisionError");
  await page.goBack();
  await page.getByRole("link", { name: "All requests of this route" }).click();
  await expect(page.getByTestId("filter")).toHaveValue("route:/boom handler:shop.boom");
  await expect(page.getByTestId("request-row")).toHaveCount(2);
  expect(errors).toEqual([]);
});

test("the form has a field for each parameter, validates it, and shows the response as text", async ({ page, errors }) => {
  await row(page, "/orders/<int:id>").click();
  const form = page.getByTestId("try-it");
  const id = form.getByLabel("id");
  await expect(id).toHaveAttribute("type", "number");
  await expect(id, "is filled with an example").toHaveValue("1");

  await form.getByRole("button", { name: "Clear" }).click();
  await form.getByRole("button", { name: "Send" }).click();
  expect(await id.evaluate((input) => input.validity.valueMissing)).toBe(true);
  await id.fill("1.5");
  expect(await id.evaluate((input) => input.validity.stepMismatch)).toBe(true);
  await id.fill("42");
  await form.getByLabel("Query").fill("q=tea");
  await form.getByRole("button", { name: "Send" }).click();
  const result = page.getByTestId("try-result");
  await expect(result).toContainText("201 Created");
  await expect(result).toContainText("x-kind");
  await expect(result.getByLabel("Response body")).toHaveText("<b>GET</b> 42 tea None");
  expect(await result.locator("pre b").count()).toBe(0);

  await form.getByLabel("Method").selectOption("POST");
  await form.getByLabel("JSON body").fill('{"n": ');
  await expect(form).toContainText("This is not valid JSON");
  await expect(form.getByRole("button", { name: "Send" })).toBeDisabled();
  await form.getByLabel("JSON body").fill('{"n": 1}');
  await form.getByRole("button", { name: "Send" }).click();
  await expect(result.getByLabel("Response body")).toHaveText('<b>POST</b> 42 tea {"n": 1}');

  await result.getByRole("link", { name: /^request #/ }).click();
  await expect(page.getByTestId("request-details")).toContainText("/orders/42");
  expect(errors).toEqual([]);
});

test("headers and every type of body are sent as typed", async ({ page, world, errors }) => {
  world.edit("echo.py", `from snaxum import Request, route

@route("/echo", methods=["GET", "POST"])
def echo(request: Request) -> dict:
    form = request.form if "form" in (request.headers.get("content-type") or "") else None
    return {"kind": request.headers.get("content-type"), "mine": request.headers.get("x-mine"), "form": form and dict(form), "text": request.text}
`);
  await row(page, "/echo").click();
  const form = page.getByTestId("try-it");
  const response = page.getByTestId("try-result").getByLabel("Response body");
  const send = form.getByRole("button", { name: "Send" });
  await form.getByLabel("Method").selectOption("POST");

  await form.getByLabel("Headers").fill("x-mine: it's: tea\ncookie: a=1");
  await expect(form).toContainText("browsers do not let a page set it: cookie");
  await form.getByLabel("Body type").selectOption("form");
  await form.getByLabel("Form body").fill("tea");
  await expect(form).toContainText('"tea" is not a form field');
  await expect(send).toBeDisabled();
  await form.getByLabel("Form body").fill("name=tea & cake\nprice=3=3");
  await send.click();
  await expect(response).toContainText('"kind":"application/x-www-form-urlencoded","mine":"it\'s: tea","form":{"name":"tea & cake","price":"3=3"}');

  await form.getByLabel("Body type").selectOption("text");
  await send.click();
  await expect(response).toContainText('"kind":"text/plain;charset=utf-8"');
  await form.getByLabel("Headers").fill("Content-Type: text/csv");
  await send.click();
  await expect(response).toContainText('"kind":"text/csv","mine":null,"form":null,"text":"name=tea & cake\\nprice=3=3"');

  await form.getByLabel("Headers").fill("no header");
  await expect(form).toContainText('"no header" is not a header');
  await expect(send).toBeDisabled();
  await form.getByLabel("Headers").fill("bad name: x");
  await expect(form).toContainText("cannot be sent as a header");
  expect(errors).toEqual([]);
});

test("a parameter value is encoded, so it cannot change the rest of the path", async ({ page, errors }) => {
  await row(page, "/files/<path:rest>").click();
  await page.getByTestId("try-it").getByLabel("rest").fill("a b/c?d#e");
  await page.getByTestId("try-it").getByRole("button", { name: "Send" }).click();
  await expect(page.getByTestId("try-result").getByLabel("Response body")).toHaveText('{"rest":"a b/c?d#e"}');
  expect(errors).toEqual([]);
});

test("the lookup shows which route handles a request, and why similar routes do not match", async ({ page, errors }) => {
  const box = page.getByTestId("route-lookup");
  const result = page.getByTestId("route-lookup-result");
  await box.fill("POST /orders/9");
  await box.press("Enter");
  await expect(result).toContainText("shop.order");
  await expect(result).toContainText("id = 9");
  await result.getByRole("button", { name: "POST /orders/<int:id>" }).click();
  await expect(page.getByTestId("route-details")).toContainText("One order.");
  await expect(row(page, "/orders/<int:id>")).toBeFocused();

  await box.fill("/orders/x");
  await box.press("Enter");
  await expect(result).toContainText("404");
  await expect(result).toContainText("where the path has `x`");
  await box.fill("DELETE /boom");
  await box.press("Enter");
  await expect(result).toContainText("405");
  await box.fill("orders");
  await box.press("Enter");
  await expect(result).toContainText("like POST /orders/9");
  expect(errors).toEqual([]);
});

test("source locations link to an editor", async ({ page, world }) => {
  const root = world.root.split("/").map(encodeURIComponent).join("/");
  await expect(row(page, "/boom").locator("a.source-link")).toHaveAttribute("href", `vscode://file${root}/python/shop.py:18`);
  await world.get("/boom");
  await page.keyboard.press("4");
  await expect(page.getByTestId("traceback").locator("a.source-link").first()).toHaveAttribute("href", `vscode://file${root}/python/shop.py:20`);
  world.edit("shop.py", "\ndef oops(:\n");
  await expect(page.getByTestId("banner").locator("a.source-link")).toHaveAttribute("href", `vscode://file${root}/python/shop.py:2`);
  await page.keyboard.press("5");
  await page.getByTestId("reload-row").first().click();
  await expect(page.locator(".expanded-row a.source-link").first()).toHaveAttribute("href", /python\/shop\.py:\d+$/);
});

test("text typed into a form stays when a save adds a route above", async ({ page, world }) => {
  await row(page, "/orders/<int:id>").click();
  const field = page.getByTestId("route-details").getByLabel("id", { exact: false }).first();
  await field.fill("42");
  const before = await page.getByTestId("route-row").count();
  world.edit("shop.py", `${SHOP}\n@route("/aaa")\ndef aaa(request: Request) -> str:\n    return "a"\n`);
  await expect(page.getByTestId("route-row")).toHaveCount(before + 1);
  await expect(field).toHaveValue("42");
  await expect(field).toBeFocused();
});

test("a route shows the hooks that its requests meet, once there are any", async ({ page, world, errors }) => {
  await expect(row(page, "/boom")).toBeVisible();
  await expect(page.getByRole("columnheader", { name: "Via" })).toHaveCount(0);
  world.edit("hooks.py", "from snaxum import after_request, errorhandler\n\n@after_request\ndef mark(request, response): ...\n\n@errorhandler(404)\ndef missing(request, error): ...\n");
  await expect(page.getByRole("columnheader", { name: "Via" })).toBeVisible();
  await expect(row(page, "/boom").locator("td.c-via")).toHaveText("hooks.mark, hooks.missing");

  await row(page, "/boom").click();
  await expect(page.getByTestId("route-details")).toContainText("after_request hooks.mark, errorhandler(404) hooks.missing");
  await page.getByTestId("route-lookup").fill("/boom");
  await page.getByTestId("route-lookup").press("Enter");
  await expect(page.getByTestId("route-lookup-result")).toContainText("via after_request hooks.mark");
  expect(errors).toEqual([]);
});

test("a link opens a route, which stays open, and hundreds of routes are drawn in parts", async ({ page, world, errors }) => {
  const many = Array.from({ length: 600 }, (_, index) => `@route("/many/${index}/<int:id>")\ndef many_${index}(request: Request) -> dict:\n    return {}\n`);
  world.edit("many.py", `from snaxum import Request, route\n\n${many.join("\n")}`);
  await expect(page.getByTestId("tab-routes")).toContainText("604");
  const rows = page.getByTestId("route-row");
  expect(await rows.count()).toBeLessThan(400);

  await page.goto(`${page.url().split("#")[0]}#routes?open=${encodeURIComponent("GET /many/590/<int:id>")}`);
  const opened = row(page, "/many/590/<int:id>");
  await expect(opened).toBeFocused();
  await expect(page.getByTestId("route-details")).toContainText("many.many_590");
  await page.reload();
  await expect(page.getByTestId("route-details")).toContainText("many.many_590");
  await opened.click();
  await expect(page.getByTestId("route-details")).toHaveCount(0);
  await expect(page).not.toHaveURL(/open=/);
  expect(errors).toEqual([]);
});

test("a request draws the row of its route only", async ({ page, world, errors }) => {
  await expect(page.getByTestId("route-row")).toHaveCount(4);
  await page.locator(".route-rows").evaluate((table) => {
    window.drawn = new Set();
    new MutationObserver((records) => {
      for (const { target } of records) window.drawn.add((target.nodeType === 1 ? target : target.parentElement).closest("tr").dataset.key);
    }).observe(table, { childList: true, subtree: true, characterData: true, attributes: true });
  });
  for (let count = 0; count < 5; count += 1) await world.get("/files/a");
  await expect(row(page, "/files").locator("td").nth(5)).toHaveText("5");
  expect(await page.evaluate(() => [...window.drawn])).toEqual(["GET /files/<path:rest>"]);
  expect(errors).toEqual([]);
});
