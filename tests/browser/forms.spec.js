// The typed form of a route, on the Routes tab and on the docs page, and the list and picture around it.

const { expect, test } = require("./world");

const PRICES = "import taxes\nRATE = 2\n";
const SHOP = `"""Orders."""
from dataclasses import dataclass
from typing import Annotated, Literal
from snaxum import Form, Header, Path, Query, UploadFile, get, post
import prices

@dataclass
class Order:
    item: str
    count: int = 1
    size: Literal["small", "large"] = "small"
    gift: bool | None = None

@post("/orders/<int:shop_id>", status=201)
def create(shop_id: Annotated[int, Path(ge=3)], order: Order, lang: Annotated[str, Query(examples=["de"])] = "en",
           tags: Annotated[list[str], Query()] = [], x_token: Annotated[str, Header()] = "") -> dict:
    return {"shop": shop_id, "order": order, "lang": lang, "tags": tags, "token": x_token}

@post("/upload")
def upload(title: Annotated[str, Form()], file: UploadFile) -> dict:
    return {"title": title, "name": file.filename, "size": len(file.read())}
`;
const USERS = `from snaxum import get

@get("/users")
def users() -> list[str]:
    return []

@get("/all")
def all_users() -> list[str]:
    return []
`;

test.use({ files: { "shop.py": SHOP, "prices.py": PRICES, "taxes.py": "T = 1\n", "users.py": USERS } });

test.beforeEach(async ({ world }) => {
  await world.start();
});

test.afterEach(({ errors }) => {
  expect(errors).toEqual([]);
});

const row = (page, text) => page.getByTestId("route-row").filter({ hasText: text });
const answer = (page) => page.getByTestId("try-result").getByLabel("Response body");

async function openRoute(page, world, text) {
  await world.open(page);
  await page.keyboard.press("3");
  await row(page, text).click();
}

test("each parameter and member has a field with its type, and is filled with an example", async ({ page, world }) => {
  await openRoute(page, world, "/orders");
  const form = page.getByTestId("try-it");
  await expect(page.getByTestId("try-source")).toHaveText("from an example");
  await expect(form.getByLabel("shop_id")).toHaveValue("3");
  await expect(form.getByLabel("shop_id")).toHaveAttribute("min", "3");
  await expect(form.getByLabel("lang")).toHaveValue("de");
  await expect(form.getByLabel("size").getByRole("option")).toHaveText(["not sent: small", "small", "large"]);
  await expect(form.getByLabel("gift").getByRole("option")).toHaveText(["not sent", "true", "false"]);
  await form.getByLabel("tags").fill("new\nred & hot");
  await form.getByLabel("x-token").fill("abc");
  await form.getByLabel("item").fill("tea");
  await form.getByLabel("count").fill("4");
  await form.getByLabel("size").selectOption("large");
  await form.getByLabel("gift").selectOption("true");
  await expect(form.getByLabel("JSON body")).toHaveValue(JSON.stringify({ item: "tea", count: 4, size: "large", gift: true }, null, 2));
  await form.getByRole("button", { name: "Send" }).click();
  await expect(answer(page)).toContainText('{"shop":3,"order":{"item":"tea","count":4,"size":"large","gift":true},"lang":"de","tags":["new","red & hot"],"token":"abc"}');

  await form.getByLabel("JSON body").fill('{"item": ');
  await expect(form.getByLabel("count")).toHaveCount(0);
  await form.getByLabel("JSON body").fill('{"item": "cake", "count": 9}');
  await expect(form.getByLabel("count")).toHaveValue("9");
  await expect(page.getByTestId("route-schema")).toContainText("count?: integer = 1");
});

test("the form is filled from the last request, without its secrets", async ({ page, world }) => {
  await world.open(page);
  await fetch(new URL("/orders/12?lang=fr&tags=a&tags=b&other=1", world.app), {
    method: "POST",
    headers: { "content-type": "application/json", "x-token": "s3cret-token-value", "x-kind": "odd" },
    body: '{"item": "milk", "count": 2}',
  });
  await expect(page.getByTestId("request-row")).toHaveCount(1);
  await page.keyboard.press("3");
  await row(page, "/orders").click();
  const form = page.getByTestId("try-it");
  await expect(page.getByTestId("try-source")).toHaveText("from request #1");
  await expect(form.getByLabel("shop_id")).toHaveValue("12");
  await expect(form.getByLabel("tags")).toHaveValue("a\nb");
  await expect(form.getByLabel("More query")).toHaveValue("other=1");
  await expect(form.getByLabel("Headers")).toHaveValue("x-kind: odd");
  await expect(form.getByLabel("x-token")).toHaveValue("");
  await expect(form.getByLabel("item")).toHaveValue("milk");
  await form.getByRole("button", { name: "Send" }).click();
  await expect(answer(page)).toContainText('"order":{"item":"milk","count":2');
  await form.getByRole("button", { name: "Example" }).click();
  await expect(form.getByLabel("shop_id")).toHaveValue("3");
});

test("files are sent as a multipart form, on the docs page too", async ({ page, world }) => {
  const file = { name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("four") };
  for (const where of ["console", "docs"]) {
    if (where === "console") await openRoute(page, world, "/upload");
    else await page.goto(new URL("/docs", world.app).href);
    const form = page.getByTestId("try-it").filter({ hasText: "POST /upload" });
    await form.getByLabel("title").fill("A & B");
    await form.locator('input[type="file"]').setInputFiles(file);
    await form.getByRole("button", { name: "Send" }).click();
    await expect(form.getByLabel("Response body")).toHaveText('{"title":"A & B","name":"a.txt","size":4}');
  }
});

test("routes are grouped by module and sorted within it", async ({ page, world }) => {
  await world.open(page);
  await page.keyboard.press("3");
  await expect(page.getByTestId("route-group")).toHaveText([/^shop python\/shop\.py · 2 routes/, /^users python\/users\.py · 2 routes/]);
  const paths = () => page.getByTestId("route-row").locator(".route-text").evaluateAll((texts) => texts.map((text) => text.textContent).filter((text) => text.startsWith("/")));
  await page.getByRole("columnheader", { name: "Path" }).getByRole("button").click();
  await expect.poll(paths).toEqual(["/orders/<int:shop_id>", "/upload", "/all", "/users"]);
  await page.getByRole("button", { name: "By module" }).click();
  await expect(page.getByTestId("route-group")).toHaveCount(0);
  await expect.poll(paths).toEqual(["/all", "/orders/<int:shop_id>", "/upload", "/users"]);
});

test("the picture of the modules lights what the last save changed and ran", async ({ page, world }) => {
  await world.open(page);
  await page.keyboard.press("3");
  await page.getByTestId("modules").locator("summary").click();
  const picture = page.getByTestId("module-graph");
  await expect(picture).toContainText("No save has run a module yet");
  world.edit("prices.py", PRICES.replace("2", "3"));
  await expect(picture.locator("figcaption")).toHaveText("● prices changed; ↻ 1 module that imports it ran again: shop.");
  await expect(picture.getByRole("link", { name: "prices, changed: show its routes" })).toBeVisible();
  await expect(picture.locator(".edge.lit")).toHaveCount(1);
  const x = async (name) => (await picture.getByRole("link", { name }).boundingBox()).x;
  expect(await x(/^taxes/)).toBeLessThan(await x(/^prices/));
  expect(await x(/^prices/)).toBeLessThan(await x(/^shop/));
  await expect(page.getByTestId("route-group").first()).toContainText("ran with the last save");
  await picture.getByRole("link", { name: /^shop/ }).click();
  await expect(page.getByTestId("filter")).toHaveValue("shop");
  await expect(page.getByTestId("route-row")).toHaveCount(2);
});
