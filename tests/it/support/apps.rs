//! Sources of applications that several files of tests use.

/// An app whose path `/` returns `text`.
pub(crate) fn app_returning(text: &str) -> String {
    format!("from snaxum import route\n\n@route('/')\ndef index(request):\n    return {text:?}\n")
}

/// The module `_gate`.
pub(super) const GATE: &str = r#"
"""Stops at the test's gate until the test opens it."""
import asyncio
import pathlib
import socket

PATH = str(pathlib.Path(__file__).parent.parent / "gate.sock")


def wait(name):
    with socket.socket(socket.AF_UNIX) as gate:
        gate.connect(PATH)
        gate.sendall(f"{name}\n".encode())
        gate.recv(1)


def notify(name):
    with socket.socket(socket.AF_UNIX) as gate:
        gate.connect(PATH)
        gate.sendall(f"{name}\n".encode())


async def wait_async(name):
    reader, writer = await asyncio.open_unix_connection(PATH)
    try:
        writer.write(f"{name}\n".encode())
        await reader.read(1)
    finally:
        writer.close()
"#;
