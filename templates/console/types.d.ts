// Types that several modules of the console share. Erased: no browser loads this file.
//
// The types of messages and responses are in "snaxum-events", which tests/browser/check-types.js makes of
// docs/events.schema.json.

import type { RequestSummary, WebSocketClose } from "snaxum-events";

/** A request of the list. A WebSocket has its end, once it came. */
export type ListedRequest = RequestSummary & { close?: WebSocketClose };

/** An event whose handler is on an element, and whose target is one. */
type On<E extends Event, T extends HTMLElement = HTMLElement> = E & { target: T; currentTarget: HTMLElement };
export type KeyPress = On<KeyboardEvent>;
export type Click = On<MouseEvent>;
export type Input = On<Event, HTMLInputElement>;

/** The content of a tab: what `layout.js` gives each. */
export type View = {
  state: import("./server/store.js").State;
  traffic: import("./server/traffic.js").Measured;
  filter: string;
  onFilter: (text: string) => void;
  open: string | null;
  run: string | null;
  part: Part;
  onOpen: (id: string | null) => void;
  order: Order;
  onOrder: (change: Partial<Order>) => void;
};

/** How a tab lists its rows: by the column in `sort` (`-total` is descending), and in another `view` than the usual one. */
export type Order = { sort: string | null; view: string | null };

/** The part of an open request: the one in the URL, the one chosen last, and how to choose another. */
export type Part = { inUrl: string | null; lastChosen: string | null; choose: (name: string) => void };

declare global {
  interface Window {
    trustedTypes?: { createPolicy(name: string, rules: { createHTML(text: string): string }): { createHTML(text: string): string } };
  }
  var trustedTypes: Window["trustedTypes"];
}
