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
    working directory), {NAME_bin} (of a venv of setup.py), {axum} and {snaxum} (the binaries)."""

    name: str
    app: str
    command: str
    env: Mapping[str, str] = field(default_factory=dict)
    # The file that reload.py edits.
    edited: str = "app.py"
    # What the copy finds as `.venv`: "bare" is an empty one, "peers" has requirements.txt in it.
    dot_venv: str | None = None


_SNAXUM = "{snaxum} serve {app} --port {port}"
_GRANIAN = (
    "{peers_bin}/granian app:app --interface rsgi --host 127.0.0.1 --port {port}"
    " --workers 1 --loop uvloop --log-level warning --no-access-log"
)
_UVICORN = (
    "{peers_bin}/uvicorn app:app --host 127.0.0.1 --port {port}"
    " --workers 1 --loop uvloop --http httptools --log-level warning --no-access-log"
)
_GUNICORN = (
    "{peers_bin}/gunicorn app:app --bind 127.0.0.1:{port}"
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

_DEV = "{snaxum} dev {app} --port {port}"
_HMR = "{hmr_bin}/uvicorn-hmr app:app --host 127.0.0.1 --port {port} --log-level warning"
_JURIGGED = _UVICORN.replace("uvicorn", "jurigged -w {app} -m uvicorn", 1)
_FLASK = "{peers_bin}/python app.py {port}"

# What serves while files change, for reload.py.
RELOADERS = (
    Peer("snaxum", "snaxum", _DEV, edited="python/app.py", dot_venv="peers"),
    Peer("uvicorn-reload", "fastapi", _UVICORN + " --reload"),
    Peer("granian-reload", "fastapi", _GRANIAN.replace("rsgi", "asgi") + " --reload"),
    Peer("flask-watchdog", "flask", _FLASK + " watchdog"),
    Peer("flask-stat", "flask", _FLASK + " stat"),
    Peer("uvicorn-hmr", "fastapi", _HMR),
    Peer("jurigged", "fastapi", _JURIGGED),
)

# Snaxum with an app that also looks at itself.
PROBE = Peer("snaxum", "snaxum_probe", _DEV, edited="python/app.py", dot_venv="bare")

# Snaxum with the one file of `soak.py` that is not edited.
SOAK = Peer("snaxum", "snaxum_soak", _DEV, dot_venv="bare")
