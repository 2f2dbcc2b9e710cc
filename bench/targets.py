"""The bounds that this project has set itself, beside what a run measured.

Each ratio is taken round by round, and then the median: what disturbs a round disturbs both sides.
Only judges figures; a target whose figures are missing is left open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

import api
import models
import peers
import serving
import static_files
import upload
import websocket_echo
from computing import WORKLOAD as COMPUTING
from figures import Rounds, medians, rates_of, ratios
from load import PACED_HELLO, WORKLOADS, hello_of
from many_routes import workloads
from records import NONE, Record, table
from rust_endpoint import LOADS

_HELLO, _ASYNC_HELLO, _PARAMETER, _ECHO = (workload.name for workload in WORKLOADS)
MANY = 64


@dataclass(frozen=True)
class Target:
    """`bound` is the least that is good, or the most if `at_most`."""

    what: str
    bound: float
    unit: str
    by_round: Rounds
    at_most: bool = False

    @property
    def measured(self) -> float | None:
        return median(self.by_round.values()) if self.by_round else None

    @property
    def is_met(self) -> bool | None:
        if (measured := self.measured) is None:
            return None
        return measured <= self.bound if self.at_most else measured >= self.bound


def targets(records: list[Record]) -> list[Target]:
    """All of them, in the order of the table."""
    return [
        *_beside_peers(records),
        *_alone(records),
        *_rust(records),
        *_routes(records),
        *_api(records),
        *_applications(records),
        *_models(records),
        *_processes(records),
        *_costs(records),
        *_wheel(records),
    ]


def targets_table(records: list[Record]) -> str:
    """All of them, as a table."""
    return judged(targets(records))


def judged(targets: Iterable[Target]) -> str:
    """A figure, its bound, its value, and the verdict."""
    rows = [["what", "target", "measured", "min–max of the rounds", ""]]
    for target in targets:
        sign = "≤" if target.at_most else "≥"
        values = target.by_round.values()
        cells = [NONE, NONE]
        if (measured := target.measured) is not None:
            lowest, highest = (_digits(value, target.unit) for value in (min(values), max(values)))
            cells = [f"{_digits(measured, target.unit)} {target.unit}", f"{lowest}–{highest}"]
        verdict = {True: "met", False: "**missed**", None: "not measured"}[target.is_met]
        rows.append([target.what, f"{sign} {target.bound:g} {target.unit}", *cells, verdict])
    return table(rows)


def _beside_peers(records: list[Record]) -> Iterator[Target]:
    for workload, of_axum in ((_HELLO, 0.68), (_PARAMETER, 0.65)):
        rates = rates_of(records, "requests", workload, MANY)
        own = rates.get(peers.OWN, {})

        def against(peer: str, bound: float, name: str = "") -> Target:
            what = f"{workload}, {MANY} connections, against {name or peer}"  # noqa: B023
            return _at_least(what, bound, own, rates.get(peer, {}))  # noqa: B023

        yield against(peers.CEILING, of_axum, "plain axum")
        yield against("granian-orjson", 1.5, "granian RSGI with orjson")
        fastest = _fastest_python_peer(rates)
        yield against(fastest, 1.25, f"the fastest Python peer ({fastest})")
        yield against("fastapi", 6, "FastAPI on uvicorn")
    echo = rates_of(records, "requests", _ECHO, MANY)
    what = f"{_ECHO}, {MANY} connections, against granian RSGI with orjson"
    yield _at_least(what, 1.8, echo.get(peers.OWN, {}), echo.get("granian-orjson", {}))
    what = f"{_ECHO}, {MANY} connections, against granian RSGI, both without orjson"
    yield _at_least(what, 2.5, echo.get(peers.BARE, {}), echo.get("granian", {}))
    one = rates_of(records, "requests", _HELLO, 1)
    what = f"{_HELLO}, 1 connection, against plain axum"
    yield _at_least(what, 0.8, one.get(peers.OWN, {}), one.get(peers.CEILING, {}))


def _alone(records: list[Record]) -> Iterator[Target]:
    plain = rates_of(records, "requests", _HELLO, MANY).get(peers.OWN, {})
    coroutine = rates_of(records, "requests", _ASYNC_HELLO, MANY).get(peers.OWN, {})
    yield _at_least("async hello, against the sync one", 0.75, coroutine, plain)
    rates = rates_of(records, "dev", _HELLO, MANY)
    serve = rates.get(peers.SERVE.name, {})
    for peer, bound, what in (
        (peers.DEV, 0.95, "dev mode with no console open, against serve"),
        (peers.WATCHED, 0.9, "dev mode with one console open, against serve"),
    ):
        yield _at_least(what, bound, rates.get(peer.name, {}), serve)
    computing = rates_of(records, "dev", COMPUTING.name, MANY)
    what = f"dev mode with no console open, against serve, {COMPUTING.name}"
    mine, base = (computing.get(peer.name, {}) for peer in (peers.DEV, peers.SERVE))
    yield _at_least(what, 0.99, mine, base)
    served, developed = (_of_dev(records, _HELLO, p, _cpu_us) for p in (peers.SERVE, peers.DEV))
    more = {number: developed[number] - us for number, us in served.items() if number in developed}
    yield Target("CPU that dev mode adds to a request", 5, "µs", more, at_most=True)
    pair = (peers.DEV, peers.STUCK)
    none, stuck = (_of_dev(records, PACED_HELLO.name, p, _p99_us) for p in pair)
    by_round = {number: stuck[number] / none[number] for number in none.keys() & stuck.keys()}
    what = "p99 of dev mode with a console that never reads, against none, paced"
    yield Target(what, 1.05, "×", by_round, at_most=True)


def _p99_us(record: Record) -> float:
    return float(record["p99_us"])


def _cpu_us(record: Record) -> float:
    return float(record["cpu_s"] / max(record["requests"], 1) * 1e6)


def _of_dev(
    records: list[Record], workload: str, peer: peers.Peer, figure: Callable[[Record], float]
) -> dict[int, float]:
    """Figures of the section of dev mode, by round."""
    wanted = ("dev", workload, peer.name)
    return {
        r["round"]: figure(r)
        for r in records
        if (r.get("section"), r.get("workload"), r.get("peer")) == wanted
        and not any(r["errors"].values())
    }


def _rust(records: list[Record]) -> Iterator[Target]:
    rates = rates_of(records, "rust", "hello in Rust", MANY)
    mounted, alone = (rates.get(peer.name, {}) for peer in (peers.MOUNTED, peers.ALONE))
    yield _at_least("a Rust endpoint in the same server, against plain axum", 0.97, mounted, alone)
    for load in LOADS:
        by_round = {
            r["round"]: r["busy"]["p99_us"] / r["idle"]["p99_us"]
            for r in records
            if r["type"] == "neighbour" and r["load"] == load and not any(r["errors"].values())
        }
        what = f"its p99 while every Python worker computes, against idle, {load}"
        yield Target(what, 4, "×", by_round, at_most=True)


def _routes(records: list[Record]) -> Iterator[Target]:
    for workload in workloads(10):
        rates = rates_of(records, "routes", workload.name, MANY)
        many, few = (rates.get(peer.name, {}) for peer in (peers.MANY_ROUTES, peers.FEW_ROUTES))
        yield _at_least(f"10,000 routes against 10, {workload.name}", 0.95, many, few)


def _api(records: list[Record]) -> Iterator[Target]:
    filled, read = (
        rates_of(records, "filling", workload.name, MANY).get(peers.API.name, {})
        for workload in (api.BY_NAME, api.BY_REQUEST)
    )
    what = "time of a request with parameters by name, against from the request"
    yield Target(what, 1.15, "×", ratios(read, filled), at_most=True)
    rates = rates_of(records, "filling", api.ORDER.name, MANY)
    own = rates.get(peers.API.name, {})
    for peer, bound, name in (
        (peers.FASTAPI, 5, "FastAPI on uvicorn"),
        (peers.LITESTAR, 1.5, "Litestar on granian"),
    ):
        what = f"{api.ORDER.name}, against {name}"
        yield _at_least(what, bound, own, rates.get(peer.name, {}))
    files = rates_of(records, "files", static_files.BUSY, MANY)
    mine, plain = (files.get(peer.name, {}) for peer in (peers.API, peers.FILES))
    yield _at_least("a static file while Python computes, against ServeDir", 0.8, mine, plain)
    peak = medians(records, "upload", "peak_mb").get(peers.API.name, {})
    what = f"memory during an upload of {upload.MEGABYTES} MB"
    yield Target(what, 50, "MB", peak, at_most=True)
    waits = medians(records, "websockets", "p99_us")
    mine, other = (waits.get(peer.name, {}) for peer in (peers.API, peers.FASTAPI))
    what = f"p99 of {websocket_echo.CLIENTS:,} WebSocket clients, against uvicorn"
    yield Target(what, 1, "×", ratios(mine, other), at_most=True)


def _applications(records: list[Record]) -> Iterator[Target]:
    asgi, wsgi = {"granian": 1.1, "uvicorn": 1.3}, {"granian": 1.1, "gunicorn": 1.5}
    for app, others in (("fastapi", asgi), ("starlette", asgi), ("flask", wsgi)):
        rates = rates_of(records, "applications", hello_of(app).name, MANY)
        for name, bound in others.items():
            what = f"hello of {app}, against {name}"
            yield _at_least(what, bound, rates.get(peers.BARE, {}), rates.get(name, {}))


def _models(records: list[Record]) -> Iterator[Target]:
    for kind in models.KINDS:
        workload = models.workload(kind).name
        rates = rates_of(records, "models", workload, MANY)
        what = f"{workload} in batches of 32, against LitServe"
        yield _at_least(what, 1, rates.get("snaxum", {}), rates.get("litserve", {}))


def _processes(records: list[Record]) -> Iterator[Target]:
    rates = rates_of(records, "serving", COMPUTING.name, MANY)
    two, one = (rates.get(peer.name, {}) for peer in (peers.TWO_PROCESSES, peers.ONE_PROCESS))
    yield _at_least(f"{COMPUTING.name}, two processes against one", 1.8, two, one)
    rates = rates_of(records, "serving", _HELLO, MANY)
    two, other = (rates.get(peer.name, {}) for peer in (peers.TWO_PROCESSES, peers.TWO_WORKERS))
    what = "hello of two processes, against granian RSGI with two workers and orjson"
    yield _at_least(what, 1.2, two, other)
    rates = rates_of(records, "serving", serving.SEEN_HELLO.name, MANY)
    seen, plain = (rates.get(peer.name, {}) for peer in (peers.SEEN, peers.SERVE))
    yield _at_least("hello with metrics and access log, against without", 0.97, seen, plain)
    deploys = [r for r in records if r["type"] == "disturbed" and r["what"] == serving.DEPLOYS]
    lost = {r["round"]: float(sum(r["restless"]["faults"].values())) for r in deploys}
    count = sum(r["count"] for r in deploys)
    some = f"{count} deploys" if count else "deploys"
    what = f"requests that {some} under {serving.CONNECTIONS} connections lost"
    yield Target(what, 0, "requests", lost, at_most=True)
    waits = {r["round"]: r["restless"]["p99_us"] / r["calm"]["p99_us"] for r in deploys}
    yield Target("p99 during deploys, against without", 3, "×", waits, at_most=True)


def _costs(records: list[Record]) -> Iterator[Target]:
    memory = medians(records, "memory", "rss_mb").get(peers.BARE, {})
    yield Target("idle memory, hello, without the pool", 25, "MB", memory, at_most=True)
    start = medians(records, "startup", "ms")
    own, granian = start.get(peers.BARE, {}), start.get("granian", {})
    yield Target("start-up to the first response, hello", 150, "ms", own, at_most=True)
    what = "the same, against granian"
    yield Target(what, 0.5, "×", ratios(own, granian), at_most=True)
    polars, alone = start.get(peers.POLARS.name, {}), start.get(peers.IMPORT_ALONE, {})
    more = {n: polars[n] - alone[n] for n in polars if n in alone}
    what = "start-up with polars, more than `python -c 'import polars'`"
    yield Target(what, 50, "ms", more, at_most=True)
    trips = medians(records, "roundtrip", "us")
    tasks = ratios(trips.get(peers.POOL.name, {}), trips.get(peers.EXECUTOR, {}))
    what = "a task of the pool, against a plain ProcessPoolExecutor's"
    yield Target(what, 1.3, "×", tasks, at_most=True)


def _wheel(records: list[Record]) -> Iterator[Target]:
    rates = rates_of(records, "wheel", _HELLO, MANY)
    wheel, binary = (rates.get(peer.name, {}) for peer in (peers.WHEEL, peers.BINARY))
    yield _at_least(f"{_HELLO} of the wheel, against the binary", 0.97, wheel, binary)
    start = medians(records, "startup", "ms")
    wheel, alone = start.get(peers.WHEEL.name, {}), start.get(peers.PYTHON_ALONE, {})
    more = {n: wheel[n] - alone[n] for n in wheel if n in alone}
    what = "start-up of the wheel to the first response, more than `python -c pass`"
    yield Target(what, 40, "ms", more, at_most=True)


def _fastest_python_peer(rates: Mapping[str, Rounds]) -> str:
    others = {
        peer: median(by_round.values())
        for peer, by_round in rates.items()
        if peer not in (peers.CEILING, peers.OWN, peers.BARE)
    }
    return max(others, key=others.__getitem__, default=NONE)


def _at_least(what: str, bound: float, mine: Rounds, base: Rounds) -> Target:
    return Target(what, bound, "×", ratios(mine, base))


def _digits(value: float, unit: str) -> str:
    if unit == "×":
        # A bound of 0.99 is not judged by two digits.
        return f"{value:.3f}" if 0.95 < value < 1.05 else f"{value:.2f}"
    return f"{value:.1f}"
