// The page that documents the API of the app's handlers: without a network, in both colors, and with requests.

const { expect, test } = require("./world");

const APP = `"""The shop."""
from snaxum import WebSocket, get, websocket

@get("/items/<int:item_id>")
def item(item_id: int, lang: str = "en") -> dict[str, int]:
    """Show an item."""
    return {"id": item_id}

@websocket("/chat/<room>")
async def chat(ws: WebSocket, room: str):
    """Talk to others."""
`;

test.use({ files: { "app.py": APP } });

for (const colorScheme of ["light", "dark"]) {
  test(`the docs page works in ${colorScheme} and requests no other origin`, async ({ browser, world }) => {
    await world.start();
    const context = await browser.newContext({ colorScheme });
    const page = await context.newPage();
    const [errors, others] = [[], []];
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.protocol !== "data:" && url.host !== new URL(world.app).host) others.push(request.url());
    });
    await page.goto(new URL("/docs", world.app).href);
    await expect(page.getByText("Show an item.").first()).toBeVisible();
    await expect(page.getByText("/chat/{room}")).toBeVisible();
    await expect(page.getByText("Talk to others.")).toBeVisible();
    await expect(page.locator("rapi-doc")).toHaveAttribute("theme", colorScheme);

    await page.getByTestId("try-it").getByLabel("item_id").fill("7");
    const sent = page.waitForResponse((response) => response.url().includes("/items/7"));
    await page.getByTestId("try-it").getByRole("button", { name: "Send" }).click();
    expect(await (await sent).json()).toEqual({ id: 7 });
    await expect(page.getByTestId("try-result")).toContainText("200 OK");
    await expect(page.getByTestId("try-it").getByLabel("lang")).toHaveAttribute("placeholder", "en");
    expect(errors).toEqual([]);
    expect(others).toEqual([]);
    await context.close();
  });
}

test("behind a proxy that adds a prefix, the page sends its requests below it", async ({ page, world }) => {
  await world.start();
  await page.route("**/shop/**", async (route) => {
    const url = route.request().url().replace("/shop/", "/");
    await route.fulfill({ response: await route.fetch({ url }) });
  });
  await page.goto(new URL("/shop/docs", world.app).href);
  await page.getByTestId("try-it").getByLabel("item_id").fill("7");
  const sent = page.waitForResponse((response) => response.url().includes("/items/7"));
  await page.getByTestId("try-it").getByRole("button", { name: "Send" }).click();
  expect(new URL((await sent).url()).pathname).toBe("/shop/items/7");
  expect(await (await sent).json()).toEqual({ id: 7 });
});
