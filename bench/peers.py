"""The table of servers that are measured: what each one is called and how it is started.

Only names and commands. Starting them is `servers.py`, their programs are in `peers/<app>/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Rows that every other row is divided by, if they take part in the run.
BASELINES = ("axum", "granian", "granian-orjson")


@dataclass(frozen=True)
class Peer:
    """One row. `command` may name {port}, {app} (a fresh copy of the program's directory, also the
    working directory), {bin} (of the peers' venv), {axum} and {snaxum} (the binaries)."""

    name: str
    app: str
    command: str
    env: Mapping[str, str] = field(default_factory=dict)
    # What the copy finds as `.venv`: "bare" is an empty one, "peers" has requirements.txt in it.
    dot_venv: str | None = None


_SNAXUM = "{snaxum} serve {app} --port {port}"
_GRANIAN = (
    "{bin}/granian app:app --interface rsgi --host 127.0.0.1 --port {port}"
    " --workers 1 --loop uvloop --log-level warning --no-access-log"
)
_UVICORN = (
    "{bin}/uvicorn app:app --host 127.0.0.1 --port {port}"
    " --workers 1 --loop uvloop --http httptools --log-level warning --no-access-log"
)
_GUNICORN = (
    "{bin}/gunicorn app:app --bind 127.0.0.1:{port}"
    " --workers 1 --worker-class gthread --threads 4 --log-level warning"
)

PEERS = (
    Peer("axum", "axum_plain", "{axum} {port}"),
    Peer("snaxum", "snaxum", _SNAXUM, dot_venv="bare"),
    Peer("snaxum-orjson", "snaxum", _SNAXUM, dot_venv="peers"),
    Peer("granian", "granian", _GRANIAN),
    Peer("granian-orjson", "granian", _GRANIAN, env={"BENCH_JSON": "orjson"}),
    Peer("fastapi", "fastapi", _UVICORN),
    Peer("flask", "flask", _GUNICORN),
)
