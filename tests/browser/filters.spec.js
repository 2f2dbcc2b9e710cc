// The filter of the Requests tab: its language, its place in the URL, and ten thousand requests.

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { expect, test } = require("./world");

const SHOP = `from snaxum import Request, Response, route

@route("/orders/<int:id>", methods=["GET", "POST"])
def order(request: Request) -> dict:
    return {"id": request.path_params["id"]}

@route("/boom")
def boom(request: Request) -> dict:
    return {"count": 1 / 0}
`;

// The request of a row, as the server sends it.
const REQUEST = {
  id: "7", method: "POST", path: "/orders/9", query: "by=ann", status: 201, generation: 8,
  route: "/orders/<int:id>", handler: "shop.order", mode: "in-thread", total_ms: 120,
  phases: { read: 0, queue: 60, gil: 0, py: 55, convert: 5 }, error: null,
};
const FAILED = { ...REQUEST, method: "GET", path: "/boom", status: 500, error: { type: "ZeroDivisionError", message: "division by zero" } };
const CALLING = { ...REQUEST, id: "8", call_summary: { count: 6, ms: 15, sql_ms: 12, http_ms: 3, repeated: { text: "select", file: "shop.py", line: 3, count: 5, ms: 10 } } };

async function importFilter() {
  const text = fs.readFileSync(path.join(__dirname, "../../templates/console/requests/request-filter.js"), "utf8");
  return import(`data:text/javascript,${encodeURIComponent(text)}`);
}

test.describe("the filter language", () => {
  for (const [text, request, expected] of [
    ["", REQUEST, true],
    ["status:201", REQUEST, true],
    ["status:2xx", REQUEST, true],
    ["status:5xx", REQUEST, false],
    ["status:5XX", FAILED, true],
    ["method:post", REQUEST, true],
    ["method:GET", REQUEST, false],
    ["path:/orders*", REQUEST, true],
    ["path:/orders", REQUEST, false],
    ["path:*/9", REQUEST, true],
    ["path:/o*r*9", REQUEST, true],
    ["path:/orders/9*9", REQUEST, false],
    ["-path:/orders/9", REQUEST, false],
    ["-path:/health", REQUEST, true],
    ["route:/orders/<int:id>", REQUEST, true],
    ["handler:order", REQUEST, true],
    ["mode:in-thread", REQUEST, true],
    ["gen:8", REQUEST, true],
    ["gen:G8", REQUEST, true],
    ["gen:7", REQUEST, false],
    ["id:7", REQUEST, true],
    [">100ms", REQUEST, true],
    [">0.2s", REQUEST, false],
    [">=120", REQUEST, true],
    ["<120ms", REQUEST, false],
    ["queue>50ms", REQUEST, true],
    ["py<50ms", REQUEST, false],
    ["->100ms", REQUEST, false],
    ["error:ZeroDiv", FAILED, true],
    ["error:*", FAILED, true],
    ["error:*", REQUEST, false],
    ['error:"by zero"', FAILED, true],
    ['"division by"', FAILED, true],
    ['-"division by"', FAILED, false],
    ["orders by=ann", REQUEST, true],
    ["orders status:5xx", REQUEST, false],
    ['"status:5xx"', FAILED, false],
    ["calls>5", CALLING, true],
    ["calls>6", CALLING, false],
    ["calls>0", REQUEST, false],
    ["calls<1", REQUEST, true],
    ["sql>10ms", CALLING, true],
    ["sql>=12", CALLING, true],
    ["http>10ms", CALLING, false],
    ["sql<1ms", REQUEST, true],
    ["N+1", CALLING, true],
    ["n+1", REQUEST, false],
    ["-N+1", REQUEST, true],
    ["has:calls", CALLING, true],
    ["has:profile", CALLING, true],
    ["has:profile", REQUEST, false],
  ]) {
    test(`${text || "an empty filter"} ${expected ? "matches" : "does not match"} ${request.method} ${request.path}`, async () => {
      const { matches, problems } = (await importFilter()).parseFilter(text);
      expect(problems).toEqual([]);
      expect(matches(request, { profiled: new Set(["8"]) })).toBe(expected);
    });
  }

  for (const [text, message] of [
    ["stauts:5xx", "`stauts:` is not a field"],
    ["status:ok", "`status:5xx`"],
    ["status:", "`status:5xx`"],
    ["gen:new", "`version:8`"],
    ["has:money", "`has:profile`"],
    ["calls>many", "`calls>5`"],
    ["cpu>5ms", "`cpu` is not a time"],
    [">soon", "`>100ms`"],
  ]) {
    test(`${text} is reported as invalid while the other terms apply`, async () => {
      const { matches, problems } = (await importFilter()).parseFilter(`${text} method:GET`);
      expect(problems).toHaveLength(1);
      expect(problems[0]).toContain(message);
      expect(problems[0]).not.toMatch(/\bgen,/);
      expect([matches(REQUEST), matches(FAILED)]).toEqual([false, true]);
    });
  }

  test("a term is added and removed at any position", async () => {
    const { hasTerm, parseFilter, quoteValue, toggleTerm } = await importFilter();
    expect(toggleTerm("", "status:5xx")).toBe("status:5xx");
    expect(toggleTerm('"a status:5xx b" x', "status:5xx")).toBe('"a status:5xx b" x status:5xx');
    expect(toggleTerm("status:5xx x", "status:5xx")).toBe("x");
    expect(hasTerm("-status:5xx", "status:5xx")).toBe(false);
    expect(parseFilter(`path:${quoteValue("/a b")}`).matches({ ...REQUEST, path: "/a b" })).toBe(true);
  });
});

test.describe("in the console", () => {

  test.use({ files: { "shop.py": SHOP } });

  test.beforeEach(async ({ world }) => {
    await world.start();
  });

  test("the filter is in the URL and survives a reload, another tab and going back", async ({ page, world }) => {
    await world.open(page);
    for (const address of ["/orders/1", "/boom", "/orders/2"]) await world.get(address);
    const rows = page.getByTestId("request-row");
    await expect(rows).toHaveCount(3);

    await page.keyboard.press("/");
    await page.keyboard.type('status:5xx path:"/boom"');
    await expect(rows).toHaveCount(1);
    await expect(page.getByTestId("match-count")).toHaveText("1 of 3");
    await expect(page).toHaveURL(/#requests\?q=status%3A5xx/);

    await page.reload();
    await expect(page.getByTestId("filter")).toHaveValue('status:5xx path:"/boom"');
    await expect(rows).toHaveCount(1);

    await page.getByTestId("tab-routes").click();
    await expect(page.getByTestId("filter")).toHaveValue("");
    await page.goBack();
    await expect(page.getByTestId("filter")).toHaveValue('status:5xx path:"/boom"');
    await expect(rows).toHaveCount(1);
  });

  test("a filter button adds its term, and removes it again", async ({ page, world }) => {
    await world.open(page);
    for (const address of ["/orders/1", "/boom"]) await world.get(address);
    const chip = page.getByRole("button", { name: "5xx" });
    await page.getByTestId("filter").fill("method:GET");
    await chip.click();
    await expect(page.getByTestId("filter")).toHaveValue("method:GET status:5xx");
    await expect(chip).toHaveAttribute("aria-pressed", "true");
    await expect(page.getByTestId("request-row")).toHaveCount(1);
    await chip.click();
    await expect(page.getByTestId("filter")).toHaveValue("method:GET");
    await expect(chip).toHaveAttribute("aria-pressed", "false");
    await expect(page.getByTestId("request-row")).toHaveCount(2);
  });

  test("an invalid term is reported while the others apply", async ({ page, world }) => {
    await world.open(page);
    for (const address of ["/orders/1", "/boom"]) await world.get(address);
    await page.getByTestId("filter").fill("colour:red path:/boom");
    await expect(page.getByTestId("filter-problems")).toContainText("`colour:` is not a field");
    await expect(page.getByTestId("request-row")).toHaveCount(1);
  });

  test("the open request is in the URL", async ({ page, world }) => {
    await world.open(page);
    await world.get("/boom");
    await page.getByTestId("request-row").click();
    await expect(page).toHaveURL(/#requests\?open=1&run=[\w-]+$/);
    await page.reload();
    await expect(page.getByRole("tabpanel", { name: "Error" })).toContainText("ZeroDivisionError");
    await page.keyboard.press("Escape");
    await expect(page.getByTestId("request-details")).toHaveCount(0);
    await expect(page.getByTestId("request-row")).toBeFocused();
    await expect(page).toHaveURL(/#requests$/);
  });

  test("a link is followed while a filter waits for its place in the URL", async ({ page, world }) => {
    // Timers can be run at will: between a change of the URL and the event of that change.
    await page.addInitScript(() => {
      const { setTimeout } = window;
      window.timers = new Map();
      window.setTimeout = (run, ...rest) => {
        const id = setTimeout(run, ...rest);
        window.timers.set(id, run);
        return id;
      };
      const { clearTimeout } = window;
      window.clearTimeout = (id) => (window.timers.delete(id), clearTimeout(id));
    });
    await world.open(page);
    await page.getByTestId("filter").evaluate((filter) => {
      filter.value = "method:POST";
      window.timers.clear();
      filter.dispatchEvent(new Event("input", { bubbles: true }));
      document.querySelector('[data-testid="tab-errors"]').click();
      for (const run of window.timers.values()) run();
    });

    await expect(page.getByTestId("tab-errors")).toHaveAttribute("aria-current", "page");
    await expect(page).toHaveURL(/#errors$/);
  });

  test("ten thousand requests can be counted, filtered and opened", async ({ page, world }) => {
    await world.open(page);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
    const send = (path) =>
      new Promise((resolve, reject) => {
        http.get(new URL(path, world.app), { agent }, (response) => response.resume().on("end", resolve)).on("error", reject);
      });
    const count = page.getByTestId("tab-requests").locator(".count");
    // The server stores 500 requests, so the page must receive each batch before the next one is sent.
    for (let sent = 0; sent < 10_000; sent += 250) {
      await Promise.all(Array.from({ length: 250 }, (_, index) => send(index === 7 ? "/boom" : `/orders/${sent + index}`)));
      await expect(count).toHaveText(String(sent + 250));
    }
    agent.destroy();

    const rows = page.getByTestId("request-row");
    expect(await rows.count()).toBeLessThan(500);
    await page.keyboard.press("/");
    await page.keyboard.type("path:/orders/42 status:200");
    await expect(page.getByTestId("filter")).toHaveValue("path:/orders/42 status:200");
    await expect(rows).toHaveCount(1);
    await page.getByTestId("filter").fill("error:ZeroDiv");
    await expect(page.getByTestId("match-count")).toHaveText("40 of 10000");
    await expect(rows).toHaveCount(40);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await expect(page.getByTestId("request-details")).toContainText("the server stores only its newest requests");
    await expect(page.getByRole("tabpanel", { name: "Timing" })).toBeVisible();

    // One more request drops the oldest one.
    await world.get("/orders/1");
    await expect(page.getByTestId("match-count")).toHaveText("40 of 10000");
  });
});
