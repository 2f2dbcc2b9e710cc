// Functions after a response: while they run, and below their request with their time and their exception.

const { openBeforeEach } = require("./requests_page");
const { expect, test } = require("./world");

const APP = `import threading
from snaxum import background, get

RELEASED = threading.Event()

def write_report(name):
    print("report for", name)
    RELEASED.wait(600)

def send_mail(address):
    raise ValueError(f"no mail server for <b>{address}</b>")

@get("/order")
def order() -> str:
    background(write_report, "ada")
    background(send_mail, "ada@example.org")
    return "accepted"

@get("/release")
def release() -> str:
    RELEASED.set()
    return "released"
`;

test.use({ files: { "orders.py": APP } });

openBeforeEach();

test("a function after a response is shown while it runs, and then below its request", async ({ page, world }) => {
  expect(await (await world.get("/order")).text()).toBe("accepted"); // the client waits for none of them
  await page.keyboard.press("6");
  const running = page.getByTestId("background");
  await expect(running).toContainText("2 background functions");
  await expect(running.getByRole("row").filter({ hasText: "write_report" }).locator(".c-outcome")).toHaveText("1");

  await world.get("/release");
  await expect(running).toHaveCount(0);
  await page.keyboard.press("2");
  await page.getByTestId("request-row").filter({ hasText: "/order" }).click();
  await page.getByRole("tab", { name: "Logs" }).click();
  const logs = page.getByTestId("logs");
  await expect(logs).toContainText("report for ada");
  await expect(logs).toContainText(/background: orders\.write_report ended after \d/);
  await expect(logs).toContainText("background: orders.send_mail raised");
  await expect(logs).toContainText("ValueError: no mail server for <b>ada@example.org</b>");
});
