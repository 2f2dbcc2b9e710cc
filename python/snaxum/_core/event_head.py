"""The head of a response of server-sent events, and the sign that a stream has become one.

Owns nothing of an event (`events`).
"""

from __future__ import annotations

CONTENT_TYPE = "text/event-stream"
# nginx and its kind collect a response before they forward it, unless a header forbids it.
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
# A proxy may close a connection that is silent for longer, often after 60 s.
KEEP_ALIVE_S = 15.0


class EventHead(bytes):
    """Precedes the first chunk of a stream that has turned out to be one of events."""

    headers = (("content-type", CONTENT_TYPE), *HEADERS.items())
    keep_alive = KEEP_ALIVE_S
