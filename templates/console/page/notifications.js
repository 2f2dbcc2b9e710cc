// A notification of the system when a save is not live while this page is hidden. Off until the user asks.
//
// The browser stores the permission; the choice of the user is stored in this browser only.

/** @import { Reload } from "snaxum-events" */

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";

const KEY = "snaxum.notifications";
const ON = "on";

// Storage throws if the user has disabled it; the choice then lasts as long as the page.
let choice = "";
try {
  choice = localStorage.getItem(KEY) ?? "";
} catch {}

/** @param {string} next */
function choose(next) {
  choice = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {}
}

function isOn() {
  return choice === ON && globalThis.Notification?.permission === "granted";
}

/** The switch; nothing in a browser without notifications. */
export function NotificationSwitch() {
  const [checked, setChecked] = useState(isOn);
  const [problem, setProblem] = useState("");
  if (!("Notification" in globalThis)) return null;

  async function change() {
    if (checked) {
      choose("");
      setChecked(false);
      return;
    }
    const permission = await Notification.requestPermission();
    choose(permission === "granted" ? ON : "");
    setChecked(isOn());
    setProblem(isOn() ? "" : "The browser does not allow notifications of this page.");
  }

  return html`
    <label class="notify"><input type="checkbox" checked=${checked} onChange=${change} data-testid="notify" /> Notify me of a save that is not live</label>
    ${problem && html`<span class="warn" role="status">${problem}</span>`}
  `;
}

/**
 * Notifies of each new reload that failed, while the page is hidden.
 * @param {Reload | undefined} newest
 * @param {string | null} runId
 */
export function useNotifications(newest, runId) {
  const key = newest ? `${runId} ${newest.id}` : "";
  const last = useRef("");
  useEffect(() => {
    // The reloads of the first snapshot are not news.
    const isNews = last.current !== "" && last.current !== key;
    last.current = key;
    if (!isNews || newest?.outcome !== "failed" || !document.hidden || !isOn()) return;
    const { files, traceback } = newest;
    const body = traceback ? visible(`${traceback.type}: ${traceback.message.split("\n")[0]}`) : "";
    const notification = new Notification(`${visible(files[0] ?? "The save")} is not live`, { body, tag: "snaxum-save" });
    notification.onclick = () => {
      focus();
      notification.close();
    };
  }, [key]);
}
