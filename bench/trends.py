"""Figures over time, and how a soak prints and limits them.

Measures nothing itself.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, field
from statistics import linear_regression


@dataclass
class Trend:
    """Samples of a figure over time, in seconds, and the line through them (least squares)."""

    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    @property
    def last(self) -> float:
        return self.times[-1] if self.times else float("-inf")

    def add(self, when: float, value: float) -> None:
        self.times.append(when)
        self.values.append(value)

    def growth(self) -> float:
        """The growth from the first sample to the last, by the slope of the line."""
        return linear_regression(self.times, self.values).slope * (self.times[-1] - self.times[0])

    def __str__(self) -> str:
        slope = linear_regression(self.times, self.values).slope * 60
        first, last, peak = self.values[0], self.values[-1], max(self.values)
        return f"{first:.1f}, then {last:.1f}, at most {peak:.1f}; slope {slope:+.2f} a minute"


def listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items()))


def minutes(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    # Not without end: a day is long enough for anyone.
    if not 0 < found <= 24 * 60:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes, at most a day")
    return found
