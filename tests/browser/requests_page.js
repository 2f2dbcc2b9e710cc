// The tab of the requests in a page that may use the clipboard: what tests of its rows begin with.

const { expect, test } = require("./world");

// Before each test of a file the tab is open; after it the page has reported no error.
function openBeforeEach() {
  test.beforeEach(async ({ page, world, context }) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await world.start();
    await world.open(page);
  });
  test.afterEach(({ errors }) => {
    expect(errors).toEqual([]);
  });
}

const rows = (page) => page.getByTestId("request-row");
const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());

module.exports = { clipboard, openBeforeEach, rows };
