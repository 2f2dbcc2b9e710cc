"""Runs the test suites of frameworks through the server, over sockets: `just conformance
[SUITE...]`.

Owns the environments below target/conformance, the sources of each project, the servers and the
counts. A suite runs in the process of the server (`host.py`), with a client over a socket in place
of the framework's own. It ends with 1 if a test fails that is not in `left-out/SUITE.txt`, or if
the server departs from a specification.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target/conformance"
LIMIT_S = 1200


@dataclass(frozen=True)
class Suite:
    """The tests of a project: where they are, and which of its clients they use."""

    name: str
    version: str
    # "asgi" or "wsgi".
    client: str
    arguments: str = "tests"
    # Further packages of the tests.
    packages: tuple[str, ...] = ()


_STARLETTE = (
    *(
        "httpx",
        "httpx2",
        "itsdangerous",
        "jinja2",
        "opentelemetry-sdk",
        "python-multipart",
    ),
    *("pyyaml", "trio"),
)
_FASTAPI = (
    *("a2wsgi", "dirty-equals", "fastapi[standard]", "flask", "httpx", "httpx2", "inline-snapshot"),
    *("itsdangerous", "jinja2", "logfire", "opentelemetry-exporter-otlp-proto-http"),
    *("opentelemetry-instrumentation-fastapi", "opentelemetry-sdk", "orjson", "pwdlib[argon2]"),
    *("pydantic-extra-types", "pydantic-settings", "pyjwt", "python-multipart", "pyyaml"),
    *("sentry-sdk", "sqlmodel", "starlette==1.10.0", "strawberry-graphql", "ujson"),
)
SUITES = (
    Suite("starlette", "1.10.0", "asgi", packages=_STARLETTE),
    Suite("fastapi", "0.165.0", "asgi", packages=_FASTAPI),
    Suite(
        "werkzeug",
        "3.1.9",
        "wsgi",
        packages=("cryptography", "ephemeral-port-reserve", "watchdog"),
    ),
    Suite("flask", "3.1.3", "wsgi", packages=("python-dotenv",)),
)
EVERYWHERE = (
    "asgiref==3.13.0",
    "pytest==8.4.2",
    "typeguard==4.6.0",
    "websockets==17.4",
)
UV = "uv==0.13.9"


def main() -> int:
    """Run the suites that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [suite.name for suite in SUITES]
    parser.add_argument("suites", nargs="*", help=f"some of {', '.join(names)}; all by default")
    parser.add_argument(
        "--dev", action="store_true", help="under `snaxum dev`, which observes requests"
    )
    parser.add_argument("--everything", action="store_true", help="leave no test out")
    parser.add_argument(
        "-k", "--keyword", help="only the tests of this expression, as pytest has it"
    )
    parser.add_argument("--python", default=os.environ.get("PYO3_PYTHON", sys.executable))
    options = parser.parse_args()
    unknown = set(options.suites) - set(names)
    if unknown:
        parser.error(f"unknown suites: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    binary = _binary()
    chosen = [suite for suite in SUITES if not options.suites or suite.name in options.suites]
    return max(_run(suite, binary, options) for suite in chosen)


def _binary() -> str:
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    command = os.environ.get("SNAXUM_COMMAND", str(target / "debug/snaxum"))
    if not Path(command).exists():
        sys.exit(f"error: no {command}; run `cargo build`, or name a command with SNAXUM_COMMAND")
    return command


def _run(suite: Suite, binary: str, options: Any) -> int:
    python = _environment(suite, options.python)
    source = _source(suite, options.python)
    project = WORK / f"{suite.name}-project"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir(parents=True)
    for module in HERE.glob("*.py"):
        if module.name != "run.py":
            shutil.copy(module, project)
    (project / ".venv").symlink_to(python.parent.parent)
    left_out = HERE / "left-out" / f"{suite.name}.txt"
    env = {key: value for key, value in os.environ.items() if not key.startswith("SNAXUM_")}
    env["CONFORMANCE_TESTS"] = str(source)
    env["CONFORMANCE_CLIENT"] = suite.client
    env["CONFORMANCE_ARGUMENTS"] = suite.arguments
    if options.keyword:
        env["CONFORMANCE_ARGUMENTS"] += f" -k {options.keyword}"
    if not options.everything:
        env["CONFORMANCE_LEFT_OUT"] = str(left_out)
    command = [
        binary,
        "dev" if options.dev else "serve",
        f"host:{suite.client}",
        "--port",
        "0",
    ]
    command += ["--request-timeout", "0", "--dispatch-workers", "8"]
    with open(WORK / f"{suite.name}.log", "wb") as log:
        server = subprocess.Popen(
            command,
            cwd=project,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            report = _report(server, log)
        finally:
            server.terminate()
            server.wait()
    return _print(suite, report, bool(options.keyword))


def _report(server: subprocess.Popen[bytes], log: Any) -> dict[str, Any]:
    """Ask a server for the results of its tests."""
    assert server.stdout is not None, "it is piped"
    for line in server.stdout:
        log.write(line)
        found = re.search(rb"(?:listening on|App +) *(http://[\d.:]+)", line)
        if found:
            break
    else:
        sys.exit(f"error: the server has ended; see {log.name}")
    copier = threading.Thread(target=shutil.copyfileobj, args=(server.stdout, log))
    copier.start()
    with urllib.request.urlopen(found[1].decode() + "/", timeout=LIMIT_S) as response:
        report: dict[str, Any] = json.load(response)
    server.terminate()
    copier.join()
    return report


def _print(suite: Suite, report: dict[str, Any], is_part: bool) -> int:
    print(
        f"{suite.name} {suite.version}: {report['tests']} tests, {report['driven']} of them over "
        f"sockets with {report['requests']} requests: {report['passed']} passed, "
        f"{report['left_out']} left out"
    )
    checked = ", ".join(f"{count} {what}" for what, count in report["checked"].items() if count)
    print(f"  checked: {checked}; findings: {len(report['findings'])}")
    wrong = [f"failed: {name}" for name in report["failed"]]
    wrong += [f"finding: {text}" for text in report["findings"]]
    if not is_part:
        wrong += [f"left out, and not there: {name}" for name in report["unknown"]]
    for text in wrong:
        print(f"  {text}")
    if wrong:
        print(f"  the output of pytest is in {WORK / f'{suite.name}.log'}")
    return 1 if wrong or report["code"] not in (0, 1) else 0


def _environment(suite: Suite, base: str) -> Path:
    """Return the interpreter of an environment with the project and what its tests need."""
    venv = WORK / f"{suite.name}-venv"
    python = venv / "bin/python"
    wanted = [f"{suite.name}=={suite.version}", *EVERYWHERE, *suite.packages]
    stamp = venv / "installed"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != " ".join(wanted):
        subprocess.run([base, "-m", "venv", "--clear", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", UV], check=True)
        subprocess.run(
            [python, "-m", "uv", "pip", "install", "-q", "--python", python, *wanted],
            check=True,
        )
        stamp.write_text(" ".join(wanted), encoding="utf-8")
    return python


def _source(suite: Suite, base: str) -> Path:
    """Return the directory of a project's source distribution, which has its tests."""
    source = WORK / f"{suite.name}-{suite.version}"
    if not source.exists():
        command = [
            base,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
            "-d",
            WORK,
        ]
        subprocess.run([*command, f"{suite.name}=={suite.version}"], check=True)
        with tarfile.open(WORK / f"{source.name}.tar.gz") as archive:
            archive.extractall(WORK, filter="data")
    return source


if __name__ == "__main__":
    sys.exit(main())
