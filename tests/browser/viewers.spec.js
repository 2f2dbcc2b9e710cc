// The viewers of bodies: a table, a tree, a picture or a list, chosen by what the body is.

const fs = require("node:fs");
const { AxeBuilder } = require("@axe-core/playwright");
const { expect, test } = require("./world");

// Both are the frame {"city": ["Graz", "Linz", null], "sales": [120, 95, 310], "api_token": ["t0ps3cret", "b", "c"]},
// written by polars: Parquet with zstd, and an Arrow stream with the newest kind of strings.
const PARQUET =
  "UEFSMRUEFSAVMkwVBBUAAAAotS/9IBCBAAAEAAAAR3JhegQAAABMaW56FQAVEhUkLBUGFRAVBhUGHDYCKARMaW56GARHcmF6AAAAKLUv/SAJSQAAAgAAAAMDAQMCFQwZNQAGEBkYBGNp" +
  "dHkVDBYGFo4BFrIBJlQmCBw2AigETGluehgER3JhegAAFQQVMBU6TBUGFQAAACi1L/0gGKUAAGBfAHgANgEAAAAAAAACAGDgAWABFQAVFBUmLBUGFRAVBhUGHDYAKAg2AQAAAAAAABgI" +
  "XwAAAAAAAAAAAAAotS/9IApRAAACAAAABgECAyEAFQQZNQAGEBkYBXNhbGVzFQwWBhawARbMASboAiaUAhw2ACgINgEAAAAAAAAYCF8AAAAAAAAAAAAVBBUuFUBMFQYVAAAAKLUv/SAX" +
  "uQAACQAAAHQwcHMzY3JldAEAAABiAQAAAGMVABUUFSYsFQYVEBUGFQYcNgAoCXQwcHMzY3JldBgBYgAAACi1L/0gClEAAAIAAAAGAQIDJAAVDBk1AAYQGRgJYXBpX3Rva2VuFQwWBhai" +
  "ARbGASaqBSbQBBw2ACgJdDBwczNjcmV0GAFiAAAZEQIZGARHcmF6GRgETGluehUAGRYCABkRAhkYCF8AAAAAAAAAGRgINgEAAAAAAAAVABkWAAAZEQIZGAFiGRgJdDBwczNjcmV0FQAZ" +
  "FgAAGRwWVBVmFgAAABkcFugCFXgWAAAAGRwWqgUVbBYAAAAVAhlMSARyb290FQYAFQwlAhgEY2l0eSUATBwAAAAVBCUCGAVzYWxlcwAVDCUCGAlhcGlfdG9rZW4lAEwcAAAAFgYZHBk8" +
  "JoYCHBUMGTUABhAZGARjaXR5FQwWBhaOARayASZUJggcNgIoBExpbnoYBEdyYXoAABagCBUUFoIHFS4AJrQEHBUEGTUABhAZGAVzYWxlcxUMFgYWsAEWzAEm6AImlAIcNgAoCDYBAAAA" +
  "AAAAGAhfAAAAAAAAAAAAFrQIFRYWsAcVPgAm8AYcFQwZNQAGEBkYCWFwaV90b2tlbhUMFgYWogEWxgEmqgUm0AQcNgAoCXQwcHMzY3JldBgBYgAAFsoIFRYW7gcVMgAW4AMWBiYIFsQE" +
  "FAAAGRwYDEFSUk9XOnNjaGVtYRisAi8vLy8vOWtBQUFBRUFBQUE4di8vL3hRQUFBQUVBQUVBQUFBS0FBc0FDQUFLQUFRQStQLy8vd3dBQUFBSUFBZ0FBQUFFQUFNQUFBQndBQUFBTkFB" +
  "QUFBUUFBQUNJLy8vL0dBQUFBQkFBQUFBSUFBQUFBUlFBQUFBQUFBQ0kvLy8vQ1FBQUFHRndhVjkwYjJ0bGJnQUFBTFQvLy84b0FBQUFFQUFBQUFnQUFBQUJBZ0FBQUFBQUFQVC8vLzlB" +
  "QUFBQUFRQUFBQWdBQ1FBRUFBZ0FCUUFBQUhOaGJHVnpBQUFBN1AvLy95d0FBQUFnQUFBQUdBQUFBQUVVQUFBUUFCSUFCQUFRQUJFQUNBQUFBQXdBQUFBQUFQei8vLzhFQUFRQUJBQUFB" +
  "R05wZEhrQQAYTlBvbGFycyAocHl0aG9uKSB2ZXJzaW9uIDIuMS4wIChidWlsZCA3ZjkwMmJkM2ZmZDI3ZmY4MmQxNDI3OGEwOWEyOTVmZjJmN2FlZDkyKRk8HAAAHAAAHAAAALcCAABQ" +
  "QVIx";
const ARROW =
  "/////+AAAAAEAAAA8v///xQAAAAEAAEAAAAKAAsACAAKAAQA+P///wwAAAAIAAgAAAAEAAMAAABwAAAANAAAAAQAAACI////GAAAABAAAAAIAAAAARgAAAAAAACI////CQAAAGFwaV90" +
  "b2tlbgAAALT///8oAAAAEAAAAAgAAAABAgAAAAAAAPT///9AAAAAAQAAAAgACQAEAAgABQAAAHNhbGVzAAAA7P///ywAAAAgAAAAGAAAAAEYAAAQABIABAAQABEACAAAAAwAAAAAAPz/" +
  "//8EAAQABAAAAGNpdHkAAAAAAAAAAP////8AAQAABAAAAOz///8AAQAAAAAAABQAAAAEAAMADAATABAAEgAMAAQA5v///wMAAAAAAAAAnAAAADAAAAAUAAAAAAAOABgABAAMABAAAAAU" +
  "AAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAYAAAAAAAAAAAAAAAEAAAAAAAAAQAAAAAAAAAAwAAAAAAAAAIAAAAAAAAAAAAAAAAAAAACAAAAAAAAAABgAAAAAAAAAwAAAAAAAAAAAAAAA" +
  "AAAAAMAAAAAAAAAAMAAAAAAAAAAAAAAAAwAAAAMAAAAAAAAAAQAAAAAAAAADAAAAAAAAAAAAAAAAAAAAAwAAAAAAAAAAAAAAAAAAAPsAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" +
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAAAR3JhegAAAAAAAAAABAAAAExpbnoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAeAAAAAAA" +
  "AABfAAAAAAAAADYBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAkAAAB0MHBzM2NyZXQAAAABAAAAYgAAAAAAAAAAAAAAAQAAAGMAAAAAAAAAAAAA" +
  "AAAAAAAAAAAAAAAAAAAAAAD/////AAAAAA==";

const APP = `import base64
import struct
import zlib

from snaxum import Request, Response, WebSocket, get, websocket

FRAMES = {"parquet": "${PARQUET}", "arrow.stream": "${ARROW}"}


@get("/sales")
def sales():
    cities = ["Graz", "Linz", "Wien", "Linz"]
    return [{"city": cities[n % 4], "day": f"2024-01-{n + 1:02}", "sales": (n * 37) % 50, "note": None if n % 3 else "a, b"} for n in range(20)]


@get("/nested")
def nested():
    return {"user": {"name": "Ada", "tags": ["math", "engines"]}, "exact": 1.50, "rows": [{"a": 1}, {"a": 2}]}


def png():
    part = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\\0" + b"\\x20\\x60\\xd0" * 40 for _ in range(30))
    return b"\\x89PNG\\r\\n\\x1a\\n" + part(b"IHDR", struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 0)) + part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")


@get("/figure")
def figure():
    return Response(png(), content_type="image/png")


@get("/drawing")
def drawing():
    return Response('<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"><rect width="30" height="20" fill="teal"/></svg>', content_type="image/svg+xml")


@get("/paper")
def paper():
    return Response(b"%PDF-1.4\\n1 0 obj<</Type/Pages/Kids[2 0 R]>>endobj 2 0 obj<</Type/Page>>endobj <</Title(Sales)>>", content_type="application/pdf")


@get("/csv")
def csv():
    return Response('city,price,note\\n"Graz",1.50,"a\\nb"\\nLinz,,"a ""b"""\\n', content_type="text/csv")


@get("/frame/<kind>")
def frame(kind: str):
    return Response(base64.b64decode(FRAMES[kind]), content_type="application/vnd.apache." + kind)


@get("/events")
def events():
    return Response(b'event: price\\nid: 1\\ndata: {"tea": 3}\\n\\n: ping\\n\\ndata: one\\ndata: two\\n\\n', content_type="text/event-stream")


@websocket("/echo")
async def echo(ws: WebSocket):
    async for message in ws:
        await ws.send(message)
`;

test.use({ files: { "app.py": APP } });

test.beforeEach(async ({ page, world }) => {
  await world.start();
  await world.open(page);
});

test.afterEach(({ errors }) => {
  expect(errors).toEqual([]);
});

const content = (page) => page.getByRole("tabpanel", { name: "Response" }).getByTestId("content");
const cells = (page, row) => content(page).locator("tbody tr[aria-rowindex]").nth(row).getByRole("gridcell");

// Requests a path and opens the request: one click.
async function show(page, world, path) {
  const response = await world.get(path);
  await response.arrayBuffer();
  const text = path.replace("/", "");
  await page.getByTestId("request-row").filter({ hasText: text }).first().click();
  await expect(page.getByRole("tab", { name: "Response" })).toHaveAttribute("aria-selected", "true");
  await expect(content(page)).toBeVisible();
}

async function violations(page) {
  const found = [];
  for (const [colorScheme, rules] of [["dark", ["color-contrast"]], ["light", null]]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const axe = new AxeBuilder({ page });
    const { violations } = await (rules ? axe.withRules(rules) : axe).analyze();
    for (const { help, nodes } of violations) for (const { target } of nodes) found.push(`${colorScheme}: ${help}: ${target.join(" ")}`);
  }
  return found;
}

test("a list of records is a table with types, statistics, sorting, a filter and CSV", async ({ page, world }) => {
  await show(page, world, "/sales");
  const table = content(page).getByRole("grid");
  await expect(table).toHaveAttribute("aria-rowcount", "22");
  for (const [name, type] of [["city", "text"], ["day", "time"], ["sales", "int"], ["note", "text"]])
    await expect(table.getByRole("columnheader", { name: new RegExp(`^${name} ${type}`) })).toBeVisible();
  await expect(cells(page, 0)).toHaveText(["Graz", "2024-01-01", "0", "a, b"]);
  const stats = table.locator(".column-stats td");
  await expect(stats.filter({ hasText: "0 – 48" }).getByRole("img", { name: "from 0 to 48" })).toBeVisible();
  await expect(stats.filter({ hasText: "13 nulls" })).toContainText("1 distinct");
  await expect(stats.filter({ hasText: "3 distinct" })).toContainText("Linz: 10");

  const sales = table.getByRole("columnheader", { name: /^sales/ });
  await sales.getByRole("button").click();
  await expect(sales).toHaveAttribute("aria-sort", "ascending");
  await sales.getByRole("button").click();
  await expect(sales).toHaveAttribute("aria-sort", "descending");
  await expect(cells(page, 0)).toHaveText(["Graz", "2024-01-05", "48", "null"]);
  const width = async () => (await sales.boundingBox()).width;
  const before = await width();
  await sales.getByRole("button").press("Shift+ArrowRight");
  await expect.poll(width).toBeGreaterThan(before + 5);
  await content(page).getByLabel("Filter rows").fill('city=linz sales>30');
  await expect(content(page).getByRole("status").first()).toContainText("4 of 20 rows · 4 columns");
  await expect(cells(page, 0)).toHaveText(["Linz", "2024-01-02", "37", "null"]);

  const download = page.waitForEvent("download");
  await content(page).getByRole("button", { name: "Save these rows as CSV" }).click();
  const file = await download;
  expect(file.suggestedFilename()).toMatch(/^response-\d+\.csv$/);
  const lines = fs.readFileSync(await file.path(), "utf8").split("\r\n");
  expect(lines).toEqual(["city,day,sales,note", "Linz,2024-01-02,37,", "Linz,2024-01-06,35,", 'Linz,2024-01-10,33,"a, b"', "Linz,2024-01-14,31,", ""]);
});

test("the cells of a table are reached by keys, and the whole value of one is shown", async ({ page, world }) => {
  await show(page, world, "/sales");
  const table = content(page).getByRole("grid");
  await table.focus();
  for (const key of ["ArrowDown", "ArrowDown", "End", "ArrowLeft"]) await page.keyboard.press(key);
  await expect(content(page).getByTestId("cell-value")).toContainText("sales row 2");
  await page.keyboard.press("Control+End");
  await expect(content(page).getByTestId("cell-value")).toContainText("note row 20");
  await expect(table.locator('[aria-selected="true"]')).toBeInViewport();
});

test("JSON is a tree that folds, searches and gives the path of a value", async ({ page, world }) => {
  await show(page, world, "/nested");
  // The list of records inside is a table; the tree is beside it.
  await expect(content(page).getByRole("grid", { name: "The table rows" })).toBeVisible();
  await content(page).getByRole("button", { name: "Tree" }).click();
  const tree = content(page).getByRole("tree");
  await expect(tree.getByRole("treeitem", { name: /^exact/ })).toContainText("1.5");
  const tags = tree.getByRole("treeitem", { name: /tags/ });
  await expect(tags).toHaveAttribute("aria-expanded", "true");
  await tags.click();
  await expect(tags).toHaveAttribute("aria-expanded", "false");
  await expect(tree.getByRole("treeitem", { name: /^1: "engines"/ })).toHaveCount(0);
  await expect(content(page).getByTestId("json-path")).toHaveText('["user"]["tags"]');

  await content(page).getByLabel("Find").fill("engin");
  await expect(content(page).getByRole("status").first()).toHaveText("1 of 1");
  await expect(tree.locator("mark")).toHaveText("engin");
  await expect(content(page).getByTestId("json-path")).toHaveText('["user"]["tags"][1]');

  await tree.focus();
  await page.keyboard.press("ArrowLeft");
  await expect(content(page).getByTestId("json-path")).toHaveText('["user"]["tags"]');
  await page.keyboard.press("ArrowLeft");
  await expect(tags).toHaveAttribute("aria-expanded", "false");
  await page.keyboard.press("Home");
  await expect(content(page).getByTestId("json-path")).toHaveText("the whole value");
  await content(page).getByRole("button", { name: "Close all" }).click();
  await expect(tree.getByRole("treeitem")).toHaveCount(4);
});

test("a picture is drawn, and a PDF is described", async ({ page, world }) => {
  await show(page, world, "/figure");
  await expect(content(page).getByTestId("picture")).toHaveJSProperty("naturalWidth", 40);
  await expect(content(page)).toContainText("PNG · 40 × 30 pixels");
  await show(page, world, "/drawing");
  await expect(content(page).getByTestId("picture")).toHaveJSProperty("naturalWidth", 30);
  await show(page, world, "/paper");
  await expect(content(page).getByTestId("pdf")).toHaveText(/version 1\.4.*Pages.*1.*Sales/s);
  const download = page.waitForEvent("download");
  await content(page).getByRole("button", { name: "Save" }).click();
  expect((await download).suggestedFilename()).toMatch(/\.pdf$/);
});

test("CSV, Parquet and Arrow are tables, and a column with a secret name is masked", async ({ page, world }) => {
  await show(page, world, "/csv");
  await expect(content(page).getByRole("columnheader", { name: /^price float/ })).toBeVisible();
  await expect(cells(page, 0)).toHaveText(["Graz", "1.50", "a\nb"]);
  await expect(cells(page, 1)).toHaveText(["Linz", "null", 'a "b"']);
  for (const kind of ["parquet", "arrow.stream"]) {
    await show(page, world, `/frame/${kind}`);
    await expect(content(page).getByRole("columnheader", { name: /^sales int64/ })).toBeVisible();
    await expect(cells(page, 0)).toHaveText(["Graz", "120", "••••"]);
    await expect(cells(page, 2)).toHaveText(["null", "310", "••••"]);
  }
  expect(await page.content()).not.toContain("t0ps3cret");
});

test("server-sent events are a list", async ({ page, world }) => {
  await show(page, world, "/events");
  const events = content(page).getByTestId("events").getByRole("row");
  await expect(events).toHaveText([/price #1.*\{"tea": 3\}/, /comment.*ping/, /message.*one\s*two/]);
  await events.first().click();
  await expect(content(page).getByTestId("entry-text").getByRole("treeitem", { name: /^tea: 3/ })).toBeVisible();
});

test("axe finds no violation in any viewer, and each fits a phone", async ({ page, world }) => {
  for (const path of ["/sales", "/nested", "/figure", "/csv", "/frame/parquet", "/events", "/paper"]) {
    await page.setViewportSize({ width: 1280, height: 800 });
    await show(page, world, path);
    if (path === "/sales") await cells(page, 0).first().click();
    if (path === "/nested") await content(page).getByRole("button", { name: "Tree" }).click();
    if (path === "/events") await content(page).getByTestId("events").getByRole("row").first().click();
    if (path.startsWith("/frame")) await expect(content(page).getByRole("grid")).toBeVisible();
    expect.soft(await violations(page), path).toEqual([]);
    for (const width of [390, 360]) {
      await page.setViewportSize({ width, height: 740 });
      expect.soft(await page.evaluate(() => document.documentElement.scrollWidth), `${path} at ${width}`).toBeLessThanOrEqual(width);
    }
    await page.keyboard.press("Escape");
  }
});
