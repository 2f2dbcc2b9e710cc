"""The table of servers that are measured: what each one is called and how it is started.

Only names and commands. Starting them is `servers.py`, their programs are in `peers/<app>/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

# Rows that every other row is divided by, if they take part in the run.
BASELINES = ("axum", "granian", "granian-orjson")
# Plain Rust: what no Python server can reach.
CEILING = "axum"
# This project as users have it, and without orjson.
OWN = "snaxum-orjson"
BARE = "snaxum"


@dataclass(frozen=True)
class Peer:
    """One row. `command` may name {port}, {app} (a fresh copy of the program's directory, also the
    working directory), {NAME_bin} (of a venv of setup.py), and {axum}, {mounted} and {snaxum} (the
    binaries); `env` may name {port}."""

    name: str
    app: str
    command: str
    env: Mapping[str, str] = field(default_factory=dict)
    # The file that reload.py edits.
    edited: str = "app.py"
    # The `.venv` of the copy: "bare" is an empty one, "peers" has requirements.txt in it.
    dot_venv: str | None = None
    # A library of the system, without which the row is left out.
    needs: str | None = None
    heeds_sigterm: bool = True


_SNAXUM = "{snaxum} serve {app} --port {port}"
_GRANIAN = (
    "{peers_bin}/granian app:app --interface rsgi --host 127.0.0.1 --port {port}"
    " --workers 1 --loop uvloop --log-level warning --no-access-log"
)
_UVICORN = (
    "{peers_bin}/uvicorn app:app --host 127.0.0.1 --port {port}"
    " --workers 1 --loop uvloop --http httptools --log-level warning --no-access-log"
)
_ROBYN = "{robyn_bin}/python app.py --log-level WARN --disable-openapi"
_GUNICORN = (
    "{peers_bin}/gunicorn app:app --bind 127.0.0.1:{port}"
    " --workers 1 --worker-class gthread --threads 4 --log-level warning"
)

PEERS = (
    Peer(CEILING, "axum_plain", "{axum} {port}"),
    Peer(BARE, "snaxum", _SNAXUM, dot_venv="bare"),
    Peer(OWN, "snaxum", _SNAXUM, dot_venv="peers"),
    Peer("granian", "granian", _GRANIAN),
    Peer("granian-orjson", "granian", _GRANIAN, env={"BENCH_JSON": "orjson"}),
    Peer("socketify", "socketify", "{peers_bin}/python app.py {port}", needs="libuv.so.1"),
    Peer("blacksheep", "blacksheep", _GRANIAN.replace("rsgi", "asgi")),
    Peer("robyn", "robyn", _ROBYN, env={"ROBYN_PORT": "{port}"}, heeds_sigterm=False),
    Peer("fastapi", "fastapi", _UVICORN),
    Peer("flask", "flask", _GUNICORN),
)

_DEV = "{snaxum} dev {app} --port {port}"

# The same program for production, and while it may change; the last two with a console open, which
# reads or does not.
SERVE = Peer("serve", "snaxum", _SNAXUM, dot_venv="peers")
DEV = Peer("dev", "snaxum", _DEV, dot_venv="peers")
WATCHED = Peer("dev, a console open", "snaxum", _DEV, dot_venv="peers")
STUCK = Peer("dev, a console stuck", "snaxum", _DEV, dot_venv="peers")

# A Rust endpoint alone, and with Python in the same process.
ALONE = Peer("alone", "axum_plain", "{axum} {port}")
MOUNTED = Peer("beside Python", "axum_mounted", "{mounted} {port}", dot_venv="peers")

# As many processes as there are cores here, and a peer with as many.
_PROCESSES = _SNAXUM + " --processes "
ONE_PROCESS = Peer("1 process", "snaxum", _PROCESSES + "1", dot_venv="peers")
TWO_PROCESSES = Peer("2 processes", "snaxum", _PROCESSES + "2", dot_venv="peers")
TWO_WORKERS = Peer(
    "granian, 2 workers",
    "granian",
    _GRANIAN.replace("--workers 1", "--workers 2"),
    env={"BENCH_JSON": "orjson"},
)
# With everything that shows it from outside.
SEEN = Peer(
    "metrics and access log",
    "snaxum",
    _SNAXUM + " --metrics 127.0.0.1:0 --access-log access.log",
    dot_venv="peers",
)

# The two builds of this project.
BINARY = Peer("snaxum binary", "snaxum", _SNAXUM, dot_venv="peers")
_WHEEL = "serve {app} --port {port}"
WHEEL = Peer("snaxum wheel", "snaxum", "{wheel_bin}/snaxum " + _WHEEL, dot_venv="peers")

# Two sizes of one generated program.
FEW_ROUTES = Peer("10 routes", "snaxum", _SNAXUM, dot_venv="peers")
MANY_ROUTES = Peer("10,000 routes", "snaxum", _SNAXUM, dot_venv="peers")

# With `import polars` at the top.
POLARS = Peer("snaxum with polars", "snaxum", _SNAXUM, dot_venv="peers")
# Under valgrind, which counts on command.
_COUNT = (
    "{valgrind} --tool=callgrind --trace-children=yes --instr-atstart=no"
    " --callgrind-out-file={app}/callgrind.out.%p "
)
COUNTED = Peer("snaxum counted", "snaxum", _COUNT + _SNAXUM, dot_venv="peers")
COUNTED_SEEN = Peer("snaxum seen, counted", "snaxum", _COUNT + SEEN.command, dot_venv="peers")


def of_wheel(peer: Peer) -> Peer:
    """The same server by the command of a wheel, whose script valgrind cannot trace."""
    return replace(peer, command=peer.command.replace("{snaxum}", "{wheel_bin}/python -m snaxum"))


# No servers: that import in Python alone, Python alone, and a plain executor.
IMPORT_ALONE = "import polars alone"
PYTHON_ALONE = "python -c pass"
EXECUTOR = "ProcessPoolExecutor"

# Times its own pool.
POOL = Peer("snaxum", "snaxum_pool", _SNAXUM + " --pool-workers 2", dot_venv="bare")

# The API: parameters, a validated body, static files, an upload, a WebSocket.
API = Peer("snaxum", "snaxum_api", _SNAXUM, dot_venv="peers")
FASTAPI = Peer("fastapi", "fastapi_api", _UVICORN)
LITESTAR = Peer("litestar", "litestar", _GRANIAN.replace("rsgi", "asgi"))
# Its `ServeDir`.
FILES = Peer(CEILING, "axum_plain", "{axum} {port}")


# Servers of models, by the kind of the model: LitServe, and this project with the model in a worker
# of the handler, or in the server.
def model_servers(kind: str) -> tuple[Peer, ...]:
    own = {"BENCH_MODEL": kind}
    return (
        Peer(
            "litserve",
            "litserve",
            "{models_bin}/python app.py {port}",
            env=own,
            heeds_sigterm=False,
        ),
        Peer(
            "snaxum", "snaxum_models", _SNAXUM, env=own | {"BENCH_WORKERS": "1"}, dot_venv="models"
        ),
        Peer(
            "snaxum in-thread",
            "snaxum_models",
            _SNAXUM,
            env=own | {"BENCH_WORKERS": "0"},
            dot_venv="models",
        ),
    )


_HOST = "{snaxum} serve app:app --port {port}"
_ASGI = _GRANIAN.replace("rsgi", "asgi")
# Applications of frameworks, each under several servers.
APPLICATIONS = (
    *(
        Peer(name, app, command, dot_venv="peers" if command == _HOST else None)
        for app in ("fastapi", "starlette")
        for name, command in ((BARE, _HOST), ("granian", _ASGI), ("uvicorn", _UVICORN))
    ),
    Peer(BARE, "flask", _HOST, dot_venv="peers"),
    Peer("granian", "flask", _GRANIAN.replace("rsgi", "wsgi")),
    Peer("gunicorn", "flask", _GUNICORN),
)
# This project and one other for each of them.
COUNTED_APPLICATIONS = tuple(
    replace(peer, command=_COUNT + peer.command)
    for peer in APPLICATIONS
    if peer.name in (BARE, "granian")
)

_HMR = "{hmr_bin}/uvicorn-hmr app:app --host 127.0.0.1 --port {port} --log-level warning"
_JURIGGED = _UVICORN.replace("uvicorn", "jurigged -w {app} -m uvicorn", 1)
_FLASK = "{peers_bin}/python app.py {port}"

# The servers of reload.py: they serve while files change.
RELOADERS = (
    Peer("snaxum", "snaxum", _DEV, edited="python/app.py", dot_venv="peers"),
    Peer("uvicorn-reload", "fastapi", _UVICORN + " --reload"),
    Peer("granian-reload", "fastapi", _GRANIAN.replace("rsgi", "asgi") + " --reload"),
    Peer("flask-watchdog", "flask", _FLASK + " watchdog"),
    Peer("flask-stat", "flask", _FLASK + " stat"),
    Peer("uvicorn-hmr", "fastapi", _HMR),
    Peer("jurigged", "fastapi", _JURIGGED),
)

# One application of FastAPI, served by each of them.
RELOADED_APPLICATIONS = (
    Peer(
        "snaxum",
        "fastapi_modules",
        "{snaxum} dev app:app --port {port}",
        edited="greeting.py",
        dot_venv="peers",
    ),
    *(
        replace(peer, app="fastapi_modules", edited="greeting.py")
        for peer in RELOADERS
        if peer.app == "fastapi"
    ),
)

# Snaxum with an app that also reports its own memory.
PROBE = Peer("snaxum", "snaxum_probe", _DEV, edited="python/app.py", dot_venv="bare")

# Two processes in production, and their module that `soak_serve.py` edits.
SERVE_SOAK = Peer(
    "snaxum-serve",
    "snaxum_serve_soak",
    "{snaxum} serve {app} --port {port} --processes 2 --drain-timeout 5 --hang-timeout 20",
    dot_venv="bare",
)

# Snaxum with the one file of `soak.py` that is not edited.
SOAK = Peer("snaxum", "snaxum_soak", _DEV, dot_venv="bare")
