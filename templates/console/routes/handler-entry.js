// The entry of the command palette for a request that is typed: the handler that gets it.
//
// Shows the route in the list of routes. Never matches a path itself.

import { formatHash } from "../page/url-hash.js";
import { findRoute, noHandlerText, parseRequest, routeKey } from "./find-route.js";

/**
 * Returns the entry of a text such as `/orders/7` or `POST /orders/7`; null for any other text.
 * @param {string} text
 */
export function handlerEntry(text) {
  const request = parseRequest(text);
  if (!request) return null;
  const name = [request.method, request.path].filter(Boolean).join(" ");
  return {
    title: `Handler of ${name}`,
    /** @param {AbortSignal} signal */
    async describe(signal) {
      const found = await findRoute(request, signal);
      return found.route ? `${found.route.handler}, route ${found.route.methods.join(" ")} ${found.route.path}` : noHandlerText(found);
    },
    async run() {
      const found = await findRoute(request);
      if (!found.route) throw new Error(`${name}: ${noHandlerText(found)}`);
      location.hash = formatHash({ tab: "routes", open: routeKey(found.route) });
    },
  };
}
