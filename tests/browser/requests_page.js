// The tab of the requests in a page that may use the clipboard: what most files of tests begin with.

const { expect, test } = require("./world");

// Before each test of a file the tab is open; after it the page has reported no error. `options` are for the server.
function openBeforeEach({ options = [] } = {}) {
  test.beforeEach(async ({ page, world, context }) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await world.start(0, options);
    await world.open(page);
  });
  test.afterEach(({ errors }) => {
    expect(errors).toEqual([]);
  });
}

const rows = (page) => page.getByTestId("request-row");
const row = (page, text) => rows(page).filter({ hasText: text });
const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());

module.exports = { clipboard, openBeforeEach, row, rows };
