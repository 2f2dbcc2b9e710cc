// Playwright configuration of the browser tests: one Chromium, installed on the system, without background traffic.

module.exports = {
  testDir: ".",
  workers: 1,
  timeout: 60_000,
  reporter: "line",
  outputDir: "../../target/browser",
  use: {
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
