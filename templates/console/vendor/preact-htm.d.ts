// The types of preact-htm.js, from the packages that it bundles. Read by tests/browser/check-types.js only.

import type { VNode } from "preact";

export { Component, createContext, h, render } from "preact";
export * from "preact/hooks";
export function html(strings: TemplateStringsArray, ...values: unknown[]): VNode;
