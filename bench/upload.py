"""The memory of a server while it receives a form with a large file.

One client sends the form as fast as the server takes it. The figure is the peak of the server's
processes together. The client never has the whole file in memory.
"""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from machine import Cores, on_core
from peers import Peer
from records import Record
from servers import START_TIMEOUT_S, ServerError, running
from setup import Installation

MEGABYTES = 100
_CHUNK = bytes(range(256)) * 4096
_BOUNDARY = "boundary-of-the-benchmark"


def measure(peer: Peer, installation: Installation, cores: Cores) -> Record:
    """The peak of the resident memory in MB, and the time of the upload."""
    with running(peer, installation, cores.server) as server, on_core(cores.load):
        _upload(server.port, chunks=1)  # imports and pools of buffers
        idle = sum(_peak_mb(pid) for pid in server.pids())
        began = time.perf_counter()
        _upload(server.port, chunks=MEGABYTES)
        seconds = time.perf_counter() - began
        peak = sum(_peak_mb(pid) for pid in server.pids())
    return {"type": "upload", "idle_mb": idle, "peak_mb": peak, "seconds": seconds}


def _upload(port: int, *, chunks: int) -> None:
    head = (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="file"; filename="data.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
    length = len(head) + chunks * len(_CHUNK) + len(tail)
    with socket.create_connection(("127.0.0.1", port), START_TIMEOUT_S) as connection:
        connection.sendall(
            "POST /python/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
            f"Content-Length: {length}\r\n\r\n".encode()
        )
        connection.sendall(head)
        for _ in range(chunks):
            connection.sendall(_CHUNK)
        connection.sendall(tail)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    status, _, body = received.partition(b"\r\n\r\n")
    if b" 200 " not in status[:20] or json.loads(body) != {"size": chunks * len(_CHUNK)}:
        raise ServerError(f"the upload: {received[:200]!r}")


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
