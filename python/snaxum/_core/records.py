"""Classes of fields that a start makes: `record` and `field`, as `dataclass` and `field`.

Owns their constructors. `dataclasses` compiles code for each class, which would be a good part of
the start. Does the part of it that the framework needs, and no more: defaults, factories and
equality. Type checkers see `dataclasses`.
"""

from __future__ import annotations

TYPE_CHECKING = False

__all__ = ["field", "record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
    from dataclasses import field
else:

    class field:
        """Stands for a default that is made for each object."""

        def __init__(self, *, default_factory):
            self.make = default_factory

    def record(*, eq=True, repr=False):
        """Return a decorator that gives a class its constructor, and equality with `eq`.

        `repr` is for type checkers' `dataclass`, which has one unless it is false.
        """

        def decorate(kind):
            names = tuple(kind.__annotations__)
            defaults = {name: vars(kind)[name] for name in names if name in vars(kind)}
            factories = {
                name: default.make for name, default in defaults.items() if type(default) is field
            }
            for name in factories:
                del defaults[name]
                delattr(kind, name)  # as `dataclasses` does

            def __init__(self, *values, **named):
                given = dict(zip(names, values))
                if len(given) < len(values) or given.keys() & named.keys():
                    raise TypeError(f"{kind.__name__} has the fields {', '.join(names)}, each once")
                given.update(named)
                fields = vars(self)
                for name in names:
                    if name in given:
                        fields[name] = given.pop(name)
                    elif name in factories:
                        fields[name] = factories[name]()
                    elif name in defaults:
                        fields[name] = defaults[name]
                    else:
                        raise TypeError(f"{kind.__name__} needs a value for `{name}`")
                if given:
                    raise TypeError(f"{kind.__name__} has no field `{next(iter(given))}`")

            def __eq__(self, other):
                return vars(self) == vars(other) if type(other) is kind else NotImplemented

            kind.__init__ = __init__
            if eq:
                kind.__eq__, kind.__hash__ = __eq__, None
            return kind

        return decorate
