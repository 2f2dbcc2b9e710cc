// The times of a request: of a stream to its end, with the first byte marked, and phases that add up.

const { openBeforeEach, row } = require("./requests_page");
const { expect, test } = require("./world");

const APP = `import asyncio
import threading
from snaxum import route

opened = threading.Event()

@route("/parts")
def parts(request):
    def chunks():
        yield b"one"
        opened.wait()
        yield b"three"
    return chunks()

@route("/open")
def open(request):
    opened.set()
    return {}

@route("/later")
async def later(request):
    await asyncio.sleep(0.02)
    return {}

@route("/boom")
def boom(request):
    return {"count": 1 / 0}
`;

test.use({ files: { "app.py": APP } });

openBeforeEach();

test("the time of a stream grows to its end, and its first byte is marked", async ({ page, world }) => {
  const response = await world.get("/parts");
  await expect(row(page, "/parts").locator(".c-total")).toContainText("+");
  await row(page, "/parts").click();
  await page.getByRole("tab", { name: "Timing" }).click();
  const times = page.getByRole("tabpanel");
  await expect(times.getByTestId("first-byte")).toContainText("still streaming");

  await world.get("/open");
  expect(await response.text()).toBe("onethree");
  await expect(times.getByTestId("first-byte")).toContainText("the body was complete: 2 chunks, 8 bytes");
  await expect(times.getByRole("row", { name: /^streaming/ })).toBeVisible();
  await expect(row(page, "/parts").locator(".c-total")).not.toContainText("+");
  await expect(row(page, "/parts").getByRole("img")).toHaveAccessibleName(/streaming .* · first byte after /);
});

test("the description of an exception is a phase of its own", async ({ page, world }) => {
  await world.get("/boom");
  await row(page, "/boom").click();
  await page.getByRole("tab", { name: "Timing" }).click();
  const error = page.getByRole("tabpanel").getByRole("row", { name: /^error/ });
  await expect(error).toContainText("describing an exception");
  await expect(page.getByRole("tabpanel").getByRole("row", { name: /^encoding/ })).toContainText("0.0 ms");
});

// The shortest and the longest time that is shown as this text.
function range(text) {
  if (text === "<0.1 ms") return [0, 0.05];
  const [, digits, unit] = text.match(/^([\d.]+) (ms|s)$/);
  const half = digits.includes(".") ? 0.05 : 0.5;
  return [Number(digits) - half, Number(digits) + half].map((value) => value * (unit === "s" ? 1000 : 1));
}

test("the phases that are shown add up to the time of the request", async ({ page, world }) => {
  for (const address of ["/boom", "/nowhere", "/later", "/open", "/parts"]) await (await world.get(address)).text();
  await expect(row(page, "/parts").locator(".c-total")).not.toContainText("+");
  await expect(page.getByTestId("request-row")).toHaveCount(5);
  for (const address of ["/boom", "/nowhere", "/later", "/open", "/parts"]) {
    await row(page, address).click();
    await page.getByRole("tab", { name: "Timing" }).click();
    const table = page.getByRole("tabpanel", { name: "Timing" }).locator("table.timing");
    await expect(table.getByRole("rowheader", { name: "sending" })).toBeVisible();
    const texts = await table.getByRole("row").filter({ hasNot: page.getByRole("rowheader", { name: /^(total|first byte)$/ }) }).locator(".number").allTextContents();
    const total = range(await table.locator(".sum .number").textContent());
    const sum = texts.map(range).reduce(([least, most], [from, to]) => [least + from, most + to]);
    expect(texts.length, address).toBeGreaterThan(3);
    expect(sum[0], `${address}: ${texts}`).toBeLessThanOrEqual(total[1]);
    expect(sum[1], `${address}: ${texts}`).toBeGreaterThanOrEqual(total[0]);
  }
});
