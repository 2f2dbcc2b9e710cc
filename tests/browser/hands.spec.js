// Keys and columns: moving, replaying, copying, finding, sorting, resizing, and the place of the list.

const { clipboard, openBeforeEach, rows } = require("./requests_page");
const { expect, test } = require("./world");

const APP = `from snaxum import Request, route

@route("/items/<int:id>", methods=["GET", "POST"])
def item(request: Request) -> dict:
    return {"id": request.path_params["id"], "text": request.text}

@route("/orders/<int:order_id>/items/<int:item_id>/history/of/everything")
def history(request: Request) -> dict:
    return {}

@route("/slow")
def slow(request: Request) -> str:
    import time
    time.sleep(0.06)
    return "slow"
`;

test.use({ files: { "app.py": APP } });

openBeforeEach();

test("j and k move between requests, and between open ones", async ({ page, world }) => {
  for (const id of [1, 2, 3]) await world.get(`/items/${id}`);
  await expect(rows(page)).toHaveCount(3);
  await page.keyboard.press("j");
  await expect(rows(page).nth(0)).toBeFocused();
  await page.keyboard.press("j");
  await expect(rows(page).nth(1)).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("request-details")).toContainText("/items/2");
  await page.keyboard.press("j");
  await expect(page.getByTestId("request-details")).toContainText("/items/1");
  await page.keyboard.press("k");
  await page.keyboard.press("k");
  await expect(page.getByTestId("request-details")).toContainText("/items/3");
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("request-details")).toHaveCount(0);
  await expect(rows(page).nth(0)).toBeFocused();
});

test("r replays a request, c copies it, and a letter in a text field is a letter", async ({ page, world }) => {
  await world.get("/items/7");
  await expect(rows(page)).toHaveCount(1);
  await page.keyboard.press("r");
  await expect(page.getByTestId("notice")).toContainText("Open a request, or move to its row");
  await page.keyboard.press("j");
  await page.keyboard.press("c");
  await expect(page.getByTestId("notice")).toContainText("as cURL");
  expect(await clipboard(page)).toMatch(/^curl -i .*\/items\/7'$/);
  await page.keyboard.press("r");
  await expect(rows(page)).toHaveCount(2);
  await page.keyboard.press("/");
  await page.keyboard.type("crj");
  await expect(page.getByTestId("filter")).toHaveValue("crj");
  await page.keyboard.press("Escape");
});

test("e opens the code of a request and of a route in the editor", async ({ page, world }) => {
  // A link of another program leaves no trace in the browser, so the click is what can be seen.
  await page.evaluate(() => {
    window.opened = [];
    HTMLAnchorElement.prototype.click = function () {
      window.opened.push(this.href);
    };
  });
  await world.get("/items/7");
  await expect(rows(page)).toHaveCount(1);
  await page.keyboard.press("j");
  await page.keyboard.press("e");
  await expect.poll(() => page.evaluate(() => window.opened)).toEqual([expect.stringMatching(/^vscode:.*\/python\/app\.py:3$/)]);
  await page.keyboard.press("3");
  await expect(page.getByTestId("route-row").first()).toBeVisible();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("e");
  await expect.poll(() => page.evaluate(() => window.opened.length)).toBe(2);
  expect((await page.evaluate(() => window.opened))[1]).toMatch(/python\/app\.py:7$/);
});

test("the palette finds commands, routes and requests", async ({ page, world }) => {
  for (const id of [1, 2]) await world.get(`/items/${id}`);
  await expect(rows(page)).toHaveCount(2);
  await page.keyboard.press("Control+k");
  const palette = page.getByTestId("palette");
  await expect(palette.getByRole("combobox")).toBeFocused();
  await palette.getByRole("combobox").fill("items/2");
  await expect(palette.getByRole("option")).toHaveText([/Request #2 GET \/items\/2 200/]);
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("request-details")).toContainText("/items/2");

  await page.keyboard.press("Control+k");
  await palette.getByRole("combobox").fill("pytest");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("notice")).toContainText("#2 as a pytest case");
  expect(await clipboard(page)).toContain("def test_get_items_2()");

  await page.keyboard.press("Control+k");
  await palette.getByRole("combobox").fill("go to r");
  await expect(palette.getByRole("option")).toHaveText([/Go to Requests/, /Go to Routes/, /Go to Errors/, /Go to Reloads/, /Go to Workers/]);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("route-row").first()).toBeVisible();
  await page.keyboard.press("Control+k");
  await palette.getByRole("combobox").fill("route slow");
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("route-row")).toHaveCount(1);
  await page.keyboard.press("Control+k");
  await expect(palette.getByRole("combobox")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(palette).toBeHidden();
});

test("the palette finds the handler of a path, with or without a method", async ({ page, world }) => {
  await world.get("/items/7");
  await expect(rows(page)).toHaveCount(1);
  await page.keyboard.press("Control+k");
  const palette = page.getByTestId("palette");
  const find = (text) => palette.getByRole("combobox").fill(text);
  await find("post /slow");
  await expect(palette.getByRole("option")).toHaveText(["Handler of POST /slow: the path accepts GET, HEAD, OPTIONS"]);
  await find("/items/seven");
  await expect(palette.getByRole("option")).toHaveText(["Handler of /items/seven: no route has this path"]);
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("notice")).toContainText("/items/seven: no route has this path");
  await page.keyboard.press("Control+k");
  await find("/items/7");
  await expect(palette.getByRole("option")).toHaveText(["Handler of /items/7: app.item, route GET POST /items/<int:id>", /^Request #1/]);
  await page.keyboard.press("Enter");
  await expect(page.getByTestId("route-details")).toContainText("app.item");
});

test("an open request offers to replay it before it offers to copy it", async ({ page, world }) => {
  await world.get("/items/7");
  await rows(page).click();
  await expect(page.locator('[data-testid="request-details"] > .actions').getByRole("button")).toHaveText(["Replay", "Edit and replay", "Copy as cURL", "Copy for an assistant", "Copy link"]);
});

test("the notice about an action covers no row", async ({ page, world }) => {
  for (let id = 0; id < 40; id += 1) await world.get(`/items/${id}`);
  await expect(rows(page)).toHaveCount(40);
  await rows(page).first().focus();
  const list = page.locator(".requests > .list");
  const height = async () => (await list.boundingBox()).height;
  const before = await height();
  await page.keyboard.press("c");
  await expect(page.getByTestId("notice")).toContainText("as cURL");
  await list.evaluate((element) => (element.scrollTop = element.scrollHeight));
  const notice = await page.getByTestId("notice").boundingBox();
  const [last, shown] = [await rows(page).last().boundingBox(), await list.boundingBox()];
  expect(last.y + last.height).toBeLessThanOrEqual(notice.y + 1);
  expect(shown.y + shown.height).toBeLessThanOrEqual(notice.y + 1);
  await expect.poll(height).toBe(before);
});

test("a column sorts the requests, and a third click ends that", async ({ page, world }) => {
  for (const path of ["/items/1", "/slow", "/items/2"]) await world.get(path);
  await expect(rows(page)).toHaveCount(3);
  const total = page.getByRole("columnheader", { name: "Total" });
  await total.getByRole("button").click();
  await expect(total).toHaveAttribute("aria-sort", "descending");
  await expect(rows(page).first()).toContainText("/slow");
  await expect(page).toHaveURL(/[?&]sort=-total/);
  await page.reload();
  await expect(total).toHaveAttribute("aria-sort", "descending");
  await expect(rows(page).first()).toContainText("/slow");
  await total.getByRole("button").click();
  await expect(rows(page).last()).toContainText("/slow");
  await total.getByRole("button").click();
  await expect(total).not.toHaveAttribute("aria-sort");
  await expect(page).not.toHaveURL(/sort=/);
  await expect(rows(page).first()).toContainText("/items/2");
});

test("columns are chosen and resized, by mouse and by keys, and stay so", async ({ page, world }) => {
  await world.get("/items/1");
  await page.getByTestId("column-menu").locator("summary").click();
  await page.getByRole("checkbox", { name: "Handler" }).check();
  await page.getByRole("checkbox", { name: "Phases" }).uncheck();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("checkbox", { name: "Handler" })).toBeHidden();
  await expect(rows(page).first()).toContainText("app.item");

  const head = page.getByRole("columnheader", { name: "Status" });
  const width = async () => (await head.boundingBox()).width;
  const before = await width();
  const edge = await head.locator(".resizer").boundingBox();
  await page.mouse.move(edge.x + edge.width / 2, edge.y + edge.height / 2);
  await page.mouse.down();
  await page.mouse.move(edge.x + 60, edge.y + edge.height / 2);
  await page.mouse.up();
  await expect.poll(width).toBeGreaterThan(before + 40);
  const dragged = await width();
  await head.getByRole("button").press("Shift+ArrowRight");
  await expect.poll(width).toBeGreaterThan(dragged + 5);

  const chosen = await width();
  await page.reload();
  await expect(page.getByRole("columnheader", { name: "Handler" })).toBeVisible();
  await expect(page.getByRole("columnheader", { name: "Phases" })).toHaveCount(0);
  expect(Math.abs((await width()) - chosen)).toBeLessThan(3);
  await page.getByTestId("column-menu").locator("summary").click();
  await page.getByRole("button", { name: "Reset columns and widths" }).click();
  await expect(page.getByRole("columnheader", { name: "Phases" })).toBeVisible();
});

test("reloads and the tables of workers sort and resize by their heads, too", async ({ page, world }) => {
  for (const path of ["/items/1", "/items/2", "/slow"]) await world.get(path);
  await page.getByTestId("tab-reloads").click();
  const total = page.getByRole("columnheader", { name: "Total" });
  await total.getByRole("button").click();
  await expect(total).toHaveAttribute("aria-sort", "descending");
  await expect(page).toHaveURL(/#reloads\?sort=-total/);
  await page.getByTestId("column-menu").locator("summary").click();
  await page.getByRole("checkbox", { name: "Modules" }).check();
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("reload-row")).toContainText("1");

  await page.getByTestId("tab-workers").click();
  const slowest = page.getByTestId("slowest-routes");
  await expect(slowest.getByTestId("slowest-row").first()).toContainText("/slow");
  const requests = slowest.getByRole("columnheader", { name: "Requests" });
  await requests.getByRole("button").click();
  await expect(slowest.getByTestId("slowest-row").first()).toContainText("/items");
  const width = async () => (await requests.boundingBox()).width;
  const before = await width();
  await requests.getByRole("button").press("Shift+ArrowRight");
  await expect.poll(width).toBeGreaterThan(before + 5);
});

for (const [width, height] of [[1440, 700], [1024, 700], [390, 740]]) {
  test(`at ${width} px the list stays where it was when a request is opened and closed`, async ({ page, world }) => {
    await page.setViewportSize({ width, height });
    for (let id = 0; id < 50; id += 1) await world.get(`/items/${id}`);
    await expect(rows(page)).toHaveCount(50);
    const row = rows(page).filter({ hasText: "/items/7" });
    await row.scrollIntoViewIfNeeded();
    const place = async () => Math.round((await row.boundingBox()).y);
    const before = await place();
    await row.click();
    await expect(page.getByTestId("request-details")).toContainText("/items/7");
    if (width > 1100) expect(await place()).toBe(before);
    else await expect(page.locator(".list")).toBeHidden();
    await page.keyboard.press("Escape");
    await expect(page.getByTestId("request-details")).toHaveCount(0);
    await expect.poll(place).toBe(before);
  });
}

test("at 1024 px and on a phone no column clips a path or is empty", async ({ page, world }) => {
  await world.get("/items/12345?with=a&rather=long&query=string");
  for (const width of [1024, 390]) {
    await page.setViewportSize({ width, height: 740 });
    for (const [tab, testid] of [["requests", "request-row"], ["routes", "route-row"]]) {
      await page.getByTestId(`tab-${tab}`).click();
      await expect(page.getByTestId(testid).first()).toBeVisible();
      const clipped = await page.getByTestId(testid).locator(".c-path").evaluateAll((cells) => cells.filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent));
      expect.soft(clipped, `${tab} at ${width}`).toEqual([]);
      const empty = await page.getByTestId(testid).first().locator("td").evaluateAll((cells) => cells.filter((cell) => !cell.textContent.trim() && !cell.querySelector("[role=img]")).length);
      expect.soft(empty, `${tab} at ${width}`).toBe(0);
    }
  }
});

test("a key that stays down replays once, j stays in its table, and Escape in a field leaves the request open", async ({ page, world }) => {
  await world.get("/items/7");
  await world.get("/items/8");
  await rows(page).nth(1).click();
  const details = page.getByTestId("request-details");
  await expect(details).toContainText("/items/7");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await expect(rows(page).nth(1)).toBeFocused();
  await expect(details).toContainText("/items/7");

  for (let count = 0; count < 5; count += 1) await page.keyboard.down("r");
  await page.keyboard.up("r");
  await expect(rows(page)).toHaveCount(3);
  await page.keyboard.press("k");
  await page.keyboard.press("r");
  await expect(rows(page), "one for the key that stayed down, one for this").toHaveCount(4);

  await page.getByRole("button", { name: "Edit and replay" }).click();
  await page.getByLabel("Path and query").fill("/items/9");
  await page.keyboard.press("Escape");
  await expect(page.getByLabel("Path and query")).toHaveValue("/items/9");
});
