// The error page of dev mode: draws its traceback as the console does.
//
// The page shows the traceback without this script, too.

import { drawError } from "./standalone.js";

const data = document.getElementById("snaxum-error")?.textContent;
const host = document.getElementById("snaxum-traceback");
if (data && host) {
  const { traceback, editor, opens_editor: opensEditor, request, run } = JSON.parse(data);
  drawError(host, { traceback, editor, opensEditor, run, origin: request && { request } }).catch(() => {});
}
