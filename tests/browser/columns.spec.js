// Columns of headers, cookies, type and size, and the cookies of an open request.

const { AxeBuilder } = require("@axe-core/playwright");
const { expect, test } = require("./world");

const APP = `from snaxum import Response, get


@get("/login")
def login():
    headers = [("x-shard", "b"), ("set-cookie", "session=t0ps3cret; Path=/; HttpOnly; SameSite=Lax"), ("set-cookie", "old=; Max-Age=0")]
    return Response("welcome", content_type="text/plain", headers=headers)


@get("/rows")
def rows():
    return Response("[1, 2]", content_type="application/json", headers={"x-shard": "a"})
`;

test.use({ files: { "app.py": APP } });

test.beforeEach(async ({ page, world }) => {
  await world.start();
  await world.open(page);
  await (await world.get("/login", { "user-agent": "robot/1", cookie: "theme=d4rk; lang=de" })).text();
  await (await world.get("/rows", { "user-agent": "browser/2" })).text();
  await expect(page.getByTestId("request-row")).toHaveCount(2);
});

test.afterEach(({ errors }) => {
  expect(errors).toEqual([]);
});

const menu = (page) => page.getByTestId("column-menu");
const cells = (page, name) => page.locator(`td.c-${name}`);

async function add(page, kind, name) {
  const form = page.getByTestId("add-column");
  await form.getByLabel("Kind of column").selectOption({ label: kind });
  if (name) await form.getByRole("combobox").last().fill(name);
  await form.getByRole("button", { name: "Add" }).click();
}

test("type and size are columns on demand", async ({ page }) => {
  await menu(page).locator("summary").click();
  await menu(page).getByLabel("Type").check();
  await menu(page).getByLabel("Size").check();
  await expect(cells(page, "type")).toHaveText(["application/json", "text/plain"]);
  await expect(cells(page, "size")).toHaveText(["6", "7"]);
  await page.keyboard.press("Escape");
  await page.getByRole("columnheader", { name: "Size" }).getByRole("button").click();
  await expect(cells(page, "size")).toHaveText(["7", "6"]);
});

test("any header and cookie is a column that sorts, stays and is filled for new requests", async ({ page, world }) => {
  await menu(page).locator("summary").click();
  await add(page, "Request header", "User-Agent");
  await expect(cells(page, "request-user-agent")).toHaveText(["browser/2", "robot/1"]);
  await add(page, "Response header", "x-shard");
  await add(page, "Cookie", "session");
  await add(page, "All cookies");
  await expect(cells(page, "response-x-shard")).toHaveText(["a", "b"]);
  await expect(cells(page, "cookie-session")).toHaveText(["–", "set"]);
  await expect(cells(page, "cookies-")).toHaveText(["–", "theme, lang; sets session, old"]);
  await add(page, "Request header", "no header");
  await expect(menu(page).getByRole("alert")).toContainText("Enter the name of a header");
  await page.keyboard.press("Escape");

  await (await world.get("/rows", { "user-agent": "aa/3" })).text();
  await expect(cells(page, "request-user-agent")).toHaveText(["aa/3", "browser/2", "robot/1"]);
  await page.getByRole("columnheader", { name: "x-shard" }).getByRole("button").click();
  await page.getByRole("columnheader", { name: "user-agent" }).getByRole("button").click();
  await page.getByRole("columnheader", { name: "user-agent" }).getByRole("button").click();
  await expect(cells(page, "request-user-agent")).toHaveText(["robot/1", "browser/2", "aa/3"]);

  await page.reload();
  await expect(cells(page, "request-user-agent")).toHaveText(["aa/3", "browser/2", "robot/1"]);
  await menu(page).locator("summary").click();
  await menu(page).getByRole("button", { name: "Remove the column user-agent" }).click();
  await expect(cells(page, "request-user-agent")).toHaveCount(0);
  await menu(page).getByRole("button", { name: "Reset columns and widths" }).click();
  await expect(cells(page, "response-x-shard")).toHaveCount(0);
});

test("a column of a header is added by keys, and shows on a phone", async ({ page }) => {
  await menu(page).locator("summary").focus();
  await page.keyboard.press("Enter");
  await page.getByTestId("add-column").getByLabel("Kind of column").focus();
  await page.keyboard.press("Tab");
  await page.keyboard.type("user-agent");
  await page.keyboard.press("Enter");
  await expect(cells(page, "request-user-agent")).toHaveText(["browser/2", "robot/1"]);
  expect((await new AxeBuilder({ page }).analyze()).violations.map(({ help }) => help)).toEqual([]);
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("add-column")).toBeHidden();
  await expect(menu(page).locator("summary")).toBeFocused();

  await page.setViewportSize({ width: 390, height: 740 });
  await expect(cells(page, "request-user-agent")).toHaveText(["browser/2", "robot/1"]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await menu(page).locator("summary").click();
  await add(page, "Response header", "x-shard");
  await expect(menu(page).getByRole("listitem").filter({ hasText: "x-shard" })).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test("the cookies of a request are a part of their own, with attributes and without values", async ({ page }) => {
  await page.getByTestId("request-row").filter({ hasText: "/login" }).click();
  await page.getByRole("tab", { name: "Cookies" }).click();
  await expect(page.getByTestId("sent-cookies").getByRole("row")).toHaveText([/^theme••••$/, /^lang••••$/]);
  const set = page.getByTestId("set-cookies").getByRole("row");
  await expect(set).toHaveText([/^session••••\s*Path \/\s*HttpOnly\s*SameSite Lax\s*$/, /^old••••\s*deletes it\s*Max-Age 0\s*$/]);
  expect(await page.content()).not.toMatch(/t0ps3cret|d4rk/);
  expect((await new AxeBuilder({ page }).analyze()).violations.map(({ help }) => help)).toEqual([]);
  await page.keyboard.press("Escape");
  await page.getByTestId("request-row").filter({ hasText: "/rows" }).click();
  await expect(page.getByRole("tab", { name: "Cookies" })).toHaveCount(0);
});

test("a request whose headers the server has dropped is marked in the columns", async ({ page, world }) => {
  const count = page.getByTestId("tab-requests").locator(".count");
  for (let sent = 2; sent < 502; sent += 50) {
    await Promise.all(Array.from({ length: 50 }, () => world.get("/rows", { "user-agent": "robot/1" })));
    await expect(count).toHaveText(String(sent + 50));
  }
  await menu(page).locator("summary").click();
  await add(page, "Request header", "user-agent");
  await page.keyboard.press("Escape");
  await expect(cells(page, "request-user-agent").first()).toHaveText("robot/1");
  await page.getByTestId("filter").fill("id:1");
  await expect(cells(page, "request-user-agent")).toHaveText(["not stored"]);
});
