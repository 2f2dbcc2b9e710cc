"""The span of a request as the parent of spans of user code: `_runtime.trace_context`.

`tests/it/serving/spans.rs` has OpenTelemetry's own packages; here are modules that replace them.
"""

from __future__ import annotations

import contextvars
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from snaxum._runtime import trace_context


class OneExchange:
    def identity(self) -> tuple[str, str, str]:
        return "a-1", "0" * 31 + "7", f"00-{7:032x}-{8:016x}-01"

    def headers(self) -> list[tuple[str, str]]:
        return [("host", "a"), ("tracestate", "vendor=1")]


def modules(attached: list[Any]) -> dict[str, ModuleType]:
    trace, context = ModuleType("opentelemetry.trace"), ModuleType("opentelemetry.context")
    vars(trace).update(
        SpanContext=lambda *ids, **rest: SimpleNamespace(ids=ids, **rest),
        TraceFlags=int,
        TraceState=SimpleNamespace(from_header=lambda values: values),
        NonRecordingSpan=lambda of: of,
        set_span_in_context=lambda span: span,
    )
    vars(context).update(attach=attached.append)
    return {"opentelemetry.trace": trace, "opentelemetry.context": context}


def test_the_span_is_attached_where_the_api_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    attached: list[Any] = []
    found = modules(attached)
    for name in found:
        monkeypatch.delitem(sys.modules, name, raising=False)
    exchange: Any = OneExchange()
    trace_context.attach(exchange)
    assert attached == []  # nothing imports it

    for name, module in found.items():
        monkeypatch.setitem(sys.modules, name, module)
    trace_context.attach(exchange)
    [context] = attached
    assert context.ids == (7, 8)
    assert (context.trace_flags, context.trace_state) == (1, ["vendor=1"])
    assert not context.is_remote


def test_a_module_that_is_being_imported_fails_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", ModuleType("opentelemetry.trace"))
    exchange: Any = OneExchange()
    trace_context.attach(exchange)


def test_a_task_has_the_context_of_its_request_only_with_spans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert trace_context.of_task() is None
    monkeypatch.setattr(trace_context, "is_on", True)
    assert isinstance(trace_context.of_task(), contextvars.Context)
