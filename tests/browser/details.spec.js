// An open request: its parts as tabs, by mouse, by keyboard and by link.

const { openBeforeEach, row } = require("./requests_page");
const { expect, test } = require("./world");

const SHOP = `from snaxum import Request, route

@route("/items", methods=["GET", "POST"])
def items(request: Request) -> dict:
    return {"items": ["tea"]}

@route("/logs")
def logs(request: Request) -> dict:
    print("first")
    print("second")
    return {}

@route("/boom")
def boom(request: Request) -> dict:
    print("about to fail")
    return {"count": 1 / 0}
`;

test.use({ files: { "shop.py": SHOP } });

openBeforeEach();

const tab = (page, name) => page.getByRole("tab", { name });
const names = (page) => page.getByRole("tab").evaluateAll((tabs) => tabs.map((each) => each.textContent.trim()));

// Opens a request and waits until its details are loaded.
async function open(page, text) {
  await row(page, text).click();
  await expect(page.getByRole("button", { name: "Replay", exact: true })).toBeVisible();
}

test("an open request has a tab for each part that has content", async ({ page, world }) => {
  await fetch(new URL("/items?kind=tea", world.app), { method: "POST", body: "<b>sent</b>" });
  await world.get("/logs");
  await world.get("/boom");

  await open(page, "/items");
  expect(await names(page)).toEqual(["Response", "Request", "Timing"]);
  const panel = page.getByRole("tabpanel");
  await expect(panel).toHaveAccessibleName("Response");
  await tab(page, "Timing").click();
  await expect(panel.getByRole("row", { name: /^total/ })).toBeVisible();
  await tab(page, "Request").click();
  await expect(panel).toHaveAccessibleName("Request");
  await expect(panel.getByRole("heading")).toHaveText(["Query", "Body", "Headers"]);
  await expect(panel.getByTestId("body")).toHaveText("<b>sent</b>\n");
  await tab(page, "Response").click();
  await expect(panel.getByRole("row", { name: "content-type" })).toContainText("application/json");
  await expect(panel.getByRole("treeitem", { name: /"tea"/ })).toBeVisible();
  await panel.getByRole("button", { name: "Text" }).click();
  await expect(panel.getByTestId("body")).toHaveText('{"items":["tea"]}\n');

  await open(page, "/logs");
  expect(await names(page)).toEqual(["Response", "Request", "Timing", "Logs 2"]);
  await tab(page, "Logs").click();
  await expect(panel.getByTestId("logs")).toContainText("second");

  await open(page, "/boom");
  // A request that a busy machine delays has a profile, too.
  expect((await names(page)).filter((name) => name !== "Profile")).toEqual(["Response", "Request", "Timing", "Logs 1", "Error"]);
  await page.getByRole("button", { name: "Replay", exact: true }).click();
  await expect(row(page, "/boom")).toHaveCount(2);
  await expect(tab(page, "Diff")).toBeVisible();
  await tab(page, "Diff").click();
  await expect(panel.getByTestId("response-diff")).toHaveText("The response is the same.");
});

test("the error is shown first, otherwise the part that was chosen last", async ({ page, world }) => {
  for (const address of ["/items", "/logs", "/boom"]) await world.get(address);
  await open(page, "/logs");
  await expect(tab(page, "Response")).toHaveAttribute("aria-selected", "true");
  await expect(page).toHaveURL(/#requests\?open=2&run=[\w-]+$/);
  await tab(page, "Timing").click();
  await expect(page).toHaveURL(/&part=timing$/);

  await open(page, "/items");
  await expect(tab(page, "Timing")).toHaveAttribute("aria-selected", "true");
  await expect(page).toHaveURL(/open=1&run=[\w-]+&part=timing$/);
  await open(page, "/boom");
  await expect(tab(page, "Error")).toHaveAttribute("aria-selected", "true");
  await expect(page.getByRole("tabpanel").getByTestId("traceback")).toBeVisible();
  await expect(page).toHaveURL(/open=3&run=[\w-]+$/);

  // The choice is remembered even if a request does not have the part.
  await open(page, "/logs");
  await tab(page, "Logs").click();
  await open(page, "/items");
  await expect(tab(page, "Response")).toHaveAttribute("aria-selected", "true");
  await open(page, "/logs");
  await expect(tab(page, "Logs")).toHaveAttribute("aria-selected", "true");
});

test("arrow keys move between tabs, and the page's shortcuts still work", async ({ page, world }) => {
  for (const address of ["/items", "/boom"]) await world.get(address);
  await open(page, "/boom");
  const selected = (name) => expect(page.getByRole("tab", { selected: true })).toHaveText(name);
  await selected("Error");

  await page.getByRole("button", { name: "Copy link" }).focus();
  await page.keyboard.press("Tab");
  await expect(tab(page, "Error")).toBeFocused();
  await expect(tab(page, "Error")).toHaveCSS("outline-style", "solid");
  for (const [key, name] of [["ArrowRight", "Response"], ["ArrowRight", "Request"], ["ArrowLeft", "Response"], ["ArrowLeft", "Error"], ["Home", "Response"], ["End", "Error"], ["ArrowLeft", /^Logs/]]) {
    await page.keyboard.press(key);
    await selected(name);
    await expect(tab(page, name)).toBeFocused();
  }
  await expect(page.locator('[role="tab"][tabindex="0"]')).toHaveCount(1);
  await page.keyboard.press("Tab");
  await expect(page.getByRole("tabpanel", { name: "Logs" })).toBeFocused();

  await tab(page, "Logs").focus();
  await page.keyboard.press("?");
  await expect(page.getByRole("row", { name: "move between the parts" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("shortcuts")).toBeHidden();
  await page.keyboard.press("/");
  await expect(page.getByTestId("filter")).toBeFocused();
  await tab(page, "Logs").focus();
  await page.keyboard.press("3");
  await expect(page.getByTestId("tab-routes")).toHaveAttribute("aria-current", "page");
  await page.keyboard.press("2");
  await open(page, "/items");
  await tab(page, "Timing").focus();
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("request-details")).toHaveCount(0);
  await expect(row(page, "/items")).toBeFocused();
  await page.keyboard.press("ArrowUp");
  await expect(row(page, "/boom")).toBeFocused();
});

test("a copied link opens the part that was shown", async ({ page, context, world }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const copied = async () => {
    await page.getByRole("button", { name: "Copy link" }).click();
    await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
    return page.evaluate(() => navigator.clipboard.readText());
  };
  await world.get("/boom");
  await open(page, "/boom");
  const errorLink = await copied();
  expect(errorLink).toMatch(/&part=error$/);
  await tab(page, "Response").click();
  const responseLink = await copied();
  expect(responseLink).toMatch(/&part=response$/);

  for (const [link, name] of [[errorLink, "Error"], [responseLink, "Response"], [errorLink.replace("=error", "=nonsense"), "Error"]]) {
    await page.goto("about:blank");
    await page.goto(link);
    await expect(page.getByRole("tab", { selected: true })).toHaveText(name);
  }
  await page.goto(responseLink);
  await page.reload();
  await expect(page.getByRole("tab", { selected: true })).toHaveText("Response");
});

test("the state of a part is preserved while another one is shown", async ({ page, world }) => {
  await world.get("/boom");
  await open(page, "/boom");
  const printed = page.getByText("As Python prints it");
  await printed.click();
  await expect(page.getByText("Traceback (most recent call last)")).toBeVisible();
  await tab(page, "Request").click();
  await expect(printed).toBeHidden();
  await world.get("/items");
  await expect(row(page, "/items")).toBeVisible();
  await tab(page, "Error").click();
  await expect(page.getByText("Traceback (most recent call last)")).toBeVisible();
});

test("the timing is shown while waiting pages use all of the browser's connections", async ({ page, context, world }) => {
  world.edit("waiting.py", `import asyncio
from snaxum import Request, Response, route

@route("/waiting/<int:n>")
async def waiting(request: Request) -> str:
    await asyncio.Event().wait()

@route("/page")
def page(request: Request) -> Response:
    return Response("<!doctype html><title>waits</title>", content_type="text/html")
`);
  await world.get("/logs");
  // The modules of the tab must be there before the connections are used up.
  await expect(row(page, "/logs")).toBeVisible();
  const app = await context.newPage();
  await app.goto(new URL("/page", world.app).href);
  await app.evaluate(() => {
    for (const n of [1, 2, 3, 4, 5, 6]) fetch(`/waiting/${n}`).catch(() => {});
  });
  await page.getByTestId("slow-requests").locator("summary").click();
  for (const n of [1, 2, 3, 4, 5, 6]) await expect(page.getByText(`/waiting/${n}`).first()).toBeVisible();

  await row(page, "/logs").click();
  await expect(tab(page, "Timing")).toBeVisible();
  await expect(page.getByTestId("request-details")).toContainText("six connections");
  await app.close();
  await expect(tab(page, "Logs")).toBeVisible();
});
