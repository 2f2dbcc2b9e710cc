// What the console knows, and how each message changes it.
//
// Pure functions over plain data: never touches the page, the network or the clock.
// Every list has a bound, so a console left open over a weekend stays small.

// More than the server keeps: this page gathers what it is told.
const REQUESTS_KEPT = 10_000;
const RELOADS_KEPT = 100;

/** The state before the first message. Lists are newest first, as the server sends them. */
export const nothingYet = {
  runId: null,
  seq: 0,
  // Between a `hello` from a new process and its snapshot, nothing else can be understood.
  awaitsSnapshot: true,
  python: null,
  status: null,
  routes: [],
  requests: [],
  reloads: [],
  // In the order they were pinned.
  pins: [],
  // What came of them after a reload, by the generation that answered; as far as this page heard it.
  pinRounds: {},
  lastFailure: null,
  // What the server does at this moment, or null.
  metrics: null,
  // How often this page was told that something happened to a process of the pool.
  workerEvents: 0,
  // The files of the reload that runs now, or null.
  reloading: null,
  missed: 0,
};

const changes = {
  hello(state, { run_id, python }) {
    if (run_id === state.runId) return { python };
    // The process restarted: keep the old picture until the snapshot replaces it whole.
    return { runId: run_id, python, seq: 0, awaitsSnapshot: true, metrics: null };
  },

  snapshot(state, message) {
    return {
      ...nothingYet,
      runId: state.runId,
      python: state.python,
      missed: state.awaitsSnapshot ? 0 : state.missed,
      awaitsSnapshot: false,
      seq: message.seq,
      status: message.status,
      routes: message.routes,
      // The same run: what the server has let go of by now is still known here.
      requests: state.awaitsSnapshot ? message.requests : gathered(message.requests, state.requests),
      reloads: message.reloads.slice(0, RELOADS_KEPT),
      pins: message.pins ?? [],
      pinRounds: state.awaitsSnapshot ? {} : state.pinRounds,
      lastFailure: message.last_failure,
    };
  },

  "request.end": (state, { request }) => ({
    requests: [request, ...state.requests.slice(0, REQUESTS_KEPT - 1)],
  }),

  "reload.start": (state, { files }) => ({ reloading: files }),
  "reload.ok": reloadEnded,
  "reload.fail": reloadEnded,

  routes: (state, { routes }) => ({ routes }),
  status: (state, { status }) => ({ status }),
  pins: (state, { pins }) => ({ pins, pinRounds: newest({ ...state.pinRounds, ...pinRound(state.pins, pins) }) }),
  worker: (state) => ({ workerEvents: state.workerEvents + 1 }),
  metrics: (state, { metrics }) => ({ metrics }),
  dropped: (state, { count }) => ({ missed: state.missed + count }),
};

function gathered(newest, known) {
  const told = new Set(newest.map(({ id }) => id));
  return [...newest, ...known.filter(({ id }) => !told.has(id))].slice(0, REQUESTS_KEPT);
}

/** What came of the pins that have been sent since `before`. */
function pinRound(before, pins) {
  const replays = new Map(before.map((pin) => [pin.id, pin.replays]));
  const sent = pins.filter((pin) => pin.replays > (replays.get(pin.id) ?? pin.replays));
  if (!sent.length) return {};
  const passing = sent.filter(({ state }) => state === "passing").length;
  return { [Math.max(...sent.map(({ generation }) => generation ?? 0))]: { passing, failing: sent.length - passing } };
}

function newest(rounds) {
  return Object.fromEntries(Object.entries(rounds).slice(-RELOADS_KEPT)); // numbers are in their order
}

function reloadEnded(state, { reload, status }) {
  return {
    reloading: null,
    status,
    reloads: [reload, ...state.reloads.slice(0, RELOADS_KEPT - 1)],
    lastFailure: reload.traceback ?? state.lastFailure,
  };
}

// After a reconnect the server may repeat what this page has already counted.
const counted = new Set(["request.end", "reload.start", "reload.ok", "reload.fail", "routes"]);

/** The state after `message`; the same object when it changes nothing. */
export function reduce(state, message) {
  // A newer server may say things this page has not learnt.
  if (!Object.hasOwn(changes, message.type)) return state;
  if (message.type === "hello" || message.type === "snapshot") {
    return { ...state, ...changes[message.type](state, message) };
  }
  if (state.awaitsSnapshot) return state;
  if (counted.has(message.type) && message.seq <= state.seq) return state;
  return { ...state, ...changes[message.type](state, message), seq: Math.max(state.seq, message.seq ?? 0) };
}

/** The newest reload that took effect, or undefined. */
export function lastGoodReload(state) {
  return state.reloads.find((reload) => reload.outcome === "ok");
}

/** The failed reload that keeps the newest save from being served, or null. */
export function standingFailure(state) {
  if (state.status?.state !== "failing") return null;
  const last = state.status.last_reload;
  return last?.traceback ? last : (state.reloads.find((reload) => reload.traceback) ?? null);
}
