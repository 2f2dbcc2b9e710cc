// The console's state, and how each message of the event stream changes it.
//
// Pure functions over plain data: never touches the page, the network or the clock.
// Every list has a bound, so the memory of a console that stays open for days is bounded.

/** @import { LogLine, Message, Metrics, Pin, Reload, RouteInfo, ServerStatus, Traceback, TrackedError, WebSocketMessage } from "snaxum-events" */
/** @import { ListedRequest } from "../types.js" */

// More than the server stores: this page collects the requests that it has received.
const MAX_REQUESTS = 10_000;
const MAX_RELOADS = 100;
const MAX_MESSAGES = 2000;
const MAX_ERRORS = 200;
const MAX_LINES = 5000;
// As many as the server stores.
const MAX_PROFILES = 50;

/** The newest report of a profile: another object means another profile. @typedef {{ samples?: number }} ProfileReport */

/**
 * Lists are newest first, as the server sends them.
 * @typedef {{
 *   runId: string | null,
 *   seq: number,
 *   awaitsSnapshot: boolean,
 *   python: string | null,
 *   status: ServerStatus | null,
 *   routes: RouteInfo[],
 *   requests: ListedRequest[],
 *   reloads: Reload[],
 *   messages: WebSocketMessage[],
 *   errors: TrackedError[],
 *   profiles: Map<string, ProfileReport>,
 *   logs: LogLine[],
 *   pins: Pin[],
 *   pinResults: Record<string, { passing: number, failing: number }>,
 *   lastFailure: Traceback | null,
 *   metrics: Metrics | null,
 *   workerEvents: number,
 *   reloading: string[] | null,
 *   droppedEvents: number,
 * }} State
 */

/**
 * The state before the first message.
 * @type {State}
 */
export const initialState = {
  runId: null,
  seq: 0,
  // Between the `hello` of a new process and its snapshot, no other message can be applied.
  awaitsSnapshot: true,
  python: null,
  status: null,
  routes: [],
  requests: [],
  reloads: [],
  // Messages of WebSockets that this page has received.
  messages: [],
  errors: [],
  // The requests that have a profile, the newest profile last.
  profiles: new Map(),
  logs: [],
  // In the order in which they were pinned.
  pins: [],
  // Results of replaying the pinned requests, by generation. Contains only results that this page received.
  pinResults: {},
  lastFailure: null,
  // The server's current load, or null.
  metrics: null,
  // Number of events received about processes of the pool.
  workerEvents: 0,
  // The files of the reload that is running, or null.
  reloading: null,
  droppedEvents: 0,
};

/** @type {{ [Type in Message["type"]]?: (state: State, message: Message & { type: Type }) => Partial<State> }} */
const reducers = {
  hello(state, { run_id, python }) {
    if (run_id === state.runId) return { python };
    // The process restarted: show the old state until a snapshot replaces all of it.
    return { runId: run_id, python, seq: 0, awaitsSnapshot: true, metrics: null };
  },

  snapshot(state, message) {
    return {
      ...initialState,
      runId: state.runId,
      python: state.python,
      droppedEvents: state.awaitsSnapshot ? 0 : state.droppedEvents,
      awaitsSnapshot: false,
      seq: message.seq,
      status: message.status,
      routes: message.routes,
      // Within one run, this page still has requests that the server has dropped since.
      requests: state.awaitsSnapshot ? message.requests : mergeRequests(message.requests, state.requests),
      reloads: message.reloads.slice(0, MAX_RELOADS),
      messages: state.awaitsSnapshot ? [] : state.messages,
      errors: message.errors,
      profiles: new Map(message.profiled.map((id) => [id, {}])),
      logs: state.awaitsSnapshot ? message.logs : mergeLines(message.logs, state.logs),
      pins: message.pins ?? [],
      pinResults: state.awaitsSnapshot ? {} : state.pinResults,
      lastFailure: message.last_failure ?? null,
    };
  },

  "request.end": (state, { request }) => ({
    requests: [request, ...state.requests.slice(0, MAX_REQUESTS - 1)],
  }),

  // The request again, with the times of its stream.
  "stream.end": (state, { request: ended }) => ({
    requests: state.requests.map((request) => (request.id === ended.id ? { ...request, ...ended } : request)),
  }),

  "websocket.message": (state, { message }) => ({
    messages: [message, ...state.messages.slice(0, MAX_MESSAGES - 1)],
  }),

  // The request of the handshake has its end from now on.
  "websocket.close": (state, { close }) => ({
    requests: state.requests.map((request) => (request.id === close.request ? { ...request, close, error: close.error ?? request.error } : request)),
  }),

  log: (state, { log }) => ({ logs: [log, ...state.logs.slice(0, MAX_LINES - 1)] }),

  // The newest first, as in the snapshot.
  "error.state": (state, { error }) => {
    const others = state.errors.filter(({ id }) => id !== error.id);
    const older = others.findIndex(({ last_ms }) => last_ms <= error.last_ms);
    return { errors: others.toSpliced(older < 0 ? others.length : older, 0, error).slice(0, MAX_ERRORS) };
  },

  profile({ profiles }, { request, samples }) {
    const newer = [...profiles].filter(([id]) => id !== request).slice(1 - MAX_PROFILES);
    return { profiles: new Map([...newer, [request, { samples }]]) };
  },

  "reload.start": (state, { files }) => ({ reloading: files }),
  "reload.ok": reloadEnded,
  "reload.fail": reloadEnded,

  // Follows the end of its reload: the documents of both generations are compared later.
  "contract.diff": (state, { reload: id, contract }) => ({
    reloads: state.reloads.map((reload) => (reload.id === id ? { ...reload, contract } : reload)),
  }),

  routes: (state, { routes }) => ({ routes }),
  status: (state, { status }) => ({ status }),
  pins: (state, { pins }) => ({ pins, pinResults: newest({ ...state.pinResults, ...countPinResults(state.pins, pins) }) }),
  worker: (state) => ({ workerEvents: state.workerEvents + 1 }),
  metrics: (state, { metrics }) => ({ metrics }),
  dropped: (state, { count }) => ({ droppedEvents: state.droppedEvents + count }),
};

/**
 * @param {ListedRequest[]} received
 * @param {ListedRequest[]} stored
 */
function mergeRequests(received, stored) {
  const ids = new Set(received.map(({ id }) => id));
  return [...received, ...stored.filter(({ id }) => !ids.has(id))].slice(0, MAX_REQUESTS);
}

/**
 * @param {LogLine[]} received
 * @param {LogLine[]} stored
 */
function mergeLines(received, stored) {
  const oldest = received.at(-1)?.time_ms ?? Infinity;
  return [...received, ...stored.filter(({ time_ms }) => time_ms < oldest)].slice(0, MAX_LINES);
}

/**
 * Counts the results of the pinned requests that were replayed since `before`, by generation.
 * @param {Pin[]} before
 * @param {Pin[]} pins
 */
function countPinResults(before, pins) {
  const replays = new Map(before.map((pin) => [pin.id, pin.replays]));
  const replayed = pins.filter((pin) => pin.replays > (replays.get(pin.id) ?? pin.replays));
  if (!replayed.length) return {};
  const passing = replayed.filter(({ state }) => state === "passing").length;
  const generation = Math.max(...replayed.map(({ generation }) => generation ?? 0));
  return { [generation]: { passing, failing: replayed.length - passing } };
}

/** @param {State["pinResults"]} results */
function newest(results) {
  // Integer keys of an object are in ascending order.
  return Object.fromEntries(Object.entries(results).slice(-MAX_RELOADS));
}

/**
 * @param {State} state
 * @param {{ reload: Reload, status: ServerStatus }} message
 * @returns {Partial<State>}
 */
function reloadEnded(state, { reload, status }) {
  return {
    reloading: null,
    status,
    reloads: [reload, ...state.reloads.slice(0, MAX_RELOADS - 1)],
    lastFailure: reload.traceback ?? state.lastFailure,
  };
}

// After a reconnect the server may repeat events of these types, which must be applied once.
const APPLIED_ONCE = new Set(["request.end", "stream.end", "log", "websocket.message", "websocket.close", "reload.start", "reload.ok", "reload.fail", "routes"]);

/**
 * Returns the state after `message`; the same object if the message changes nothing.
 * @param {State} state
 * @param {Message} message
 * @returns {State}
 */
export function reduce(state, message) {
  // A newer server may send types that this page does not support.
  if (!Object.hasOwn(reducers, message.type)) return state;
  // The table guarantees that each reducer gets messages of its own type.
  const change = /** @type {(state: State, message: Message) => Partial<State>} */ (reducers[message.type]);
  if (message.type === "hello" || message.type === "snapshot") return { ...state, ...change(state, message) };
  if (state.awaitsSnapshot) return state;
  if (APPLIED_ONCE.has(message.type) && message.seq <= state.seq) return state;
  return { ...state, ...change(state, message), seq: Math.max(state.seq, message.seq ?? 0) };
}

/**
 * Returns the state after several messages. Ends of requests in a row are added together: at hundreds a second,
 * a copy of the list for each would cost more than to draw it.
 * @param {State} state
 * @param {Message[]} messages
 * @returns {State}
 */
export function reduceAll(state, messages) {
  /** @type {ListedRequest[]} */
  let ended = [];
  let seq = state.seq;
  function addEnded() {
    if (ended.length) state = { ...state, seq, requests: [...ended.reverse(), ...state.requests].slice(0, MAX_REQUESTS) };
    ended = [];
  }
  for (const message of messages) {
    if (message.type === "request.end" && !state.awaitsSnapshot) {
      if (message.seq <= seq) continue;
      ended.push(message.request);
      seq = message.seq;
    } else {
      addEnded();
      state = reduce(state, message);
      seq = state.seq;
    }
  }
  addEnded();
  return state;
}

/**
 * Returns the newest reload that took effect, or undefined.
 * @param {Pick<State, "reloads">} state
 */
export function lastSuccessfulReload(state) {
  return state.reloads.find((reload) => reload.outcome === "ok");
}

/**
 * Returns the failed reload because of which the newest save is not served, or null.
 * @param {State} state
 */
export function currentFailure(state) {
  if (state.status?.state !== "failing") return null;
  const last = state.status.last_reload;
  return last?.traceback ? last : (state.reloads.find((reload) => reload.traceback) ?? null);
}
