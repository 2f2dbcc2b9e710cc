// The Workers tab, the charts, and the running requests.

const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");
const { expect, test } = require("./world");

// A handler blocks here until the test closes the connection.
const GATE = `import asyncio, pathlib, socket

PATH = str(pathlib.Path(__file__).parent.parent / "gate.sock")

def wait():
    with socket.socket(socket.AF_UNIX) as gate:
        gate.connect(PATH)
        gate.sendall(b"x")
        gate.recv(1)

async def wait_async():
    reader, writer = await asyncio.open_unix_connection(PATH)
    writer.write(b"x")
    await reader.read(1)
    writer.close()
`;
const APP = `import gate, tasks
from snaxum import Request, route

@route("/block")
def block(request: Request) -> str:
    gate.wait()
    return "done"

@route("/next")
def next_one(request: Request) -> str:
    gate.wait()
    return "next"

@route("/later")
async def later(request: Request) -> str:
    await gate.wait_async()
    return "later"

@route("/die", use_process_pool=True)
def die(request: Request, pool) -> str:
    return str(pool.submit(tasks.die).result())

@route("/work", use_process_pool=True)
def work(request: Request, pool) -> str:
    return str(pool.submit(tasks.block).result())
`;
const TASKS = `import gate, os

def die():
    os._exit(3)

def block():
    gate.wait()
    return 1
`;

let gate;
let arrivals;

test.use({ files: { "gate.py": GATE, "app.py": APP, "tasks.py": TASKS } });

test.beforeEach(async ({ page, world }) => {
  arrivals = [];
  const expected = [];
  gate = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => (expected.length ? expected.shift()(socket) : arrivals.push(socket)));
  });
  gate.arrival = () => (arrivals.length ? Promise.resolve(arrivals.shift()) : new Promise((resolve) => expected.push(resolve)));
  await new Promise((resolve) => gate.listen(path.join(world.root, "gate.sock"), resolve));
  await world.start();
  await world.open(page);
  await page.keyboard.press("6");
});

test.afterEach(() => {
  gate.close();
});

test("running requests are shown with thread, age and generation until they end", async ({ page, world, errors }) => {
  const blocking = world.get("/block");
  const inThread = await gate.arrival();
  const later = world.get("/later");
  const onLoop = await gate.arrival();
  const work = world.get("/work");
  const inPool = await gate.arrival();

  const busy = page.getByTestId("dispatch-row").filter({ hasText: "/block" });
  await expect(busy).toContainText("dispatch-");
  await expect(busy).toContainText(/\d (ms|s)/);
  await expect(page.getByTestId("list-asyncio-loop")).toContainText("GET /later");
  await expect(page.getByTestId("list-Requests-using-the-pool")).toContainText("GET /work");
  const process = page.getByTestId("pool-row").filter({ hasText: "tasks.block" });
  await expect(process).toContainText("● busy");
  await expect(process.locator(".c-outcome")).toHaveText("1");
  await expect(process).toContainText("MiB");

  world.edit("tasks.py", `${TASKS}\nMORE = 1\n`);
  await expect(process).toContainText("▲ stale");
  await expect(busy).toContainText("1 ▲ old");
  await expect(page.getByTestId("list-asyncio-loop")).toContainText("1 ▲ old");

  for (const socket of [inThread, onLoop, inPool]) socket.end("x");
  for (const request of [blocking, later, work]) expect((await request).status).toBe(200);
  await expect(page.getByTestId("dispatch-row").filter({ hasText: "/block" })).toHaveCount(0);
  await expect(page.getByTestId("list-asyncio-loop")).toContainText("0 requests");
  await expect(page.getByTestId("pool-row").filter({ hasText: "tasks.block" })).toHaveCount(0);
  await expect(page.getByRole("img", { name: /^busy Python threads/ })).toBeVisible();
  expect(errors).toEqual([]);
});

test("arrow keys move between the rows of each table", async ({ page, world, errors }) => {
  const threads = page.getByTestId("dispatch-row");
  const busy = page.getByTestId("busy-threads");
  await expect(busy).toHaveText(/^0 of \d+ busy$/);
  const count = Number((await busy.textContent()).match(/of (\d+)/)[1]);
  const requests = [];
  const sockets = [];
  for (const address of ["/later", "/later", ...Array(count).fill("/block")]) {
    requests.push(world.get(address));
    sockets.push(await gate.arrival());
  }
  for (const address of ["/block", "/block"]) requests.push(world.get(address));
  const tables = { threads, queue: page.getByTestId("list-Queue").locator("tbody tr"), loop: page.getByTestId("list-asyncio-loop").locator("tbody tr") };
  for (const [name, rows] of Object.entries(tables)) {
    await expect(rows.nth(1), name).toBeVisible();
    await rows.first().focus();
    for (const [key, index] of [["ArrowDown", 1], ["ArrowUp", 0], ["End", -1], ["Home", 0]]) {
      await page.keyboard.press(key);
      await expect(rows.nth(index), `${name}: ${key}`).toBeFocused();
    }
    await expect(rows.and(page.locator('[tabindex="0"]')), name).toHaveCount(1);
  }
  for (const socket of sockets) socket.end("x");
  for (let queued = 0; queued < 2; queued += 1) (await gate.arrival()).end("x");
  for (const request of requests) expect((await request).status).toBe(200);
  expect(errors).toEqual([]);
});

test("an exited worker is listed with its task and its replacement", async ({ page, world, errors }) => {
  await expect(page.getByTestId("workers")).toBeVisible();
  await expect(page.getByTestId("exits")).toHaveCount(0);
  expect((await world.get("/die")).status).toBe(500);
  const exit = page.getByTestId("exits").locator("tbody tr");
  await expect(exit).toHaveCount(1);
  await expect(exit).toContainText("tasks.die");
  await expect(exit).toContainText("exited with code 3");
  await expect(exit).toHaveAttribute("tabindex", "0");
  const successor = await exit.locator("td").last().textContent();
  await expect(page.getByTestId("pool-row").filter({ hasText: successor })).toHaveCount(1);
  expect(errors).toEqual([]);
});

test("the workers of a handler are listed with their devices", async ({ page, world, errors }) => {
  const section = page.getByRole("region", { name: "Workers of app.predict" });
  await expect(section).toHaveCount(0);
  world.edit("app.py", `${APP}\n@route("/predict", workers=2)\ndef predict(n: int) -> int:\n    gate.wait()\n    return n\n`);
  const rows = section.getByTestId("pool-row");
  await expect(rows).toHaveCount(2);
  await expect(section.getByRole("columnheader", { name: "Device" })).toBeVisible();
  await expect(rows.nth(0).locator("td").nth(1)).toHaveText("0");
  await expect(rows.nth(1).locator("td").nth(1)).toHaveText("1");
  const predicting = world.get("/predict?n=4");
  const socket = await gate.arrival();
  await expect(section).toContainText("1 of 2 busy");
  await expect(rows.filter({ hasText: "● busy" })).toContainText("app.predict");
  socket.end("x");
  expect(await (await predicting).json()).toBe(4);
  await expect(page.getByRole("region", { name: "Process pool" }).getByRole("columnheader", { name: "Device" })).toHaveCount(0);
  expect(errors).toEqual([]);
});

test("an exited worker is shown immediately, not with the next fetch", async ({ page, world, errors }) => {
  await page.addInitScript(() => {
    const wait = window.setTimeout;
    window.setTimeout = (run, ms, ...rest) => wait(run, ms === 1000 ? 1e9 : ms, ...rest);
  });
  await page.reload();
  await expect(page.getByTestId("workers")).toBeVisible();
  expect((await world.get("/die")).status).toBe(500);
  await expect(page.getByTestId("exits").locator("tbody tr")).toHaveCount(1);
  expect(errors).toEqual([]);
});

test("rate and percentiles are drawn, and described as text", async ({ page, world, errors }) => {
  await page.setViewportSize({ width: 1500, height: 800 }); // narrower windows hide one sparkline
  const chart = (name) => page.getByRole("img", { name });
  await expect(chart("requests per second in the last minute: now 0, at most 0")).toBeVisible();
  await expect(chart(/^95th percentile/)).toHaveCount(0); // nothing to show while idle
  arrivals.push = (socket) => socket.end("x");
  await world.get("/block");
  await expect(chart(/^requests per second in the last minute: now \d, at most [1-9]/)).toBeVisible();
  await expect(chart(/^95th percentile of each second in the last minute: now .*, at most [\d.<]+ m?s/)).toBeVisible();
  expect(await chart(/^95th/).locator("path.segment").count()).toBeGreaterThan(0);

  const latency = page.getByTestId("latency");
  await expect(latency).toContainText("1 request in the last minute");
  await expect(latency.locator(".plot")).toHaveText(/\d m?s.*0\.0 ms.*60 s ago.*now/);
  for (const name of ["p50", "p95", "p99"]) {
    await expect(latency.getByRole("row", { name: new RegExp(`^${name} [\\d.<]+ m?s [\\d.<]+ m?s$`) })).toBeVisible();
  }
  for (const [index, dashes] of ["none", "7px, 3px", "2px, 2px"].entries()) {
    await expect(latency.locator(`.sample .line-${index}`)).toHaveCSS("stroke-dasharray", dashes);
    await expect(latency.locator(`.plot > svg .line-${index}`)).toHaveCount(1);
  }
  expect(errors).toEqual([]);
});

test("a queued request is shown, and later which request blocked it", async ({ page, world, errors }) => {
  await page.goto("about:blank"); // closes the console before its server stops
  await world.stop();
  fs.writeFileSync(path.join(world.root, "pyproject.toml"), "[tool.snaxum]\ndispatch-workers = 1\n");
  await world.start();
  await world.open(page);
  const blocking = world.get("/block");
  const inThread = await gate.arrival();
  const next = world.get("/next");
  await expect(page.getByTestId("slow-requests")).toContainText("#2 GET /next");
  await expect(page.getByTestId("current-load")).toHaveText("1 waiting · 1 of 1 thread busy");
  inThread.end("x");
  await blocking;
  (await gate.arrival()).end("x");
  await next;

  const row = page.getByTestId("request-row").filter({ hasText: "/next" });
  await expect(row).toContainText("← #1 /block");
  await row.click();
  await page.getByRole("tab", { name: "Timing" }).click();
  await page.getByTestId("blocked-by").getByRole("button", { name: "#1 GET /block" }).click();
  await expect(page.getByTestId("request-details")).toContainText("GET /block");
  await expect(page.getByTestId("hint")).toBeVisible();
  await expect(page.getByTestId("hint")).toContainText("its time waiting");
  await expect(page.getByTestId("slow-requests")).toHaveCount(0);
  await expect(page.getByTestId("current-load")).toHaveCount(0);
  expect(errors).toEqual([]);
});
