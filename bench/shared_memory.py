#!/usr/bin/env python3
"""`python3 bench/shared_memory.py`: the memory of a production server with a model of 200 MB, by
the number of its processes, with `--preload` and without.

The figures are of all processes together, after requests to each: PSS counts a shared page once.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from client import connected
from options import at_least_one
from peers import Peer
from reload_latency import wait_until_ready
from servers import ServerError, running
from setup import SetupError, frozen, install_for_soak

REQUESTS = 2000
PATH = "/model"


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the memory that processes share.")
    parser.add_argument("--snaxum", type=Path, metavar="FILE", help="this binary")
    parser.add_argument("--most", type=at_least_one, default=4, metavar="N", help="processes [4]")
    options = parser.parse_args()
    try:
        with frozen(install_for_soak(options.snaxum)) as installation:
            print(f"{'processes':>9}  {'preload':7}  {'PSS MB':>8}  {'RSS MB':>8}  {'in all':>6}")
            count = 1
            while count <= options.most:
                for preload in ("", "--preload"):
                    command = (
                        f"{{snaxum}} serve {{app}} --port {{port}} --processes {count} {preload}"
                    )
                    peer = Peer("snaxum-shared", "snaxum_shared", command, dot_venv="bare")
                    with running(peer, installation, None) as server:
                        wait_until_ready(server, PATH)
                        for _ in range(REQUESTS):
                            # Each connection goes to the process whose turn it is.
                            with connected(server.port, keep=False) as client:
                                client.get(PATH)
                        found = server.memory()
                    shown = "yes" if preload else "no"
                    figures = f"{found.pss_mb:8.1f}  {found.rss_mb:8.1f}  {found.processes:6}"
                    print(f"{count:9}  {shown:7}  {figures}", flush=True)
                count *= 2
    except (SetupError, ServerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
