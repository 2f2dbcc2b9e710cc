"""The requests that are measured: checks one response of each, then lets wrk repeat it.

Knows a port, not the program behind it. Never measures an endpoint whose response is wrong.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from servers import pinned

WARM_UP_S = 1
RESPONSE_TIMEOUT_S = 30.0
# For wrk to connect, and to print; it ends by itself after its duration.
GRACE_S = 20.0


class LoadError(Exception):
    """The response is wrong, or wrk did not do its work."""


@dataclass(frozen=True)
class Workload:
    """One request, over and over, and the JSON of the right response."""

    name: str
    method: str
    path: str
    expected: object
    body: str = ""
    # The one directory of `peers/` that knows it; None is each of them.
    only: str | None = None
    # How long a connection waits before the next request, on average.
    think_ms: int = 0


@dataclass(frozen=True)
class Measurement:
    """The figures of one run of wrk."""

    requests: int
    seconds: float
    p50_us: float
    p99_us: float
    # Error statuses, and connections that failed, broke or timed out, as wrk counts them.
    errors: dict[str, int]


def _one_kilobyte() -> str:
    """A document as an API has them: a list of objects of mixed values, 1,024 bytes of it."""
    lines = [
        {"sku": f"A-{n:04}", "amount": n % 5 + 1, "price": n * 2.25, "gift": n % 2 == 0}
        for n in range(16)
    ]
    document = {"order": 90210, "lines": lines, "remark": ""}
    missing = 1024 - len(json.dumps(document, separators=(",", ":")))
    document["remark"] = ("please ring twice; " * 54)[:missing]
    return json.dumps(document, separators=(",", ":"))


ECHO = _one_kilobyte()
WORKLOADS = (
    Workload("hello", "GET", "/python/hello", {"message": "hello"}),
    Workload("async hello", "GET", "/python/async-hello", {"welcome": "hello"}, only="snaxum"),
    Workload("path parameter", "GET", "/python/users/42", {"user_id": 42}),
    Workload("1 KB JSON echo", "POST", "/python/echo", json.loads(ECHO), ECHO),
)
# Each connection thinks so long on average, so that the load itself leaves a core free.
THINK_MS = 20
# Flat out, the p99 is that of the queue in front of the server.
PACED_HELLO = Workload(
    "hello, paced", "GET", "/python/hello", {"message": "hello"}, think_ms=THINK_MS
)
RUST_HELLO = Workload("hello in Rust", "GET", "/rust/hello", {"message": "hello"})


def hello_of(app: str) -> Workload:
    """The same request to an application of a framework."""
    return replace(WORKLOADS[0], name=f"hello of {app}")


# `request` and `response` would run for each request; `done` runs once.
_DONE = """
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "errors": ' ..
    '{"status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
"""


def check(port: int, workload: Workload) -> None:
    """Send the request once; LoadError unless the response is the right one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=RESPONSE_TIMEOUT_S)
    headers = {"Content-Type": "application/json"} if workload.body else {}
    try:
        connection.request(workload.method, workload.path, workload.body or None, headers)
        response = connection.getresponse()
        kind, body = response.getheader("content-type", ""), response.read()
    except (OSError, http.client.HTTPException) as error:
        raise LoadError(f"{workload.name}: no response ({error!r})") from error
    finally:
        connection.close()
    # As values, since some sort the keys or end the line; both are right.
    if response.status != 200 or not kind.startswith("application/json"):
        raise LoadError(f"{workload.name}: {response.status} {kind}: {body[:200]!r}")
    if json.loads(body) != workload.expected:
        raise LoadError(f"{workload.name}: responded {body[:200]!r}")


def measure(
    wrk: Path, port: int, workload: Workload, connections: int, *, seconds: int, core: int | None
) -> Measurement:
    """Repeat the request for `seconds` on so many connections, as fast as the responses arrive."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_script(workload))
        script.flush()
        command = [str(wrk), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script.name]
        try:
            done = subprocess.run(
                [*pinned(core), *command, f"http://127.0.0.1:{port}{workload.path}"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds + GRACE_S,
            )
        except subprocess.TimeoutExpired:
            raise LoadError(f"{workload.name}: wrk did not end in time") from None
    last_line = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode or not last_line.startswith("{"):
        raise LoadError(f"{workload.name}: wrk: {(done.stderr or done.stdout).strip()}")
    return Measurement(**json.loads(last_line))


def _script(workload: Workload) -> str:
    script = _DONE
    if workload.think_ms:
        about = (workload.think_ms // 2, workload.think_ms * 3 // 2)
        script += f"function delay() return math.random{about} end\n"
    if workload.body:
        script += (
            f'wrk.method = "{workload.method}"\n'
            f"wrk.body = [==[{workload.body}]==]\n"
            'wrk.headers["Content-Type"] = "application/json"\n'
        )
    return script
