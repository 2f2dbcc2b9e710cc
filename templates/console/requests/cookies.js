// The cookies of a request, and the cookies that its response sets, with their attributes.
//
// The server masks all values.

import { html } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";

/** @import { RequestDetail, SetCookie } from "snaxum-events" */

/** @param {{ request: RequestDetail }} props */
export function Cookies({ request }) {
  const { request_cookies: sent, response_cookies: set, time_ms, total_ms } = request;
  return html`
    <h3>Sent by the client</h3>
    ${sent.length ? html`
      <table class="facts" aria-label="Cookies of the request" data-testid="sent-cookies">
        <tbody>${sent.map(({ name, value }) => html`<tr><th scope="row"><code>${visible(name)}</code></th><td><code>${value}</code></td></tr>`)}</tbody>
      </table>
    ` : !request.are_request_cookies_cut && html`<p class="dim">none</p>`}
    ${request.are_request_cookies_cut && html`<p class="warn">▲ ${sent.length ? "More than these" : "They"} are not stored: the head is larger than 16 KiB, or has more than 100 cookies.</p>`}
    <h3>Set by the response</h3>
    ${set.length ? html`
      <table class="facts" aria-label="Cookies of the response" data-testid="set-cookies">
        <tbody>${set.map((cookie) => html`<tr><th scope="row"><code>${visible(cookie.name)}</code></th><td><code>${cookie.value}</code><${Attributes} cookie=${cookie} set_ms=${time_ms + total_ms} /></td></tr>`)}</tbody>
      </table>
    ` : !request.are_response_cookies_cut && html`<p class="dim">none</p>`}
    ${request.are_response_cookies_cut && html`<p class="warn">▲ ${set.length ? "More than these" : "They"} are not stored: the response sets more than 100 cookies, or more than 32 KiB of them.</p>`}
    <p class="dim">The values of cookies are masked.</p>
  `;
}

/** `set_ms` is the time of the response. @param {{ cookie: SetCookie, set_ms: number }} props */
function Attributes({ cookie, set_ms }) {
  const attributes = /** @type {[string, string][]} */ (cookie.attributes);
  const value = (/** @type {string} */ wanted) => attributes.find(([name]) => name.toLowerCase() === wanted)?.[1];
  const maxAge = value("max-age") ?? "";
  // A browser ignores `Expires` beside a valid `Max-Age`.
  const isDeleted = /^-?\d+$/.test(maxAge) ? Number(maxAge) <= 0 : Date.parse(value("expires") ?? "") < set_ms;
  const isRefused = value("samesite")?.toLowerCase() === "none" && value("secure") === undefined;
  return html`
    ${isDeleted && html` <b>deletes it</b>`}
    <ul class="attributes">
      ${attributes.map(([name, value]) => html`<li><span class="dim">${visible(name)}</span>${value && ` ${visible(value)}`}</li>`)}
    </ul>
    ${isRefused && html`<p class="warn">▲ A browser refuses it: SameSite=None needs Secure.</p>`}
  `;
}
