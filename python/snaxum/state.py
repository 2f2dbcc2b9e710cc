"""The state of a request: values that hooks, handlers and layers in Rust pass on to each other.

Owns `State`, and the decoding of what Rust has set. Never reads another part of a request.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from types import SimpleNamespace
from typing import Any

from ._core.json_decoding import loads


class State(SimpleNamespace, MutableMapping[str, Any]):
    """Values by name, as attributes and as items: `state.user` is `state["user"]`.

    A missing one is an AttributeError or a KeyError; `state.get("user")` returns None. A value
    with the name of a method, such as `get`, hides it.
    """

    def __getitem__(self, name: str) -> Any:
        return self.__dict__[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def __delitem__(self, name: str) -> None:
        del self.__dict__[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(self.__dict__)

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == (other.__dict__ if isinstance(other, State) else other)


def state_of(raw: Any) -> Any:
    """Return the state of a request: a `State`, or a value without members that Rust has set."""
    read = getattr(raw, "state", None)  # a request of a unit test has none
    sent = None if read is None else read()
    value = {} if sent is None else loads(sent)
    if type(value) is not dict:
        return value
    state = State()
    state.__dict__.update(value)
    return state
