// WebSockets of the app: their messages as a part of the request, live, and their end.

const { openBeforeEach, row } = require("./requests_page");
const { expect, test } = require("./world");

const CHAT = `from snaxum import WebSocket, websocket

@websocket("/echo")
async def echo(ws: WebSocket):
    async for message in ws:
        await ws.send(message.upper())

@websocket("/boom")
async def boom(ws: WebSocket):
    raise ValueError(await ws.receive())
`;

test.use({ files: { "chat.py": CHAT } });

openBeforeEach();

// Opens a WebSocket of the app, in the page of the console.
function connect(page, path) {
  return page.evaluateHandle((path) => {
    const socket = new WebSocket(new URL(path, location.origin.replace("http", "ws")));
    return new Promise((resolve) => socket.addEventListener("open", () => resolve(socket)));
  }, path);
}

const send = (socket, text) => socket.evaluate((socket, text) => socket.send(text), text);

test("an open WebSocket shows its messages as they come, and its end", async ({ page }) => {
  const socket = await connect(page, "/echo");
  await send(socket, '{"password": "hunter2", "n": 1}');
  await row(page, "/echo").click();
  await page.getByRole("tab", { name: "Messages" }).click();
  const messages = page.getByTestId("messages").getByRole("row");
  await expect(messages).toHaveCount(2);
  await expect(messages.first()).toContainText("→ in");
  await expect(messages.first()).not.toContainText("hunter2");

  await send(socket, "<b>hello</b>");
  await expect(messages).toHaveCount(4);
  await expect(messages.last()).toContainText("<B>HELLO</B>");
  await expect(messages.last()).toContainText("← out");

  await socket.evaluate((socket) => socket.close(4001, "done"));
  await expect(page.getByTestId("websocket-close")).toHaveText("Closed by the client: 4001 done");
});

test("the exception of a WebSocket handler is an error of its request", async ({ page }) => {
  const socket = await connect(page, "/boom");
  await send(socket, "it went wrong");
  await expect(row(page, "/boom")).toContainText("ValueError");
  await row(page, "/boom").click();
  await expect(page.getByRole("tab", { name: "Error" })).toHaveAttribute("aria-selected", "true");
  await expect(page.getByRole("tabpanel")).toContainText("it went wrong");
});

test("a WebSocket can be tried in the route table", async ({ page }) => {
  await page.keyboard.press("3");
  await page.getByTestId("route-row").filter({ hasText: "/echo" }).click();
  const details = page.getByTestId("route-details");
  await details.getByRole("button", { name: "Connect" }).click();
  await expect(details.getByTestId("try-state")).toHaveText("open");
  await details.getByLabel("Text message").fill("hello");
  await details.getByRole("button", { name: "Send" }).click();
  await expect(details.getByTestId("try-messages")).toContainText("← HELLO");
  await details.getByRole("button", { name: "Close" }).click();
  await expect(details.getByTestId("try-state")).toContainText("closed: 1000");
});
