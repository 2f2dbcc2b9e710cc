// The viewers of bodies: a table, a tree, a picture or a list, chosen by what the body is.

const fs = require("node:fs");
const { AxeBuilder } = require("@axe-core/playwright");
const { openBeforeEach } = require("./requests_page");
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

// {"id": [2**53 + 1, 2**53, null, 2**63 - 1], "big": [2**64 - 1, 1, 2, 3]} as int64 and uint64, written by pyarrow.
const IDS =
  "/////7AAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAIAAABIAAAABAAAAND///8AAAECEAAAABwAAAAEAAAAAAAAAAMAAABiaWcAAAAGAAgABAAGAAAAQAAAABAAFAAIAAYABwAMAAAAEAAQAAAAAAABAhAAAAAcAAAABAAAAAAAAAACAAAAaWQAAAgADAAIAAcACAAAAAAAAAFAAAAAAAAAAP////+4AAAAFAAAAAAAAAAMABYABgAFAAgADAAMAAAAAAMEABgAAABIAAAAAAAAAAAACgAYAAwABAAIAAoAAABcAAAAEAAAAAQAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAEAAAAAAAAACAAAAAAAAAAgAAAAAAAAACgAAAAAAAAAAAAAAAAAAAAoAAAAAAAAACAAAAAAAAAAAAAAAAIAAAAEAAAAAAAAAAEAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAsAAAAAAAAAAQAAAAAAIAAAAAAAAAAgAAAAAAAAAAAA/////////3///////////wEAAAAAAAAAAgAAAAAAAAADAAAAAAAAAP////8AAAAA";

const APP = `import base64
import struct
import zlib

from snaxum import Request, Response, WebSocket, get, websocket

FRAMES = {"parquet": "${PARQUET}", "arrow.stream": "${ARROW}", "ids.arrow.stream": "${IDS}"}


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


def scripts():
    js = "try { this.submitForm('/ran'); app.launchURL('/ran'); } catch (error) {} app.alert('it ran');"
    action = f"<</S/JavaScript/JS({js.replace('(', chr(92) + '(').replace(')', chr(92) + ')')})>>"
    parts = [f"<</Type/Catalog/Pages 2 0 R/OpenAction {action}/AcroForm<</Fields[4 0 R]>>>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Annots[4 0 R]>>", "<</Type/Annot/Subtype/Widget/FT/Tx/T(a)/V(b)/Rect[10 10 100 30]>>"]
    text, places = "%PDF-1.7\\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(text))
        text += f"{number} 0 obj{part}endobj\\n"
    entries = "".join(f"{place:010} 00000 n \\n" for place in places)
    return f"{text}xref\\n0 5\\n0000000000 65535 f \\n{entries}trailer<</Size 5/Root 1 0 R>>\\nstartxref\\n{len(text)}\\n%%EOF".encode()


@get("/scripted")
def scripted():
    return Response(scripts(), content_type="application/pdf")


@get("/csv")
def csv():
    return Response('city,price,note\\n"Graz",1.50,"a\\nb"\\nLinz,,"a ""b"""\\n', content_type="text/csv")


@get("/frame/<kind>")
def frame(kind: str):
    return Response(base64.b64decode(FRAMES[kind]), content_type="application/vnd.apache." + kind)


@get("/events")
def events():
    return Response(b'event: price\\nid: 1\\ndata: {"tea": 3}\\n\\n: ping\\n\\ndata: one\\ndata: two\\n\\n', content_type="text/event-stream")


@get("/secrets/csv")
def secrets_csv():
    return Response('city;api_token;n\\nGraz;"t0ps3cret";1\\nLinz;;2\\n', content_type="text/csv")


@get("/secrets/split")
def secrets_split():
    return {"columns": ["city", "api_token"], "index": [0, 1], "data": [["Graz", "t0ps3cret"], ["Linz", "b"]]}


@get("/secrets/lines")
def secrets_lines():
    return Response('["city", "api_token"]\\n["Graz", "t0ps3cret"]\\n', content_type="application/x-ndjson")


@get("/ids")
def ids():
    return [{"id": 2**53}, {"id": 2**53 + 1}, {"id": 2**64 + 1}, {"id": 2**64}]


@websocket("/echo")
async def echo(ws: WebSocket):
    async for message in ws:
        await ws.send(message)
`;

test.use({ files: { "app.py": APP } });

openBeforeEach();

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

test("a picture is drawn, and a PDF is described and opens in a tab", async ({ page, world }) => {
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
  const [tab] = await Promise.all([page.waitForEvent("popup"), content(page).getByRole("link", { name: "Open it in a tab" }).click()]);
  await tab.waitForLoadState();
  // The browser's own viewer has it.
  expect(await tab.evaluate(() => [document.contentType, opener])).toEqual(["application/pdf", null]);
  await tab.close();
});

test("the scripts of a PDF in a tab send nothing", async ({ page, world }) => {
  await show(page, world, "/scripted");
  const alerted = new Promise((resolve) => page.context().once("dialog", resolve));
  await content(page).getByRole("link", { name: "Open it in a tab" }).click();
  const dialog = await alerted;
  expect(dialog.message()).toContain("it ran");
  await dialog.dismiss();
  await world.get("/sales");
  await expect(page.getByTestId("request-row").first()).toContainText("/sales");
  await expect(page.getByTestId("request-row").filter({ hasText: "/ran" })).toHaveCount(0);
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

test("columns with secret names are masked in CSV, pandas' split and JSON lines, also as text", async ({ page, world }) => {
  await show(page, world, "/secrets/csv");
  await expect(cells(page, 0)).toHaveText(["Graz", "••••", "1"]);
  await expect(cells(page, 1)).toHaveText(["Linz", "null", "2"]);
  await content(page).getByRole("button", { name: "Text", exact: true }).click();
  await expect(content(page).getByTestId("body")).toContainText("Graz;••••;1");
  await show(page, world, "/secrets/split");
  await expect(cells(page, 0)).toHaveText(["Graz", "••••"]);
  await content(page).getByRole("button", { name: "Text", exact: true }).click();
  await expect(content(page).getByTestId("body")).toContainText('["Graz","••••"]');
  await show(page, world, "/secrets/lines");
  await expect(content(page).getByTestId("lines").getByRole("row").last()).toContainText('["Graz", "••••"]');
  expect(await page.content()).not.toContain("t0ps3cret");
});

test("long integers have all their digits in tables, filters, statistics and files", async ({ page, world }) => {
  await show(page, world, "/ids");
  const id = content(page).getByRole("columnheader", { name: /^id/ });
  const column = content(page).locator("tbody").getByRole("gridcell");
  await expect(content(page).locator(".column-stats")).toContainText("9007199254740992 – 18446744073709551617");
  await id.getByRole("button").click();
  await expect(column).toHaveText(["9007199254740992", "9007199254740993", "18446744073709551616", "18446744073709551617"]);
  await id.getByRole("button").click();
  await expect(column.first()).toHaveText("18446744073709551617");
  for (const [filter, shown] of [["id=9007199254740993", ["9007199254740993"]], ["id>18446744073709551616", ["18446744073709551617"]]]) {
    await content(page).getByLabel("Filter rows").fill(filter);
    await expect(column).toHaveText(shown);
  }
  const download = page.waitForEvent("download");
  await content(page).getByRole("button", { name: "Save these rows as CSV" }).click();
  expect(fs.readFileSync(await (await download).path(), "utf8")).toBe("id\r\n18446744073709551617\r\n");
  await show(page, world, "/frame/ids.arrow.stream");
  await expect(cells(page, 0)).toHaveText(["9007199254740993", "18446744073709551615"]);
  await expect(cells(page, 3)).toHaveText(["9223372036854775807", "3"]);
});

test("the choices in a viewer survive opening another request and coming back", async ({ page, world }) => {
  const open = (path) => page.getByTestId("request-row").filter({ hasText: path }).click();
  await show(page, world, "/nested");
  await content(page).getByRole("button", { name: "Tree" }).click();
  await content(page).getByRole("treeitem", { name: /tags/ }).click();
  await show(page, world, "/sales");
  await content(page).getByLabel("Filter rows").fill("city=linz");
  await content(page).getByRole("columnheader", { name: /^sales/ }).getByRole("button").click();
  await cells(page, 2).nth(1).click();
  const value = await content(page).getByTestId("cell-value").textContent();

  await open("/nested");
  await expect(content(page).getByRole("treeitem", { name: /tags/ })).toHaveAttribute("aria-expanded", "false");
  await open("/sales");
  await expect(content(page).getByLabel("Filter rows")).toHaveValue("city=linz");
  await expect(content(page).getByRole("columnheader", { name: /^sales/ })).toHaveAttribute("aria-sort", "ascending");
  await expect(content(page).getByTestId("cell-value")).toHaveText(value);
  await page.keyboard.press("Escape");
  await world.get("/sales");
  await expect(page.getByTestId("request-row").filter({ hasText: "/sales" })).toHaveCount(2);
  await page.getByTestId("request-row").filter({ hasText: "/sales" }).first().click();
  await expect(content(page).getByLabel("Filter rows")).toHaveValue("");
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
