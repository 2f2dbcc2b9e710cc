# The tasks of this repository. `just` alone lists them.

set shell := ["sh", "-eu", "-c"]

_default:
    @just --list --unsorted

# Build everything and make the example's virtual environment
setup: venv
    cargo build --workspace --all-targets

# Make example/.venv if it is missing, with what example/pyproject.toml asks for
venv:
    test -d example/.venv || cargo run -q -- sync example

# Bring example/.venv up to date with example/pyproject.toml
sync:
    cargo run -q -- sync example

# Bring every lock file up to date with its manifest
lock:
    cargo update --workspace
    cargo update --workspace --manifest-path tests/fuzz/Cargo.toml
    cd tests/browser && npm install --package-lock-only

# Serve the example with live reload and the console
dev *args:
    cargo run -- dev example {{ args }}

# Serve the example as in production
serve *args:
    cargo run --release -- serve example {{ args }}

# List the example's routes
routes *args:
    cargo run -q -- routes example {{ args }}

# Run every test: Rust, the real binary, pytest, the browser
test *args:
    cargo test --workspace {{ args }}

# Run every test, on every Python that is here, and the lints
test-all: lint test test-pythons without-dev

# Check that a binary without dev mode contains nothing of it
without-dev:
    cargo test --test it -- --ignored a_binary_without_dev_mode

# Test the spans for OpenTelemetry, which are a cargo feature
otel:
    .ci/otel

# Run the tests of the runtime on Python 3.10 to 3.13
test-pythons:
    tests/pythons

# Build the wheel into target/wheels: just wheel --profile dev
wheel *args:
    .ci/wheel {{ args }}

# Install the wheel into each Python that is here with pip, uv and pipx, and run a part of the tests
test-wheel *versions:
    tests/wheel {{ versions }}

# Install the wheel in a Debian that has Python and nothing else; needs root
wheel-chroot:
    tests/wheel-chroot

# Build the source distribution for pip into target/wheels/
sdist:
    .ci/wheel sdist

# Check and pack the crate as for a release: just publishable --build compiles it too
publishable *args:
    .ci/publishable {{ args }}

# Check licenses and sources of the dependencies, then download the advisories and check them
audit:
    command -v cargo-deny >/dev/null || cargo install --locked cargo-deny@0.20.2
    cargo deny --all-features --offline check bans licenses sources
    cargo deny fetch db || { echo "error: the list of advisories cannot be downloaded: they are not checked" >&2; exit 1; }
    cargo deny --all-features --offline check advisories

# Run the applications of FastAPI, Django and other frameworks, edited while they run
test-frameworks *args:
    cargo test --test it -- --ignored frameworks:: {{ args }}

# Run the test suites of Starlette, FastAPI, Werkzeug and Flask through the server: just conformance flask
conformance *args:
    cargo build -q
    python3 tests/conformance/run.py {{ args }}

# Check the files of docs/serving with systemd, nginx and Caddy, and the metrics with promtool
deployment:
    tests/deployment

# Test the WebSocket server with Autobahn's client
autobahn:
    tests/autobahn/run

# Check format, lints and types
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy --no-default-features --features cli -- -D warnings
    cargo clippy -p snaxum-python --features extension-module -- -D warnings
    cargo test --test python -- typed lint spelling prose

# Format Rust and Python
fmt:
    cargo fmt --all
    cargo test --test python -- --ignored format_in_place

# Make the screenshots of the docs; with an absolute directory, all of them there
screenshots *dir:
    cargo build -q
    cd tests/browser && { test -d node_modules || npm ci; } && SNAXUM_BIN="$PWD/../../target/debug/snaxum" node screenshots.js {{ dir }}

# Measure this project beside its peers
bench *args:
    python3 bench/run.py {{ args }}

# Count the instructions of a request
bench-instructions *args:
    python3 bench/instructions.py {{ args }}

# Measure live reload beside its peers
bench-reload *args:
    python3 bench/reload.py {{ args }}

# Measure the console in Chromium, and what it costs the server
bench-console *args:
    python3 bench/console_page.py {{ args }}

# Edit at random under load and check each response: just soak --minutes 10
soak *args:
    python3 bench/soak.py {{ args }}

# Run the coverage-guided fuzzers, each for as many seconds: just fuzz 60 html
fuzz seconds="5" *targets:
    tests/fuzz/run {{ seconds }} {{ targets }}

# Check the parsers with this number of random inputs each, and print the counts
properties cases="20000":
    PROPTEST_CASES={{ cases }} cargo test --lib fuzz_ -- --nocapture --test-threads 2
    PROPTEST_CASES={{ cases }} cargo test --test python -- --ignored fuzz --nocapture

# Try random orders of the steps of queue, replies, gate and stop: just interleavings 100000
interleavings schedules="20000":
    SNAXUM_SCHEDULES={{ schedules }} cargo test -p interleavings

# Write the manual pages and the completions of the command into target/man and target/completions
man:
    cargo run -q -- man target/man
    mkdir -p target/completions
    for shell in bash elvish fish zsh; do cargo run -q -- completions $shell > target/completions/snaxum.$shell; done

# Build the book into target/book
book:
    command -v mdbook >/dev/null || cargo install --locked mdbook@0.5.4
    mdbook build docs

# Run the checks of CI: format, lints, features, the book, every test
ci:
    .ci/run
