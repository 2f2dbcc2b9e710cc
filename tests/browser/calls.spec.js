// Calls of Python functions from Rust, in the example: rows of their own, with arguments and result.

const { spawn } = require("node:child_process");
const readline = require("node:readline");
const { expect, test } = require("./world");

let example;
let app;
let link;

test.beforeAll(async () => {
  example = spawn(process.env.SNAXUM_EXAMPLE_BIN, ["--dev", "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = readline.createInterface({ input: example.stdout });
  await new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      app ??= line.match(/listening on (http:\S+)/)?.[1];
      link ??= line.match(/console at (http:\S+)/)?.[1];
      if (app && link) resolve();
    });
    example.once("exit", (code) => reject(new Error(`the example exited with code ${code}`)));
  });
});

test.afterAll(async () => {
  const exited = new Promise((resolve) => example.once("exit", resolve));
  example.kill("SIGTERM");
  await exited;
});

test("a call from Rust is a row with its arguments and its result", async ({ page, errors }) => {
  await page.goto(`${link}#requests`);
  await expect(page.getByTestId("connection")).toContainText("connected");
  const headers = { "content-type": "application/json" };
  const response = await fetch(new URL("/rust/squares", app), { method: "POST", headers, body: "[1, 2, 3]" });
  expect(await response.json()).toBe(14);

  const row = page.getByTestId("request-row").filter({ hasText: "pool_workers:sum_of_squares" });
  await expect(row).toHaveCount(1);
  await expect(row).toContainText("CALL");
  await row.click();
  await expect(page.getByTestId("request-details")).toContainText("A call from Rust.");
  await expect(page.getByRole("button", { name: "Copy as cURL" })).toHaveCount(0);
  for (const [part, text] of [["Request", "2: 3.0"], ["Response", "14.0"]]) {
    await page.getByRole("tab", { name: part }).click();
    await expect(page.getByRole("tabpanel", { name: part })).toContainText(text);
  }

  await page.reload(); // the row comes from the snapshot then
  await expect(row).toContainText("CALL");
  expect(errors).toEqual([]);
});
