// The preview of a response's HTML: it is rendered, and cannot run or load anything.

const net = require("node:net");
const { collectErrors, expect, test } = require("./world");

// Each element would run, load, connect or navigate; `HERE` is the app, `AWAY` a listener of the test.
const HOSTILE = `<!doctype html><html><head><title>shop</title>
<base href="AWAY"><meta http-equiv="refresh" content="0;url=HERE/ran?refresh">
<meta http-equiv="Content-Security-Policy" content="default-src *">
<script>parent.document.title = "taken"; fetch("HERE/ran?script")</script>
<script src="HERE/ran?src"></script>
<link rel="stylesheet" href="HERE/ran?sheet"><link rel="preconnect" href="AWAY"><link rel="dns-prefetch" href="AWAY">
<link rel="preload" as="image" href="HERE/ran?preload"><link rel="prefetch" href="HERE/ran?prefetch">
<style>@import "HERE/ran?import"; body { background: url(HERE/ran?background) }</style></head>
<body onload="top.location = 'HERE/ran?onload'" background="HERE/ran?attribute">
<h1>Welcome</h1><img alt="" src="HERE/ran?img" srcset="HERE/ran?srcset 2x" onerror="alert(1)"><img alt="dot" src="data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==">
<svg onload="alert(2)"><image href="HERE/ran?svg" /><use href="HERE/ran?use#a" /><script>alert(3)</script></svg>
<noscript><img src="HERE/ran?noscript"><link rel="preconnect" href="AWAY"></noscript>
<template shadowrootmode="open"><link rel="preconnect" href="AWAY"><img src="HERE/ran?shadow"></template>
<iframe src="HERE/ran?frame"></iframe><iframe srcdoc="<script>top.alert(4)</script><img src=HERE/ran?inner>"></iframe>
<object data="HERE/ran?object"></object><embed src="HERE/ran?embed"><video poster="HERE/ran?poster" src="HERE/ran?video" autoplay></video>
<input type="image" src="HERE/ran?input" autofocus onfocus="alert(5)">
<form action="HERE/ran?form" method="post"><button>Buy</button></form>
<a href="HERE/ran?link" ping="HERE/ran?ping">on</a> <a href="HERE/ran?top" target="_top">up</a> <a href="javascript:alert(6)">js</a>
<a href="AWAY" target="&#95;self">own</a> <A/href="AWAY"target="_self">bare</A> <svg height="30"><a href="AWAY"><text y="20">drawn</text></a></svg>
<map name="places"><area alt="area" shape="default" href="AWAY" target="_self"></map>
<img alt="map" width="40" height="20" usemap="#places" src="data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==">
<iframe srcdoc="&lt;link rel=preconnect href=AWAY&gt;&lt;a href=AWAY&gt;inner&lt;/a&gt;"></iframe>
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;link rel=preconnect href=AWAY&gt;&lt;img src=HERE/ran?mutated&gt;"></math>
</body></html>`;

// Each of these loads its URL in a page of the app.
const LOADING = `@import "HERE/ran?import"; @import url(HERE/ran?import-url) screen;
@font-face { font-family: Own; src: url(HERE/ran?font) } h1 { font-family: Own }
body { background: url(HERE/ran?background), image-set(url(HERE/ran?set) 1x) } ul { list-style-image: url(HERE/ran?list) }
h1::before { content: url(HERE/ran?content) } h1 { border: 9px solid; border-image: url(HERE/ran?border) 3 }
h1 { mask-image: url(HERE/ran?mask); filter: url(HERE/ran?filter#a); shape-outside: url(HERE/ran?shape); float: left }
:root { --address: url(HERE/ran?variable) } p { background: var(--address) }
/*# sourceMappingURL=HERE/ran?map */`;
// Without the source map, which only open developer tools load.
const LOADED = ["import", "import-url", "font", "background", "set", "list", "content", "border", "mask", "filter", "shape", "variable"];

let away;
let connections;

test.use({ files: { "shop.py": "" } });

test.beforeEach(async ({ world }) => {
  connections = 0;
  away = net.createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise((resolve) => away.listen(0, "127.0.0.1", resolve));
  await world.start();
});

test.afterEach(() => new Promise((resolve) => away.close(resolve)));

test("hostile HTML is rendered without running, loading or navigating", async ({ page, world }) => {
  const here = world.app.replace(/\/$/, "");
  const hostile = HOSTILE.replaceAll("HERE", here).replaceAll("AWAY", `http://127.0.0.1:${away.address().port}`);
  world.edit(
    "shop.py",
    `from snaxum import Request, Response, route

@route("/shop")
def shop(request: Request):
    return Response(${JSON.stringify(hostile)}, headers={"content-type": "text/html; charset=utf-8"})

@route("/ran", methods=["GET", "POST"])
def ran(request: Request):
    return "ran"
`,
  );
  // The browser reports what it blocks in the frame; the page itself must have no error.
  const errors = collectErrors(page, /about:srcdoc|sandboxed|Content Security Policy|attachShadow/);
  await page.addInitScript(() => {
    window.reports = [];
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => window.reports.push(`${violatedDirective} ${blockedURI}`));
  });
  await world.get("/shop");
  await world.open(page);
  await page.getByTestId("request-row").first().click();
  await page.getByRole("tab", { name: "Response" }).click();
  await expect(page.getByTestId("body")).toContainText("<h1>Welcome</h1>");
  await expect(page.locator("iframe")).toHaveCount(0);

  const responses = [];
  page.on("response", (response) => responses.push(response.url()));
  await page.getByRole("button", { name: "Render" }).click();
  await expect(page.locator("iframe")).toHaveAttribute("sandbox", "");
  const frame = page.frameLocator('[data-testid="preview"] iframe');
  await expect(frame.getByRole("heading", { name: "Welcome" })).toBeVisible();
  await expect(frame.getByAltText("dot")).toHaveJSProperty("naturalWidth", 1);
  await expect(frame.locator("link, meta[http-equiv=refresh]")).toHaveCount(0);
  await expect(frame.locator("img").first()).toHaveJSProperty("complete", true);

  // Elements that no search of the text can find.
  expect(page.frames()).toHaveLength(2);
  for (const name of ["on", "js", "own", "bare"]) await frame.getByRole("link", { name, exact: true }).click();
  await frame.getByRole("link", { name: "up" }).click();
  await frame.getByText("drawn").click();
  await frame.getByAltText("map").click();
  await frame.getByRole("button", { name: "Buy" }).click();
  await expect(frame.getByRole("heading", { name: "Welcome" })).toBeVisible();
  // Requests of the frame would be listed before this one.
  await world.get("/ran?after");
  await expect(page.getByTestId("request-row")).toHaveCount(2);
  await expect(page.getByTestId("request-row").first()).toContainText("/ran?after");
  expect(responses).toEqual([]);
  expect(connections).toBe(0);
  expect(page.url()).toContain("/__snaxum/");
  expect(await page.title()).toContain("Snaxum console");
  expect(await page.evaluate(() => window.reports)).toEqual([]);
  expect(page.context().pages()).toHaveLength(1);
  expect(errors).toEqual([]);
});

test("style elements of the HTML apply, and load nothing", async ({ page, world }) => {
  const here = world.app.replace(/\/$/, "");
  const plain = `<!doctype html><head><STYLE
media=all>h1 { color: rgb(1, 2, 3) }</STYLE><style nonce="mine"/>h2 { color: rgb(4, 5, 6) }</style></head>
<body><h1 title="a <style> and > more">Welcome</h1><h2>Tea</h2><svg><style>text { fill: rgb(7, 8, 9) }</style><text y="20">drawn</text></svg></body>`;
  const loading = `<!doctype html><style>${LOADING.replaceAll("HERE", here)}</style><h1>Welcome</h1><p>Tea</p><ul><li>one</li></ul>`;
  world.edit(
    "shop.py",
    `from snaxum import Request, Response, route

def page(text):
    return Response(text, headers={"content-type": "text/html; charset=utf-8"})

@route("/plain")
def plain(request: Request):
    return page(${JSON.stringify(plain)})

@route("/attribute")
def attribute(request: Request):
    return page("<h1 style='color: rgb(1, 2, 3)'>Welcome</h1>")

@route("/loading")
def loading(request: Request):
    return page(${JSON.stringify(loading)})

@route("/ran")
def ran(request: Request):
    return "ran"
`,
  );
  // Outside of the preview all of them load.
  const loaded = new Set();
  const appPage = await page.context().newPage();
  appPage.on("request", (request) => loaded.add(new URL(request.url()).search.slice(1)));
  await appPage.goto(`${here}/loading`);
  await expect.poll(() => LOADED.filter((name) => !loaded.has(name))).toEqual([]);
  await appPage.close();

  // The browser reports this error when the test itself accesses the frame.
  const errors = collectErrors(page, /^Blocked script execution in 'about:srcdoc'/);
  await page.addInitScript(() => {
    window.reports = [];
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => window.reports.push(`${violatedDirective} ${blockedURI}`));
  });
  for (const address of ["/plain", "/attribute"]) await world.get(address);
  await world.open(page);
  const render = async (address) => {
    await page.getByTestId("request-row").filter({ hasText: address }).first().click();
    await page.getByRole("tab", { name: "Response" }).click();
    await page.getByRole("button", { name: "Render" }).click();
  };
  const frame = page.frameLocator('[data-testid="preview"] iframe');
  const heading = frame.getByRole("heading", { name: "Welcome" });

  await render("/plain");
  await expect(heading).toHaveCSS("color", "rgb(1, 2, 3)");
  await expect(heading).toHaveAttribute("title", /^a <style nonce=[\w-]{22} > and > more$/);
  await expect(frame.getByRole("heading", { name: "Tea" })).toHaveCSS("color", "rgb(4, 5, 6)");
  await expect(frame.getByText("drawn")).toHaveCSS("fill", "rgb(7, 8, 9)");
  // Nothing is blocked, so neither policy reports anything.
  expect(errors).toEqual([]);

  await render("/attribute");
  await expect(heading).toHaveCSS("color", "rgb(0, 0, 0)");
  await expect.poll(() => errors.length).toBeGreaterThan(0);
  expect(errors.filter((text) => !text.includes("style-src"))).toEqual([]);

  const rows = page.getByTestId("request-row").filter({ hasText: "/ran" });
  await world.get("/ran?before");
  await expect(rows.first()).toContainText("/ran?before");
  const before = await rows.count();
  await page.getByTestId("request-row").filter({ hasText: "/loading" }).first().click();
  await expect(page.getByTestId("body")).toContainText("@import");
  const responses = [];
  page.on("response", (response) => responses.push(response.url()));
  await render("/loading");
  await expect(heading).toHaveCSS("border-top-width", "9px");
  await expect(frame.locator("style")).not.toContainText("sourceMappingURL");
  await world.get("/ran?after");
  await expect(rows.first()).toContainText("/ran?after");
  await expect(rows).toHaveCount(before + 1);
  expect(responses).toEqual([]);
  expect(await page.evaluate(() => window.reports)).toEqual([]);
});

test("only HTML can be rendered", async ({ page, world }) => {
  world.edit("shop.py", `from snaxum import Request, Response, route

@route("/text")
def text(request: Request):
    return Response("<b>bold</b>", headers={"content-type": "text/plain"})
`);
  await world.get("/text");
  await world.open(page);
  await page.getByTestId("request-row").first().click();
  await page.getByRole("tab", { name: "Response" }).click();
  await expect(page.getByTestId("body")).toBeVisible();
  await expect(page.getByTestId("body")).toContainText("<b>bold</b>");
  await expect(page.getByRole("button", { name: "Render" })).toHaveCount(0);
});
