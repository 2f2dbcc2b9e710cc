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

# Check that a binary without dev mode has nothing of it
without-dev:
    cargo test --test it -- --ignored a_binary_without_dev_mode

# Run the tests of the runtime on Python 3.10 to 3.13
test-pythons:
    tests/pythons

# Check what the dependencies may be, then whether an advisory names one: that list is downloaded
audit:
    command -v cargo-deny >/dev/null || cargo install --locked cargo-deny@0.20.2
    cargo deny --all-features --offline check bans licenses sources
    cargo deny fetch db || { echo "error: no list of advisories, so none was looked up" >&2; exit 1; }
    cargo deny --all-features --offline check advisories

# Let Autobahn's client send the WebSocket server all that a protocol allows and forbids
autobahn:
    tests/autobahn/run

# Check format, lints and types
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy --no-default-features --features cli -- -D warnings
    cargo test --test python -- typed lint

# Format Rust and Python
fmt:
    cargo fmt --all
    cargo test --test python -- --ignored format_in_place

# Draw the console's pictures for the docs
screenshots:
    cargo build -q
    cd tests/browser && SNAXUM_BIN="$PWD/../../target/debug/snaxum" node screenshots.js

# Measure this project beside its peers
bench *args:
    python3 bench/run.py {{ args }}

# Count the instructions that a request takes
bench-instructions *args:
    python3 bench/instructions.py {{ args }}

# Measure live reload beside that of peers
bench-reload *args:
    python3 bench/reload.py {{ args }}

# Edit by chance under load and check each answer: just soak --minutes 10
soak *args:
    python3 bench/soak.py {{ args }}

# What CI runs
ci:
    .ci/run
