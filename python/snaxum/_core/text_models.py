"""Models whose fields are texts: `filter: Annotated[Filter, Query()]`, and of a form or headers.

Owns the way from one parameter to the fields of its model, each of which is sent by its name.
"""

from __future__ import annotations

from typing import Annotated, Any

from .._validation import constraints, libraries, models
from .._validation.faults import Fault, Faults
from .._validation.hints import unwrap
from .._validation.model_conversion import make_value
from ..markers import MISSING
from . import sources
from .arguments import Argument
from .values import Value, value_of


class TextModel(Value):
    """A model that is made of several texts of one source."""

    def __init__(self, argument: Argument) -> None:
        super().__init__(argument)
        kind = sources.text_model_of(argument.annotation)
        self.is_pydantic = models.is_pydantic(kind)
        if self.is_pydantic:
            fields = models.read_pydantic(kind)
            # pydantic converts them, so here they are texts.
            kinds = [list[str] if sources.is_list(each.annotation) else str for each in fields]
            self.convert_all = libraries.pydantic_part(kind, {})
            takes_others = models.extra_of_pydantic(kind) != "ignore"
        else:
            self.model = models.read(kind)
            fields = self.model.fields
            takes_others = self.model.is_closed
            kinds = [each.annotation for each in fields]
        self.fields = [
            (each, value_of(_argument(argument, each, kind))) for each, kind in zip(fields, kinds)
        ]
        # Every client sends further headers.
        self.takes_others = takes_others and argument.source != "header"
        self.known = {value.argument.key for _, value in self.fields} | argument.neighbours

    def read(self, request: Any) -> Any:
        sent = {field.name: value.read(request) for field, value in self.fields}
        is_empty = all(each is MISSING for each in sent.values())
        if is_empty and not self.argument.is_required and not self._others(request):
            return MISSING
        return sent

    def convert(self, request: Any, sent: Any, faults: Faults) -> Any:
        if self.is_pydantic:
            return self._convert_by_pydantic(request, sent, faults)
        before, made = len(faults), {}
        for field, value in self.fields:
            if sent[field.name] is not MISSING:
                made[field.name] = value.convert(request, sent[field.name], faults)
            elif field.is_required:
                value.refuse_missing(request)
                faults.append(value.missing())
        for name in self._others(request):
            faults.append(Fault((name,), "is not a field", "extra_forbidden"))
        return None if len(faults) > before else make_value(self.model, made, (), faults)

    def _convert_by_pydantic(self, request: Any, sent: Any, faults: Faults) -> Any:
        given = {f.key: sent[f.name] for f, _ in self.fields if sent[f.name] is not MISSING}
        before = len(faults)
        made = self.convert_all({**given, **self._others(request)}, (), faults)
        if self.part == "header":  # the client sent the names with hyphens
            keys = {field.key: value.argument.key for field, value in self.fields}
            for at, each in enumerate(faults[before:], before):
                loc = (keys.get(str(each.loc[0]), each.loc[0]), *each.loc[1:]) if each.loc else ()
                faults[at] = Fault(loc, each.msg, each.type)
        return made

    def _others(self, request: Any) -> dict[str, str]:
        """Return what was sent under other names, if the model forbids or takes it."""
        if not self.takes_others:
            return {}
        sources = {"query": "query_params", "form": "form", "cookie": "cookies"}
        sent = getattr(request, sources[self.part])
        return {name: sent[name] for name in sent if name not in self.known}


def fields_of(argument: Argument) -> list[Argument]:
    """Describe each field of the model as a parameter of its own."""
    kind = sources.text_model_of(argument.annotation)
    if models.is_pydantic(kind):
        infos = kind.model_fields
        fields = models.read_pydantic(kind)
        kinds = [Annotated[each.annotation, infos[each.name]] for each in fields]
        defaults = [infos[each.name].default for each in fields]
    else:
        fields = models.read(kind).fields
        kinds, defaults = [each.annotation for each in fields], [each.default for each in fields]
    found = []
    for each, annotation, default in zip(fields, kinds, defaults):
        field = _argument(argument, each, annotation)
        field.is_required = field.is_required and argument.is_required
        field.default = default
        texts = constraints.describe(field.metadata)
        field.title, field.description = texts.get("title", ""), texts.get("description", "")
        field.examples = texts.get("examples", [])
        field.is_deprecated = texts.get("deprecated", False)
        found.append(field)
    return found


def _argument(whole: Argument, field: models.ModelField, annotation: Any) -> Argument:
    """Describe a field of the model as a parameter."""
    annotation, metadata = unwrap(annotation)
    key = field.key.replace("_", "-") if whole.source == "header" else field.key
    field_argument = Argument(
        field.name,
        whole.source,
        is_required=field.is_required,
        is_annotated=True,
        passing="keyword",
        annotation=annotation,
        key=key,
    )
    field_argument.metadata, field_argument.limits = metadata, constraints.read(metadata)
    field_argument.marker = whole.marker
    sources.check(field_argument, {}, ["POST"])
    return field_argument
