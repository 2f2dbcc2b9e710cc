// The switch of a route: while it is on, each request to it is profiled from its start.

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { visible } from "../components/format.js";
import { fetchJson } from "../server/api.js";
import { profileRoute } from "../server/commands.js";

/** @param {{ id: string }} props */
export function ProfileSwitch({ id }) {
  const [switched, setSwitched] = useState(/** @type {string[] | null} */ (null));
  const [problem, setProblem] = useState(/** @type {string | null} */ (null));
  useEffect(() => {
    const controller = new AbortController();
    const failed = (/** @type {Error} */ error) => controller.signal.aborted || setProblem(error.message);
    fetchJson("profiled-routes", controller.signal).then(setSwitched, failed);
    return () => controller.abort();
  }, [id]);
  const isOn = switched?.includes(id) ?? false;
  function change() {
    setProblem(null);
    profileRoute(id, !isOn).then(setSwitched, (error) => setProblem(error.message));
  }
  return html`
    <p>
      <button type="button" role="switch" aria-checked=${isOn} disabled=${switched === null} onClick=${change}>Profile each request: ${isOn ? "on" : "off"}</button>
      ${problem && html` <span class="bad" role="alert">${visible(problem)}</span>`}
    </p>
  `;
}
