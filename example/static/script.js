// The page's three conversations with the server: a form, the stream that responds, and a WebSocket.

const $ = (id) => document.getElementById(id);

// The form. A problem document (422) names the field of each fault.

$("run").addEventListener("submit", async (event) => {
  event.preventDefault();
  showFaults([]);
  $("status").textContent = "Computing …";
  const body = new FormData(event.target);
  try {
    const response = await fetch("resamples", { method: "POST", body });
    if (response.ok) return await showMeans(response, Number(body.get("rounds")));
    const problem = await response.json();
    showFaults(problem.errors ?? []);
    $("status").textContent = problem.detail;
  } catch (error) {
    $("status").textContent = `The connection ended: ${error.message}`;
  }
});

function showFaults(faults) {
  for (const input of $("run").querySelectorAll("input")) {
    const own = faults.filter((fault) => fault.loc[0] === input.name);
    $(`${input.name}-fault`).textContent = own.map((fault) => fault.msg).join("; ");
    input.setAttribute("aria-invalid", own.length > 0);
  }
  $("run").querySelector("[aria-invalid=true]")?.focus();
}

// The stream: one line of JSON for each step.

async function showMeans(response, rounds) {
  const means = [];
  let text = "";
  for await (const step of jsonLines(response.body)) {
    means.push(...step.means);
    draw(means, step.low, step.high);
    $("progress").value = means.length / rounds;
    text = step.text;
  }
  $("status").textContent = text;
}

async function* jsonLines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

function draw(means, low, high) {
  const first = Math.min(...means);
  const width = (Math.max(...means) - first) / 40 || 1;
  const counts = Array(40).fill(0);
  for (const mean of means) counts[Math.min(39, Math.floor((mean - first) / width))] += 1;
  const scale = 95 / Math.max(...counts);
  $("bars").setAttribute("d", counts.map((n, x) => `M${x + 0.1} 100v${-n * scale}h.8V100z`).join(""));
  $("interval").setAttribute("x", (low - first) / width);
  $("interval").setAttribute("width", (high - low) / width);
  const [left, right] = $("axis").children;
  left.textContent = first.toPrecision(4);
  right.textContent = (first + 40 * width).toPrecision(4);
}

// The WebSocket. A new connection repeats the newest notes.

const seen = new Set();
let socket;

function connect() {
  socket = new WebSocket("notes");
  socket.onopen = () => ($("connection").textContent = "live");
  socket.onclose = () => {
    $("connection").textContent = "connecting";
    setTimeout(connect, 1000);
  };
  socket.onmessage = ({ data }) => showNote(JSON.parse(data));
}

function showNote({ at, text }) {
  if (seen.has(at)) return;
  seen.add(at);
  const time = document.createElement("time");
  time.textContent = new Date(at * 1000).toLocaleTimeString();
  const note = document.createElement("p");
  note.append(time, text);
  $("notes").append(note);
  $("notes").scrollTop = $("notes").scrollHeight;
}

$("write").addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send($("note").value);
  event.target.reset();
});

connect();
