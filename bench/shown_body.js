// A console in Chromium that shows the body of one response, until its standard input ends.
//
// Gets the console's link and the address of the response. Prints `shown` once it is. Measures nothing.

const path = require("node:path");

const TESTS = path.join(__dirname, "../tests/browser");
const { chromium } = require(path.join(TESTS, "node_modules/@playwright/test"));
const { launchOptions } = require(path.join(TESTS, "playwright.config.js")).use;

const TIMEOUT_MS = 60_000;

async function main(link, address) {
  const ended = new Promise((resolve) => process.stdin.resume().once("end", resolve));
  const browser = await chromium.launch(launchOptions);
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    page.setDefaultTimeout(TIMEOUT_MS);
    await page.goto(`${link}#requests`);
    await page.getByTestId("connection").filter({ hasText: "connected" }).waitFor();
    await (await fetch(address)).arrayBuffer();
    await page.getByTestId("request-row").filter({ hasText: new URL(address).pathname }).click();
    await page.getByRole("tabpanel", { name: "Response" }).waitFor();
    await page.getByTestId("content").first().waitFor();
    console.log("shown");
    await ended;
    // The page still responds.
    await page.keyboard.press("Escape");
    await page.getByTestId("request-details").waitFor({ state: "detached" });
  } finally {
    await browser.close();
  }
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
