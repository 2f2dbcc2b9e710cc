"""The values of one argument in a request: read, converted, and with the faults of each.

Owns a `Value` for each source of texts, for uploads and for the body. `calls` puts them together.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from typing import Any

from .._validation import engines, models
from .._validation.faults import Fault, Faults, Loc, TooManyFaults
from ..http_errors import HTTPError
from ..markers import MISSING
from .arguments import Argument
from .json_decoding import DecodingError, loads

_CONTAINERS = (list, dict, set, bytearray)
# A fault with the part of the request that it is in.
FoundFaults = list[tuple[str, Fault]]


class Value:
    """The value of one argument; `read` returns it as it was sent, or `MISSING`."""

    # The name of the part of the request in a fault.
    part: str

    def __init__(self, argument: Argument) -> None:
        self.argument = argument
        self.part = str(argument.source)
        default = argument.default
        # A handler may change it, and the next request gets it too.
        self.is_default_copied = type(default) in _CONTAINERS or models.is_model(type(default))

    def default(self) -> Any:
        """Return the value without one in the request."""
        default = self.argument.default
        return copy.deepcopy(default) if self.is_default_copied else default

    def read(self, request: Any) -> Any:
        raise NotImplementedError

    def convert(self, request: Any, sent: Any, faults: Faults) -> Any:
        return sent

    def fill(self, request: Any, found: FoundFaults) -> Any:
        """Return the value for the handler, or add each of its faults."""
        sent = self.read(request)
        if sent is MISSING:
            if not self.argument.is_required:
                return self.default()
            self.refuse_missing(request)
            found.append((self.part, self.missing()))
            return None
        faults, further, value = Faults(), [], None
        try:
            value = self.convert(request, sent, faults)
        except TooManyFaults as error:
            further = [error.fault]
        found += [(self.part, fault) for fault in [*faults, *further]]
        return value

    def missing(self) -> Fault:
        return Fault((self.argument.key,), "is missing", "missing")

    def refuse_missing(self, request: Any) -> None:
        """Raise HTTPError if the value is missing because the request has another form."""

    def get(self, request: Any) -> Any:
        """Return the value; raises an exception if it has a fault."""
        found: FoundFaults = []
        value = self.fill(request, found)
        if found:
            raise ValueError
        return value


class TextValue(Value):
    """A value that is sent as text: in the query, a header, a cookie, the path or a form."""

    def __init__(self, argument: Argument) -> None:
        super().__init__(argument)
        self.engine = engines.for_text(argument.annotation, argument.limits)

    def convert(self, request: Any, sent: Any, faults: Faults) -> Any:
        if self.engine.is_plain:
            return sent
        return self.engine.explain(sent, (self.argument.key,), faults)

    def choose(self, values: list[str]) -> Any:
        """Return the values of a name as the type wants them: all, or the last."""
        if not values:
            return MISSING
        return values if self.argument.is_list else values[-1]


class QueryText(TextValue):
    def read(self, request: Any) -> Any:
        return self.choose(request.query_params.get_all(self.argument.key))


class HeaderText(TextValue):
    def read(self, request: Any) -> Any:
        return self.choose(request.headers.get_all(self.argument.key))


class CookieText(TextValue):
    def read(self, request: Any) -> Any:
        value = request.cookies.get(self.argument.key)
        return self.choose([] if value is None else [value])


class PathText(TextValue):
    def read(self, request: Any) -> Any:
        return str(request.path_params[self.argument.key])


class FormText(TextValue):
    def read(self, request: Any) -> Any:
        values = request.form.get_all(self.argument.key)
        if not values and self.argument.is_beside_file:
            values = request.query_params.get_all(self.argument.key)
        if not self.engine.is_plain and "" in values and not _takes_text(self.argument):
            values = [each for each in values if each != ""]  # a field that was left empty
        return self.choose(values)

    def refuse_missing(self, request: Any) -> None:
        _refuse_other_form(request)


class _NotFiles(list[str]):
    """Texts of a form that should be files."""


class Upload(Value):
    """An uploaded file, or all files of a name."""

    def __init__(self, argument: Argument) -> None:
        super().__init__(argument)
        self.part = "form"

    def read(self, request: Any) -> Any:
        key = self.argument.key
        files = request.files.get_all(key)
        if files:
            return files if self.argument.is_list else files[-1]
        texts = [each for each in request.form.get_all(key) if each]
        return _NotFiles(texts if self.argument.is_list else texts[-1:]) if texts else MISSING

    def convert(self, request: Any, sent: Any, faults: Faults) -> Any:
        if type(sent) is _NotFiles:
            key = self.argument.key
            msg = "must be a file, and not text; send the form as multipart/form-data"
            for at in range(len(sent)):
                loc = (key, at) if self.argument.is_list else (key,)
                faults.append(Fault(loc, msg, "value_error"))
        return sent

    def refuse_missing(self, request: Any) -> None:
        _refuse_other_form(request)


class JsonBody(Value):
    """The body as JSON, converted to the type of its parameter."""

    def __init__(self, argument: Argument) -> None:
        super().__init__(argument)
        self.engine = engines.for_body(argument.annotation, argument.limits, loads, takes_text=True)

    def read(self, request: Any) -> Any:
        return self._data(request) or MISSING

    def _data(self, request: Any) -> bytes:
        if is_multipart(request.content_type):  # it has no bytes: Rust has parsed it
            check_json(request.content_type)
        data: bytes = request.data
        return data

    def missing(self) -> Fault:
        return Fault((), "is missing; send JSON with `content-type: application/json`", "missing")

    def refuse_missing(self, request: Any) -> None:
        check_json(request.content_type)

    def get(self, request: Any) -> Any:
        data = self._data(request)
        if not data:
            return super().get(request)
        check_json(request.content_type)
        return self.engine.decode(data)

    def convert(self, request: Any, sent: Any, faults: Faults) -> Any:
        check_json(request.content_type)
        try:
            return self.engine.decode(sent)
        except Exception as error:
            known = self.engine.faults(error)
        try:
            value = loads(sent)
        except DecodingError as error:
            raise HTTPError(400, f"the body is not valid JSON: {error}") from None
        if known is None:
            return self.explain(value, (), faults)
        faults += known
        return None

    def explain(self, value: Any, loc: Loc, faults: Faults) -> Any:
        """Convert a decoded value, or add each of its faults."""
        try:
            return self.engine.explain(value, loc, faults)
        except RecursionError:
            raise HTTPError(400, "the body is nested too deep") from None


class OtherBody(Value):
    """A body in another form than JSON, which a function of its own reads."""

    def __init__(self, argument: Argument) -> None:
        super().__init__(argument)
        module, _, function = (argument.reader or "").partition(":")
        self.reader: Callable[[Any, Any], Any] = getattr(importlib.import_module(module), function)

    def read(self, request: Any) -> Any:
        return request if is_multipart(request.content_type) or request.data else MISSING

    def missing(self) -> Fault:
        return Fault((), "is missing", "missing")

    def convert(self, request: Any, sent: Any, faults: Faults) -> Any:
        return self.reader(request, self.argument.annotation)


def value_of(argument: Argument) -> Value:
    """Return the `Value` for an argument. Raises Unsupported."""
    if argument.source == "body":
        return JsonBody(argument) if argument.reader is None else OtherBody(argument)
    return _VALUES[str(argument.source)](argument)


_VALUES: dict[str, type[Value]] = {
    "query": QueryText,
    "header": HeaderText,
    "cookie": CookieText,
    "path": PathText,
    "form": FormText,
    "file": Upload,
}


def is_multipart(content_type: str) -> bool:
    return content_type[:10].lower() == "multipart/"


def check_json(content_type: str) -> None:
    """Raise HTTPError 415 for a body that is declared as something else than JSON."""
    if content_type == "application/json" or not content_type:
        return
    mime = content_type.partition(";")[0].strip().lower()
    if mime and mime != "application/json" and not mime.endswith("+json"):
        raise HTTPError(
            415, f"the body is `{mime}`, not JSON; send JSON with `content-type: application/json`"
        )


def _refuse_other_form(request: Any) -> None:
    mime = request.content_type.partition(";")[0].strip().lower()
    forms = "application/x-www-form-urlencoded", "multipart/form-data"
    if mime not in forms and request.data:
        sent = f"is `{mime}`" if mime else "has no content type"
        raise HTTPError(415, f"the body {sent}; send a form, as `{forms[0]}` or `{forms[1]}`")


def _takes_text(argument: Argument) -> bool:
    return any(each is str for each in engines.leaves(argument.annotation))
