// A request as code and as a file: the copied code runs, and asserts the response.

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { clipboard, openBeforeEach, rows } = require("./requests_page");
const { expect, test } = require("./world");

const APP = `from snaxum import Request, abort, redirect, route

@route("/orders/<int:id>", methods=["GET", "PUT"])
def order(request: Request) -> dict:
    body = request.body if request.method == "PUT" else None
    return {"id": request.path_params["id"], "big": 12345678901234567890, "rate": 1.0, "q": request.query_params.get("q"),
            "kind": request.headers.get("x-kind"), "token": "s3cret-value-of-a-token", "body": body, "none": None, "deep": {"list": [1, [True, False], {}]}}

@route("/page")
def page(request: Request) -> str:
    return "<p>it's \\"quoted\\" – ü \\u202e</p>\\n"

@route("/form", methods=["POST"])
def form(request: Request) -> dict:
    return dict(request.form)

@route("/gone")
def gone(request: Request):
    abort(410, "no more")

@route("/away")
def away(request: Request):
    return redirect("/page")

@route("/boom")
def boom(request: Request) -> dict:
    return {"count": 1 / 0}

@route("/nothing", methods=["DELETE"])
def nothing(request: Request) -> None:
    return None
`;

// The last test stops the server.
test.use({ files: { "app.py": APP }, expectedErrors: /ERR_CONNECTION_REFUSED/ });

openBeforeEach();

async function sendAll(world, page) {
  const send = (pathname, options) => fetch(new URL(pathname, world.app), { redirect: "manual", ...options });
  await send("/orders/7?q=it's%20%22tea%22", { method: "PUT", headers: { "content-type": "application/json", "x-kind": "it's \"odd\"" }, body: '{"n": [1, 2.50, null], "s": "\\ud83d\\ude00 \\/"}' });
  await send("/page");
  await send("/form", { method: "POST", body: new URLSearchParams({ name: "tea & cake", empty: "" }) });
  await send("/gone");
  await send("/away");
  await send("/boom");
  await send("/nothing", { method: "DELETE" });
  await send("/nowhere/%C3%BC");
  await expect(rows(page)).toHaveCount(8);
}

// Opens each request and copies it by the menu.
async function copyEach(page, name) {
  const copied = [];
  for (let index = 0; index < (await rows(page).count()); index += 1) {
    await rows(page).nth(index).click();
    await page.getByTestId("copy-menu").locator("summary").click();
    await page.evaluate(() => navigator.clipboard.writeText(""));
    await page.getByTestId("copy-menu").getByRole("button", { name }).click();
    await expect.poll(() => clipboard(page)).not.toBe("");
    copied.push(await clipboard(page));
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
  }
  return copied;
}

// A virtual environment with what the copied code imports; made once for the tests of this file.
function python() {
  const root = path.join(os.tmpdir(), "snaxum-browser-exports");
  const program = path.join(root, "bin/python");
  const stamp = path.join(root, "installed");
  if (!fs.existsSync(stamp)) {
    execFileSync("python3", ["-m", "venv", "--clear", root]);
    execFileSync(program, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pytest", "httpx", "requests"]);
    fs.writeFileSync(stamp, "");
  }
  return { root, program };
}

test("the copied pytest cases pass, and fail once the code returns something else", async ({ page, world }) => {
  await sendAll(world, page);
  const cases = await copyEach(page, "Copy as a pytest case");
  fs.mkdirSync(path.join(world.root, "tests"));
  cases.forEach((text, index) => fs.writeFileSync(path.join(world.root, "tests", `test_copied_${index}.py`), text));
  fs.symlinkSync(python().root, path.join(world.root, ".venv"));
  const run = () => execFileSync(process.env.SNAXUM_BIN, ["test", world.root, "--", "-q", "--color=no"], { encoding: "utf8" });
  expect(run()).toContain("8 passed");

  world.replace("app.py", '"rate": 1.0', '"rate": 1.5');
  let output = "";
  try {
    run();
  } catch (error) {
    output = error.stdout;
  }
  expect(output).toContain("1 failed, 7 passed");
});

test("the copied code for httpx and requests sends the same request", async ({ page, world }) => {
  await sendAll(world, page);
  for (const library of ["httpx", "requests"]) {
    await rows(page).last().click();
    await page.getByTestId("copy-menu").locator("summary").click();
    await page.getByTestId("copy-menu").getByRole("button", { name: `Copy for ${library}` }).click();
    await expect.poll(() => clipboard(page)).toContain(`import ${library}`);
    const output = execFileSync(python().program, ["-c", await clipboard(page)], { encoding: "utf8" });
    expect(output).toMatch(/^200 application\/json/);
    expect(output).toContain('"q":"it\'s \\"tea\\"","kind":"it\'s \\"odd\\""');
    expect(output).toContain('"body":{"n":[1,2.5,null],"s":"😀 /"}');
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
  }
});

test("the requests are saved as an archive that another program replays, with secrets masked", async ({ page, world, context }) => {
  await sendAll(world, page);
  const saved = page.waitForEvent("download");
  await page.getByTestId("column-menu").locator("summary").click();
  await page.getByRole("button", { name: "Save as HAR" }).click();
  const file = path.join(world.root, "requests.har");
  await (await saved).saveAs(file);
  await expect(page.getByText("8 saved")).toBeVisible();
  const text = fs.readFileSync(file, "utf8");
  const { log } = JSON.parse(text);
  expect(log.version).toBe("1.2");
  expect(log.entries.map(({ request }) => request.method)).toEqual(["PUT", "GET", "POST", "GET", "GET", "GET", "DELETE", "GET"]);
  for (const { time, timings, startedDateTime } of log.entries) {
    expect(Math.abs(timings.send + timings.wait + timings.receive - time)).toBeLessThan(0.001);
    expect(new Date(startedDateTime).toISOString()).toBe(startedDateTime);
  }
  expect(text).not.toContain("s3cret-value-of-a-token");
  await world.stop();
  const other = await context.newPage();
  await other.routeFromHAR(file, { notFound: "abort" });
  await other.goto(new URL("/page", world.app).href);
  await expect(other.locator("p")).toHaveText(/^it's "quoted"/);
});

test("masked values of a copied script and test have a comment, in the query too", async ({ page, world }) => {
  await fetch(new URL("/page?token=s3cret-of-the-query&day=1", world.app), { headers: { "x-api-key": "s3cret-of-a-header" } });
  await expect(rows(page)).toHaveCount(1);
  const remark = "  # masked: replace it";
  const [script] = await copyEach(page, "Copy for httpx");
  expect(script.split("\n").filter((line) => line.endsWith(remark))).toHaveLength(2);
  expect(script).toContain(`/page?token=••••&day=1",${remark}`);
  expect(script).not.toContain("s3cret");
  const [test] = await copyEach(page, "Copy as a pytest case");
  expect(test).toContain(`response = Client().get(\n        "/page?token=••••&day=1",${remark}\n`);
  for (const code of [script, test]) execFileSync("python3", ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], { input: code });
});
