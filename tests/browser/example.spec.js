// The page of the example: an upload with faults, the stream of its results, and notes between two pages.

const { AxeBuilder } = require("@axe-core/playwright");
const { collectErrors, expect, test } = require("./world");

const NUMBERS = { name: "orders.csv", mimeType: "text/csv", buffer: Buffer.from("price\n1\n2\n3\n4\n") };

test.use({ expectedErrors: /status of 422/ });

test.beforeEach(async ({ page, world }) => {
  world.copy("example");
  // Without the script that reloads pages: a save must leave their WebSockets open.
  await world.start(0, ["--no-inject"]);
  await page.goto(`${world.app}python/confidence/`);
  await expect(page.locator("#connection")).toHaveText("live");
});

test.afterEach(({ errors }) => {
  expect(errors).toEqual([]);
});

async function compute(page, column) {
  await page.getByLabel("CSV file").setInputFiles(NUMBERS);
  await page.getByLabel("Column").fill(column);
  await page.getByLabel("Resamples").fill("500");
  await page.getByRole("button", { name: "Compute" }).click();
}

async function violations(page) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map(({ help, nodes }) => `${help}: ${nodes.map(({ target }) => target.join(" "))}`);
}

test("faults are shown beside their fields until the form is right, and the results arrive", async ({ page }) => {
  await page.setViewportSize({ width: 400, height: 800 });
  const described = (label) => page.getByLabel(label);
  await page.getByLabel("Resamples").fill("7");
  await page.getByRole("button", { name: "Compute" }).click();
  await expect(described("CSV file")).toHaveAccessibleDescription(/is missing/);
  await expect(described("Resamples")).toHaveAccessibleDescription(/must be at least 50/);
  await expect(described("CSV file")).toBeFocused();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(400);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    expect.soft(await violations(page), colorScheme).toEqual([]);
  }

  await compute(page, "cost");
  await expect(described("Column")).toHaveAccessibleDescription("must be one of price");
  await expect(described("Resamples")).toHaveAccessibleDescription("50 to 10000");

  await compute(page, "price");
  await expect(page.locator("#status")).toHaveText(/^With 95% confidence, price has a mean of 1\S* to [34]/);
  await expect(page.getByLabel("Progress")).toHaveJSProperty("value", 1);
  await expect(page.locator("#bars")).toHaveAttribute("d", /^M/);
});

test("two pages see each other's notes and results, and a save closes no WebSocket", async ({ context, page, world }) => {
  const other = await context.newPage();
  const errors = collectErrors(other);
  const sockets = [];
  other.on("websocket", (socket) => sockets.push(socket));
  await other.goto(page.url());
  await expect(other.locator("#connection")).toHaveText("live");

  const write = async (page, text) => {
    await page.getByLabel("Your note").fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  };
  const notes = (page) => page.getByRole("log").getByRole("paragraph");
  await write(page, "<b>Is this right?</b>");
  await expect(notes(other)).toContainText(["<b>Is this right?</b>"]);

  world.replace("confidence.py", "has a mean of", "has the mean");
  await compute(page, "price");
  await expect(notes(other)).toContainText(["Is this right?", "price has the mean"]);
  await write(other, "Yes.");
  await expect(notes(page)).toContainText(["Is this right?", "price has the mean", "Yes."]);
  expect(sockets.map((socket) => socket.isClosed())).toEqual([false]);

  // The notes have survived the save, for new pages too.
  await other.reload();
  await expect(notes(other)).toHaveCount(3);
  expect(errors).toEqual([]);
});
