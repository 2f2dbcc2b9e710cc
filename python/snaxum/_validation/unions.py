"""The members of a union: their order for texts, and the faults of all as one."""

from __future__ import annotations

import datetime as dt
from typing import Any

from .faults import Fault, Loc


def rank(kind: Any) -> int:
    """Order the members of a union from text: text fits everything, a number little else.

    A date comes before a datetime, which takes it for midnight.
    """
    order = [str, int, float, bool, dt.date]
    return order.index(kind) if kind in order else len(order)


def joined(tried: list[list[Fault]], loc: Loc) -> list[Fault]:
    """Make one fault from the faults of a union's members, if all are at its own place."""
    flat = [fault for faults in tried for fault in faults]
    own = list(dict.fromkeys(fault.msg.removeprefix("must be ") for fault in flat))
    if len(own) == 1 or any(fault.loc != loc for fault in flat):
        return tried[0]
    types = {fault.type for fault in flat}
    return [Fault(loc, "must be " + " or ".join(own), types.pop() if len(types) == 1 else "union")]
