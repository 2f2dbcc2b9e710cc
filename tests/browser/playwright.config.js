// Playwright configuration of the browser tests: one Chromium, installed on the system, without background traffic.

module.exports = {
  testDir: ".",
  workers: 1,
  // Other tests run at the same time: a deadline that passes means a hang, not a slow machine.
  timeout: 600_000,
  expect: { timeout: 30_000 },
  reporter: "line",
  outputDir: "../../target/browser",
  use: {
    actionTimeout: 60_000,
    launchOptions: {
      executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
};
