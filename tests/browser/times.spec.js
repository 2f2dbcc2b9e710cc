// The times of a request: of a stream to its end, with the first byte marked, and phases that add up.

const { expect, test } = require("./world");

const APP = `import threading
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

@route("/boom")
def boom(request):
    return {"count": 1 / 0}
`;

test.use({ files: { "app.py": APP } });

test.beforeEach(async ({ page, world }) => {
  await world.start();
  await world.open(page);
});

test.afterEach(({ errors }) => {
  expect(errors).toEqual([]);
});

const row = (page, text) => page.getByTestId("request-row").filter({ hasText: text });

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
