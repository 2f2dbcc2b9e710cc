"""The span of a request, as the parent of the spans that user code makes with OpenTelemetry.

Owns the context of OpenTelemetry for a request. Imports nothing of it: a project that uses it has
done so.
"""

from __future__ import annotations

import contextvars
import sys

from .._host import Exchange

# Whether Rust exports spans of requests.
is_on = False


def attach(exchange: Exchange) -> None:
    """Make the span of a request the current one, in the context of the caller."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return
    _, trace_id, span_id, flags = exchange.identity()[2].split("-")
    states = [value for name, value in exchange.headers() if name == "tracestate"]
    try:
        context = trace.SpanContext(
            int(trace_id, 16),
            int(span_id, 16),
            is_remote=False,
            trace_flags=trace.TraceFlags(int(flags, 16)),
            trace_state=trace.TraceState.from_header(states) if states else None,
        )
        span = trace.NonRecordingSpan(context)
        sys.modules["opentelemetry.context"].attach(trace.set_span_in_context(span))
    except (AttributeError, KeyError):
        pass  # another thread imports it at this moment


def of_task() -> contextvars.Context | None:
    """Return the context for a task of the loop; None for that of the loop itself."""
    return contextvars.copy_context() if is_on else None
