// Bodies that are not what they claim, or more than a page can draw: shown as far as they go, and nothing runs.

const { openBeforeEach } = require("./requests_page");
const { expect, test } = require("./world");

// Arrow streams of pyarrow. Nulls take no bytes: these have a billion of them as rows, in one list, in one list of
// a fixed length, and as the values of a dictionary.
const NULLS = {
  rows: "/////3AAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAEAAAAUAAAAEAAUAAgABgAHAAwAAAAQABAAAAAAAAEBEAAAABgAAAAEAAAAAAAAAAEAAABuAAAABAAEAAQAAAAAAAAA/////1gAAAAUAAAAAAAAAAAACgAOAAYABQAIAAoAAAAAAwQAEAAAAAAACgAUAAwABAAIAAoAAAAUAAAADAAAAADKmjsAAAAAAAAAAAEAAAAAypo7AAAAAADKmjsAAAAA/////wAAAAA=",
  list: "/////5gAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAEAAAAEAAAA2P///wAAAQwUAAAAGAAAAAQAAAABAAAAIAAAAAEAAABsAAAAyP///xAAFAAIAAYABwAMAAAAEAAQAAAAAAABARAAAAAcAAAABAAAAAAAAAAEAAAAaXRlbQAAAAAEAAQABAAAAP////+YAAAAFAAAAAAAAAAMABYABgAFAAgADAAMAAAAAAMEABgAAAAIAAAAAAAAAAAACgAYAAwABAAIAAoAAAA8AAAAEAAAAAEAAAAAAAAAAAAAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIAAAAAAAAAAAAAAACAAAAAQAAAAAAAAAAAAAAAAAAAADKmjsAAAAAAMqaOwAAAAAAAAAAAMqaO/////8AAAAA",
  fixed: "/////6AAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAEAAAAEAAAA0P///wAAARAUAAAAHAAAAAQAAAABAAAAKAAAAAEAAABmAAYACAAEAAYAAAAAypo7EAAUAAgABgAHAAwAAAAQABAAAAAAAAEBEAAAABwAAAAEAAAAAAAAAAQAAABpdGVtAAAAAAQABAAEAAAA/////4AAAAAUAAAAAAAAAAAACgAOAAYABQAIAAoAAAAAAwQAEAAAAAAACgAYAAwABAAIAAoAAAAsAAAAEAAAAAEAAAAAAAAAAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIAAAABAAAAAAAAAAAAAAAAAAAAAMqaOwAAAAAAypo7AAAAAP////8AAAAA",
  dictionary: "/////5AAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAEAAAAvP///wQAAAABAAAAFAAAABAAGAAIAAYABwAMABAAFAAQAAAAAAABARQAAABAAAAAHAAAAAQAAAAAAAAAAQAAAGQAAAAIAAgAAAAEAAgAAAAMAAAACAAMAAgABwAIAAAAAAAAASAAAAAEAAQABAAAAAAAAAD/////aAAAABQAAAAAAAAAAAAKAAwABgAFAAgACgAAAAACBAAMAAAACAAKAAAABAAIAAAAEAAAAAAACgAUAAwABAAIAAoAAAAUAAAADAAAAADKmjsAAAAAAAAAAAEAAAAAypo7AAAAAADKmjsAAAAA/////4gAAAAUAAAAAAAAAAwAFgAGAAUACAAMAAwAAAAAAwQAGAAAAAgAAAAAAAAAAAAKABgADAAEAAgACgAAADwAAAAQAAAAAgAAAAAAAAAAAAAAAgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgAAAAAAAAAAAAAAAEAAAACAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAD/////AAAAAA==",
};

const APP = `import base64

from snaxum import Request, Response, WebSocket, get, websocket

SCRIPTS = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="30" height="20" onload="alert(1)">
<script>alert(2); fetch('/ran?script')</script><image href="/ran?image" width="9" height="9"/>
<foreignObject width="9" height="9"><body xmlns="http://www.w3.org/1999/xhtml"><img src="/ran?html" onerror="alert(3)"/></body></foreignObject>
<style>@import url(/ran?style);</style><a xlink:href="javascript:alert(4)"><rect width="30" height="20"/></a></svg>"""


@get("/deep")
def deep():
    return Response('{"a":[' * 10_000 + "1" + "]}" * 10_000, content_type="application/json")


@get("/cut")
def cut():
    return Response('{"rows": [{"a": 1, "b": "x"}, {"a": 2, "b": "y', content_type="application/json")


@get("/wide")
def wide():
    return [{f"column {n}": n * row for n in range(2000)} for row in range(30)]


@get("/not-png")
def not_png():
    return Response(b"<script>alert(5)</script>\\xff\\xfe", content_type="image/png")


@get("/half-png")
def half_png():
    return Response(b"\\x89PNG\\r\\n\\x1a\\n" + bytes(40), content_type="image/png")


@get("/svg")
def svg():
    return Response(SCRIPTS, content_type="image/svg+xml")


@get("/csv")
def csv():
    return Response('a,b\\n1,"<img src=x onerror=alert(6)>\\n2,3', content_type="text/csv")


@get("/not-parquet")
def not_parquet():
    return Response(b"PAR1" + bytes(40) + b"PAR1", content_type="application/vnd.apache.parquet")


@get("/nulls/<kind>")
def nulls(kind: str):
    return Response(base64.b64decode(${JSON.stringify(NULLS)}[kind]), content_type="application/vnd.apache.arrow.stream")


@get("/secret")
def secret():
    return Response(b"%PDF-1.4 AKIAIOSFODNN7EXAMPLE \\xff", content_type="application/pdf")


@get("/ran")
def ran():
    return "ran"


@websocket("/flood")
async def flood(ws: WebSocket):
    async for count in ws:
        for n in range(int(count)):
            await ws.send(f"message {n}")
`;

// The page asks for the bytes of a body that the server refuses.
test.use({ files: { "app.py": APP }, expectedErrors: /status of 409/ });

openBeforeEach();

const content = (page) => page.getByRole("tabpanel", { name: "Response" }).getByTestId("content");

async function show(page, world, path) {
  await (await world.get(path)).arrayBuffer();
  await page.getByTestId("request-row").filter({ hasText: path }).first().click();
  await expect(content(page)).toBeVisible();
}

test("JSON that is nested 10,000 deep is a tree that opens to its end", async ({ page, world }) => {
  await show(page, world, "/deep");
  const tree = content(page).getByRole("tree");
  await content(page).getByRole("button", { name: "Open all" }).click();
  await tree.focus();
  await page.keyboard.press("End");
  await expect(tree.getByRole("treeitem", { selected: true })).toHaveText(/^20000 deep 0: 1$/);
  await expect(content(page).getByTestId("json-path")).toContainText('["a"][0]["a"][0]');
  expect(await tree.getByRole("treeitem").count()).toBeLessThan(200);
  await content(page).getByLabel("Find").fill("1");
  await expect(content(page).getByRole("status").first()).toHaveText("1 of 1");
});

test("JSON that ends in the middle is shown up to there", async ({ page, world }) => {
  await show(page, world, "/cut");
  await expect(content(page).getByTestId("json-problem")).toContainText("ends at character 46");
  await expect(content(page).locator("tbody").getByRole("gridcell")).toHaveText(["1", "x", "2", "y"]);
});

test("a table with 2,000 columns draws the seen ones", async ({ page, world }) => {
  await show(page, world, "/wide");
  const table = content(page).getByRole("grid");
  await expect(table).toHaveAttribute("aria-colcount", "2001");
  expect(await table.getByRole("columnheader").count()).toBeLessThan(40);
  await table.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Control+End");
  await expect(content(page).getByTestId("cell-value")).toContainText(`column 1999 row 30`);
  await expect(content(page).getByTestId("cell-value")).toContainText(String(1999 * 29));
  await expect(table.getByRole("columnheader", { name: /^column 1999/ })).toBeInViewport();
  expect(await table.getByRole("columnheader").count()).toBeLessThan(40);
});

test("a false picture is not drawn, and the scripts of an SVG do not run", async ({ page, world }) => {
  const requests = [];
  await show(page, world, "/not-png");
  await expect(content(page).getByTestId("other-type")).toContainText("it does not begin like a PNG");
  await expect(content(page).locator("img")).toHaveCount(0);
  await show(page, world, "/half-png");
  await expect(content(page).getByTestId("broken-picture")).toBeVisible();

  page.on("request", (request) => requests.push(request.url()));
  await show(page, world, "/svg");
  await expect(content(page).getByTestId("picture")).toHaveJSProperty("naturalWidth", 30);
  await world.get("/ran?after");
  await expect(page.getByTestId("request-row").first()).toContainText("/ran?after");
  await expect(page.getByTestId("request-row").filter({ hasText: "/ran" })).toHaveCount(1);
  expect(requests.filter((url) => url.startsWith("http") && !url.includes("/__snaxum/api/requests/"))).toEqual([]);
});

test("CSV with a quote that does not end, and false Parquet are named", async ({ page, world }) => {
  await show(page, world, "/csv");
  await expect(content(page).getByTestId("table-problem")).toContainText("has a quote at character 6 that does not end");
  await expect(content(page).getByRole("gridcell").last()).toContainText("<img src=x onerror=alert(6)>");
  await show(page, world, "/not-parquet");
  await expect(content(page).getByTestId("table-problem")).toContainText("It cannot be read as Parquet");
});

test("Arrow with a billion nulls is shown as far as a page can, and the page still responds", async ({ page, world }) => {
  await show(page, world, "/nulls/rows");
  await expect(content(page).getByTestId("table-problem")).toContainText("has 1000000000 rows; the first 100000 are shown");
  await expect(content(page).getByRole("grid")).toHaveAttribute("aria-rowcount", "100002");
  for (const kind of ["list", "fixed"]) {
    await show(page, world, `/nulls/${kind}`);
    await expect(content(page).getByRole("gridcell").last()).toContainText("[null, null, null");
    await content(page).getByRole("gridcell").last().click();
    await expect(content(page).getByTestId("cell-value").getByRole("tree")).toBeVisible();
  }
  await show(page, world, "/nulls/dictionary");
  await expect(content(page).getByTestId("table-problem")).toContainText("it has a dictionary of 1000000000 values");
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("request-details")).toHaveCount(0);
});

test("bytes that contain a secret are not given to the page", async ({ page, world }) => {
  await show(page, world, "/secret");
  await expect(content(page).getByRole("alert")).toContainText("The body contains a secret");
});

test("10,000 messages of a WebSocket at once are a list that stays short", async ({ page, world }) => {
  await page.evaluate(() => {
    const socket = new WebSocket(new URL("/flood", location.origin.replace("http", "ws")));
    window.received = 0;
    socket.onopen = () => socket.send("10000");
    socket.onmessage = () => (window.received += 1);
  });
  await page.getByTestId("request-row").filter({ hasText: "/flood" }).click();
  await page.waitForFunction(() => window.received === 10_000);
  const messages = page.getByTestId("messages");
  await expect(messages.getByRole("row").last()).toContainText("message 9999");
  expect(await messages.getByRole("row").count()).toBeLessThan(100);
  await page.getByLabel("Find").fill("message 9998");
  await expect(messages.getByRole("row")).toHaveCount(1);
});
