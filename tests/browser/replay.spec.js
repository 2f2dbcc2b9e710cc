// Replaying a request: unchanged, edited, and pinned until it passes.

const { openBeforeEach } = require("./requests_page");
const { expect, test } = require("./world");

const APP = `from snaxum import route

@route("/share", methods=["GET", "POST"])
def share(request):
    count = 0
    return {"share": 12 / count, "text": request.text}
`;

test.use({ files: { "app.py": APP }, expectedErrors: /status of 4/ });

openBeforeEach();

test("a pinned failure is replayed after a save, and passes once the code is fixed", async ({ page, world }) => {
  await world.get("/share");
  await page.getByTestId("request-row").first().click();
  await page.getByRole("button", { name: "Pin until it passes" }).click();
  await expect(page.getByTestId("pins")).toContainText("failing");

  world.edit("app.py", APP.replace("count = 0", "count = 4"));
  await expect(page.getByTestId("pins")).toContainText("passing");
  await page.getByTestId("pins").getByRole("button", { name: "GET /share", exact: true }).click();
  await page.getByRole("tab", { name: "Diff" }).click();
  const diff = page.getByTestId("response-diff");
  await expect(diff).toBeVisible();
  await expect(diff).toContainText("- 500");
  await expect(diff).toContainText("+ 200");
  await expect(diff).toContainText("- ZeroDivisionError");

  await page.getByTestId("tab-reloads").click();
  await expect(page.getByTestId("pin-results")).toHaveText("⚑ pinned: 1 passing");
  await page.getByTestId("tab-requests").click();
  await page.getByRole("button", { name: "Unpin GET /share" }).click();
  await expect(page.getByTestId("pins")).toHaveCount(0);
});

test("a request is replayed unchanged and with another body", async ({ page, context, world }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  world.edit("app.py", APP.replace("count = 0", "count = 4"));
  await expect(page.getByTestId("state")).toContainText("version 2 live");
  await fetch(new URL("/share", world.app), { method: "POST", body: "<b>first</b>" });
  await page.getByTestId("request-row").first().click();
  await page.getByRole("tab", { name: "Request" }).click();
  await expect(page.getByRole("tabpanel").getByTestId("body")).toHaveText("<b>first</b>\n");

  await page.getByRole("button", { name: "Copy as cURL", exact: true }).click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain("--data-raw '<b>first</b>'");
  await page.getByRole("button", { name: "Replay", exact: true }).click();
  await expect(page.getByTestId("request-row")).toHaveCount(2);
  await page.getByRole("tab", { name: "Diff" }).click();
  await expect(page.getByTestId("response-diff")).toBeVisible();
  await expect(page.getByTestId("response-diff")).toHaveText("The response is the same.");

  await page.getByRole("button", { name: "Edit and replay" }).click();
  await page.getByLabel("Body").fill("second");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByTestId("request-row")).toHaveCount(3);
  // The part that was chosen last is shown.
  await expect(page.getByTestId("response-diff")).toBeVisible();
  await expect(page.getByTestId("response-diff")).toContainText('+ {"share":3.0,"text":"second"}');

  await page.getByRole("button", { name: "Edit and replay" }).click();
  await page.getByLabel("Path and query").fill("nowhere");
  await page.getByRole("button", { name: "Send" }).click();
  await expect(page.getByText(/`nowhere` is /)).toBeVisible();
});
