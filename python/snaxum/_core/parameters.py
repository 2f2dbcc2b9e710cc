"""The arguments of a handler: what each parameter gets, decided once, when its route is made.

Owns the plan of a call. `calls` makes the function that fills it. Never reads a request.
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Container, Mapping, Sequence
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from .._validation import hints
from .._validation.faults import Unsupported
from ..markers import MISSING, Marker
from . import foreign_parameters, foreign_patterns, sources
from .arguments import Argument, ArgumentSource, Passing
from .handlers import Handler, code_of, innermost
from .late_module import late_module
from .late_regex import late
from .near_names import near_names

if TYPE_CHECKING:
    import inspect
    from inspect import Parameter
else:
    inspect = late_module("inspect")

# By the name of the kind of a parameter.
_PASSING: dict[str, Passing] = {"POSITIONAL_ONLY": "positional", "KEYWORD_ONLY": "keyword"}
# The flags of a code object, as `inspect` names them.
_VARARGS, _VARKEYWORDS = 0x04, 0x08
# The global and the local names that an annotation refers to.
Namespaces = tuple[dict[str, Any], dict[str, Any]]
# As in `req`, `http_request`, `_`, `r`, `ws`.
_REQUEST_NAME = late(r"^_|req|^rq?$|^ws|socket")


class PoolRequired(ValueError):
    """A parameter is the pool, and the handler gets none."""


def plan(
    handler: Handler,
    names: Mapping[str, type],
    *,
    with_pool: bool = False,
    methods: Sequence[str] = ("GET",),
    pattern: str = "",
    namespaces: Namespaces | None = None,
) -> list[Argument] | None:
    """Decide the arguments of a handler whose path has the parameters `names`, with their types.

    Its annotations refer to `namespaces`; without it, to its present ones.
    None stands for the request, and the pool if there is one, whatever the parameters are: for a
    function that takes `*args`, or has no signature. Raises ValueError for a parameter that cannot
    be filled, of which PoolRequired is one, and Unresolved if a type is not defined, or not yet.
    """
    try:
        arguments = _parameters(handler, names, namespaces or namespaces_inside(handler))
    except RecursionError:  # wrapped in a circle
        return None
    if arguments is None:
        return None
    foreign_patterns.check(pattern, names, arguments)
    _give_request(arguments)
    for each in arguments:
        foreign_parameters.check(each)
        _check_markers(each)
    given = [each.source for each in arguments]
    second = arguments[1:2] if with_pool and "pool" not in given else []
    for each in second:
        if _is_free(each) and not each.is_annotated:
            each.source = "pool"
    for each in arguments:
        if each.source == "pool" and not with_pool:
            if each.is_required:
                raise PoolRequired(
                    f"the parameter `{each.name}` is the pool; add `use_process_pool=True`"
                )
            each.source = None
        elif each.source is None:
            each.source = sources.choose(each, methods)
        sources.check(each, names, methods)
    if any(each.source == "file" for each in arguments):
        for each in arguments:
            if each.source == "query" and each.marker is None:
                each.source, each.is_beside_file = "form", True
    for each in arguments:
        if each.is_text_model:
            others = (other for other in arguments if other is not each)
            each.neighbours = frozenset(o.key for o in others if o.source == each.source)
    bodies = [each for each in arguments if each.source == "body"]
    sources.embed(bodies)
    if bodies and any(each.source in ("form", "file") for each in arguments):
        raise ValueError(
            f"`{bodies[0].name}` is the JSON body, and another parameter is of a form; a request "
            "has one body: make them all `Form`"
        )
    return [each for each in arguments if each.source is not None]


def typed(function: Handler) -> list[Argument]:
    """Describe the parameters of a function that is called with values, but for `*` and `**`.

    Only the annotation of such a parameter decides what it gets, never its name.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError, NameError):
        return []
    namespaces = namespaces_inside(function)
    own = filter(_is_one, signature.parameters.values())
    return [_read_parameter(each, *namespaces) for each in own]


def warnings(
    handler: Handler, arguments: Sequence[Argument] | None, names: Sequence[str]
) -> list[str]:
    """Return the parameters that are probably a value of the path, mistyped."""
    found = []
    taken = {each.name for each in arguments or () if each.source == "path"}
    free = [name for name in names if name not in taken]
    for each in arguments or ():
        if each.source == "query" and each.is_required:
            if near := near_names(each.name, free):
                found.append(f"`{each.name}` is a query parameter; the path has `{near[0]}`")
        elif free and each.source == "request" and not _is_for_request(each, handler):
            found.append(
                f"`{each.name}` gets the request, and no parameter the value of `<{free[0]}>`; "
                f"rename it to `{free[0]}`, or to `request`"
            )
    return found


def _is_for_request(argument: Argument, handler: Handler) -> bool:
    """Report whether the parameter is named as a request, or the handler reads the path from it."""
    if argument.is_annotated or argument.is_inner or _REQUEST_NAME.search(argument.name):
        return True
    code = code_of(handler)
    return code is None or "path_params" in code.co_names


def _parameters(
    handler: Any, names: Mapping[str, type], namespaces: Namespaces
) -> list[Argument] | None:
    usual = _usual(handler, names)
    if usual is not None:
        return [usual]
    try:
        signature = inspect.signature(handler, follow_wrapped=False)
    except (TypeError, ValueError, NameError):
        wrapped = getattr(handler, "__wrapped__", None)  # `functools.cache` has no signature
        return _parameters(wrapped, names, namespaces) if callable(wrapped) else None
    own, kinds = [], set()
    for each in signature.parameters.values():
        kinds.add(each.kind.name)
        if _is_one(each):
            own.append(_argument(each, names, *namespaces))
    wrapped = getattr(handler, "__wrapped__", None)
    if "VAR_KEYWORD" in kinds and callable(wrapped):
        _give_request(own)
        inner = _parameters(wrapped, names, namespaces)
        if inner is not None:
            return own + _inner(handler, inner, own, is_variadic="VAR_POSITIONAL" in kinds)
    is_any = "VAR_POSITIONAL" in kinds and all(each.source is None for each in own)
    return None if is_any else own


def _usual(handler: Any, names: Container[str]) -> Argument | None:
    """Describe the parameter of `def handler(request)`, without a signature: that takes long."""
    if type(handler) is not FunctionType or handler.__dict__ or handler.__defaults__:
        return None
    code, kinds = handler.__code__, _VARARGS | _VARKEYWORDS
    if code.co_flags & kinds or code.co_posonlyargcount or code.co_kwonlyargcount:
        return None
    if code.co_varnames[: code.co_argcount] != ("request",) or "request" in names:
        return None
    kind = handler.__annotations__.get("request")
    if kind is None:
        if "request" in handler.__annotations__:
            return None
        return Argument("request", "request", True, False, "either", annotation=str, key="request")
    if type(kind) is not type or sources.of_class(kind) != "request":
        return None
    return Argument("request", "request", True, True, "either", annotation=kind, key="request")


def _is_one(parameter: Parameter) -> bool:
    return parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


def namespaces_inside(handler: Any, known: Namespaces | None = None) -> Namespaces:
    """Return the names that the annotations of a handler refer to.

    The function that it is defined in may have returned since; `known` has its variables.
    """
    # `functools.wraps` copies the annotations from the function inside.
    function = innermost(handler)
    if not hasattr(function, "__globals__"):
        function = type(function).__call__
    globals_, locals_ = namespaces_of(function)
    return globals_, {**(known[1] if known else {}), **locals_}


def namespaces_of(function: Any) -> Namespaces:
    """Return the global and the local names that the annotations of a function refer to."""
    return getattr(function, "__globals__", {}), {**_locals(function), **_closure(function)}


def _locals(function: Any) -> dict[str, Any]:
    """Return the variables of the function that a function is defined in, while that runs."""
    outer, _, _ = str(getattr(function, "__qualname__", "")).rpartition(".<locals>.")
    frame = sys._getframe() if outer else None
    while frame is not None:
        is_its_module = frame.f_globals is getattr(function, "__globals__", None)
        if is_its_module and frame.f_code.co_name == outer.rpartition(".")[2]:
            return dict(frame.f_locals)
        frame = frame.f_back
    return {}


def _closure(function: Any) -> dict[str, Any]:
    """Return the variables of the enclosing functions that a function uses."""
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None)
    found = {}
    for name, cell in zip(code.co_freevars if code else (), cells or ()):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            pass  # not assigned yet
    return found


def _give_request(arguments: list[Argument]) -> None:
    """Give the request to the first parameter, if none has asked for it."""
    if all(each.source not in ("request", "websocket") for each in arguments):
        for each in arguments[:1]:
            if _is_free(each) and not each.is_annotated and each.passing != "keyword":
                each.source = "request"


def _argument(
    parameter: Parameter,
    names: Mapping[str, type],
    globals_: dict[str, Any],
    closure: dict[str, Any],
) -> Argument:
    argument = _read_parameter(parameter, globals_, closure)
    name = argument.name
    if argument.marker is not None or argument.source is not None:
        return argument
    if name in names:
        argument.source = "path"
    elif name in sources.NAMES:
        # `request: Order` is the body, as it is by another name.
        is_model = argument.is_annotated and sources.text_model_of(argument.annotation) is not None
        argument.source = None if is_model else sources.NAMES[name]
    return argument


def _read_parameter(
    parameter: Parameter, globals_: dict[str, Any], closure: dict[str, Any]
) -> Argument:
    """Describe a parameter by its annotation and its default; its name decides nothing."""
    name, default = parameter.name, parameter.default
    argument = Argument(
        name,
        None,
        is_required=default is parameter.empty,
        is_annotated=parameter.annotation is not parameter.empty,
        passing=_PASSING.get(parameter.kind.name, "either"),
        default=MISSING if default is parameter.empty else default,
    )
    if isinstance(default, Marker):  # `limit: int = Query(10)`
        argument.marker, argument.default = default, default.default
        argument.is_required = default.default is MISSING or default.default is ...
        argument.metadata.append(default)
    if argument.is_annotated:
        try:
            resolved = hints.resolve(parameter.annotation, globals_, closure)
            _describe(argument, *hints.unwrap(resolved))
        except Unsupported as error:
            argument.error, argument.annotation = error, None
            argument.source = sources.of_unresolved(parameter.annotation)
    else:
        argument.annotation = sources.type_of_default(argument.default)
    marker = argument.marker
    argument.key = argument.alias or name
    if marker is not None:
        argument.source = typing.cast(ArgumentSource, marker.source)
        if marker.source == "header" and argument.alias is None:
            argument.key = name.replace("_", "-")
    return argument


def _describe(argument: Argument, annotation: Any, metadata: list[Any]) -> None:
    is_plain = type(annotation) is type and not issubclass(annotation, Marker)
    if is_plain and not (metadata or argument.metadata):
        argument.annotation = annotation
        argument.source = sources.of_class(annotation)
        return
    from .._validation import constraints  # with the modules of dates and decimals

    if hints.is_class(annotation) and issubclass(annotation, Marker):
        metadata, annotation = [*metadata, annotation], str  # `agent: Header`
    metadata = [
        each() if hints.is_class(each) and issubclass(each, Marker) else each for each in metadata
    ]
    if constraints.needs_pydantic(metadata):
        # A validator is a part of the type, and not only a limit.
        own = [each for each in metadata if not isinstance(each, Marker)]
        annotation = hints.annotated(annotation, own)
    argument.annotation = annotation
    argument.metadata[:0] = metadata
    markers = [each for each in argument.metadata if isinstance(each, Marker)]
    argument.marker = markers[-1] if markers else None
    # `Annotated[int, ...] | None` has its limits inside.
    inside = [m for each in hints.members(annotation) for m in hints.unwrap(each)[1]]
    if argument.marker is None:
        inner = [each for each in inside if isinstance(each, Marker)]
        argument.marker = inner[-1] if inner else None
    argument.limits = constraints.read(argument.metadata)
    texts = constraints.describe([*inside, *argument.metadata])
    argument.alias = texts.get("alias")
    argument.title, argument.description = texts.get("title", ""), texts.get("description", "")
    argument.examples = texts.get("examples", [])
    argument.is_deprecated = texts.get("deprecated", False)
    argument.source = sources.of_class(annotation)


def _inner(
    outer: Any, inner: list[Argument], own: list[Argument], *, is_variadic: bool
) -> list[Argument]:
    """Return the arguments that a decorator passes on, without its own."""
    taken = {each.name for each in own}
    taken_sources = {each.source for each in own} & {"request", "pool", "websocket"}
    mentioned = _texts(getattr(outer, "__code__", None))
    passed = []
    for each in inner:
        if each.name in taken or each.source in taken_sources:
            continue
        each.is_inner = True
        each.passing = each.passing if is_variadic else "keyword"
        # The decorator may fill it itself, as in `handler(*args, user=user, **kwargs)`.
        if each.source is None and each.name in mentioned:
            continue
        passed.append(each)
    return passed


def _texts(code: CodeType | None) -> set[str]:
    """Return the texts in the code of a function, the names of its keyword arguments too."""
    found: set[str] = set()
    for constant in code.co_consts if code else ():
        if isinstance(constant, str):
            found.add(constant)
        elif isinstance(constant, tuple):
            found.update(each for each in constant if isinstance(each, str))
    return found


def _check_markers(argument: Argument) -> None:
    if type(argument.annotation) is type and not argument.metadata:
        return
    inside = [m for each in hints.members(argument.annotation) for m in hints.unwrap(each)[1]]
    kinds = {type(m).__name__: None for m in (*inside, *argument.metadata) if isinstance(m, Marker)}
    if len(kinds) > 1:
        first, second = [*kinds][:2]
        raise ValueError(
            f"the parameter `{argument.name}` is both a `{first}` and a `{second}`; leave one of "
            "them out"
        )


def _is_free(argument: Argument) -> bool:
    return argument.is_required and argument.source is None
