// The bodies of streams: each event, line or piece with its time, while the stream is sent and after its end.

const { openBeforeEach } = require("./requests_page");
const { expect, test } = require("./world");

const APP = `import asyncio

from snaxum import Response, get

steps = asyncio.Queue()
KEY = "AKIA" + "IOSFODNN7EXAMPLE"


async def stepwise(*pieces):
    for piece in pieces:
        yield piece
        await steps.get()


@get("/step")
async def step():
    await steps.put(None)


@get("/events")
def events():
    pieces = ('data: {"n": 1}\\n\\n', 'event: price\\ndata: {"n": 2, "api_', 'key": "s3cr3t-value"}\\n\\n')
    return Response(stepwise(*pieces), content_type="text/event-stream")


@get("/lines")
def lines():
    rows = [f'{{"row": {n}, "id": 90071992547409931{n:02}}}\\n' for n in range(60)]
    return Response(stepwise("".join(rows), '{"row": "last"}\\n'), content_type="application/x-ndjson")


@get("/tokens")
def tokens():
    return Response(stepwise("Graz ", "is ", "schön", ". " + KEY[:9], KEY[9:] + " end"), content_type="text/plain")


@get("/whole")
def whole():
    return Response("a\\nb", content_type="application/x-ndjson")
`;

test.use({ files: { "app.py": APP } });

openBeforeEach();

const content = (page) => page.getByRole("tabpanel", { name: "Response" }).getByTestId("content");

// Requests a stream and opens the request; `text` is the whole body, once it has come.
async function begin(page, world, path) {
  const response = await world.get(path);
  const text = response.text();
  await page.getByTestId("request-row").filter({ hasText: path }).first().click();
  await expect(content(page)).toBeVisible();
  return { text };
}

async function step(world) {
  await (await world.get("/step")).text();
}

test("server-sent events come into the list one by one, each with its time", async ({ page, world }) => {
  const { text } = await begin(page, world, "/events");
  const rows = content(page).getByTestId("events").getByRole("row");
  await expect(rows).toHaveText([/^\+[\d.]+ m?s message.*\{"n": 1\}/]);
  await expect(content(page)).toContainText("it is still being sent");
  const first = (await rows.first().getByRole("rowheader").textContent()).split(" message")[0];

  await step(world);
  await expect(rows).toHaveCount(2);
  await expect(rows.last()).toContainText('price{"n": 2');
  await step(world);
  await expect(rows.last()).toContainText('"api_key": "••••"');
  await step(world);
  expect(await text).toContain("s3cr3t-value");
  await expect(content(page)).not.toContainText("it is still being sent");
  await expect(rows).toHaveCount(2);
  await expect(rows.first().getByRole("rowheader")).toHaveText(`${first} message`);
  await expect(rows.last().getByRole("rowheader")).toHaveText(/^\+[\d.]+ m?s price/);
  expect(await page.content()).not.toContain("s3cr3t");
});

test("JSON lines open at their beginning once the stream has ended, and long integers have all their digits", async ({ page, world }) => {
  const { text } = await begin(page, world, "/lines");
  const list = content(page).getByTestId("lines");
  // While more may follow, the end is in view.
  const rest = () => page.locator(".entry-scroll").evaluate(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight);
  await expect.poll(rest).toBeLessThan(2);
  await expect(list.getByRole("row").last()).toContainText('"row": 59');
  await step(world);
  await expect(list).toHaveAttribute("aria-rowcount", "61");
  await expect(list.getByRole("row").last()).toContainText('"row": "last"');
  await expect.poll(rest).toBeLessThan(2);
  await step(world);
  await text;
  await expect(content(page)).not.toContainText("it is still being sent");

  await page.keyboard.press("Escape");
  await page.reload();
  await page.getByTestId("request-row").filter({ hasText: "/lines" }).first().click();
  await expect(list.getByRole("row").first()).toContainText('"row": 0, "id": 9007199254740993100');
  await expect(page.locator(".entry-scroll")).toHaveJSProperty("scrollTop", 0);
});

test("a streamed text is shown in its pieces, and a secret across two of them is not", async ({ page, world }) => {
  const { text } = await begin(page, world, "/tokens");
  for (let count = 2; count <= 4; count += 1) await step(world);
  const pieces = content(page).getByTestId("pieces").getByRole("row");
  await expect(pieces).toHaveText([/Graz/, /is/, /schön/, /\./]);
  await expect(pieces.nth(3)).toHaveText(/^\+[\d.]+ m?s\. +2 bytes$/);
  expect(await page.content()).not.toContain("AKIA");
  await step(world);
  await expect(content(page).getByTestId("body")).toContainText("Graz is schön. •••• end");
  await step(world);
  await text;
  await expect(content(page)).not.toContainText("it is still being sent");
  await expect(content(page).getByTestId("body")).toContainText("Graz is schön. •••• end");
  expect(await page.content()).not.toContain("IOSFODNN");
});

test("a body in one piece has no times", async ({ page, world }) => {
  await begin(page, world, "/whole");
  await expect(content(page)).toContainText("The times are unknown: it came as one piece.");
  await expect(content(page).getByRole("button", { name: "Pieces" })).toHaveCount(0);
});
