"""Pictures: a matplotlib figure or a PIL image as the bytes of an image file.

Owns the choice between PNG and SVG by `Accept`, and the other formats that a content type names.
Never imports a library: a value of one proves that it is imported already.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from .accept import quality
from .libraries import ByClass

PNG, SVG = "image/png", "image/svg+xml"

_FIGURE_FORMATS = {
    PNG: "png",
    SVG: "svg",
    "application/pdf": "pdf",
    "image/jpeg": "jpeg",
    "image/webp": "webp",
}
_IMAGE_FORMATS = {
    PNG: "PNG",
    "image/gif": "GIF",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
}
# By class, the formats of it.
_FORMATS = ByClass(
    {
        "matplotlib.Figure": _FIGURE_FORMATS,
        "matplotlib.Axes": _FIGURE_FORMATS,
        "PIL.Image": _IMAGE_FORMATS,
    }
)
# The modes of PIL that each format stores; others are converted.
_MODES = {"PNG": ("1", "L", "LA", "I;16", "P", "RGB", "RGBA"), "GIF": ("1", "L", "P", "RGB")}


def is_picture(value: object) -> bool:
    """Report whether `value` is a figure, the axes of one, or an image."""
    return _FORMATS.of(value) is not None


def is_picture_class(kind: type) -> bool:
    """Report whether the values of a class are pictures."""
    return _FORMATS.of_class(kind) is not None


def choose(value: object, accept: str) -> str:
    """Choose the content type for a client: SVG if it prefers that, and else PNG."""
    formats = _FORMATS.of(value) or {}
    is_svg = SVG in formats and quality(accept, SVG) > quality(accept, PNG)
    return SVG if is_svg else PNG


def encode(value: Any, content_type: str) -> bytes:
    """Encode a picture. Raises TypeError for a content type that it cannot have."""
    formats = _FORMATS.of(value) or {}
    name = formats.get(content_type.partition(";")[0].strip().lower())
    if name is None:
        kind = type(value).__name__
        raise TypeError(f"a `{kind}` cannot be {content_type}; use one of {', '.join(formats)}")
    buffer = io.BytesIO()
    if formats is _IMAGE_FORMATS:
        stores = _MODES.get(name, ("L", "RGB"))
        if value.mode not in stores:
            value = value.convert("I;16" if value.mode == "I" and "I;16" in stores else "RGB")
        value.save(buffer, name)
    else:
        figure = value
        while not hasattr(figure, "savefig"):
            figure = figure.figure  # axes and parts of a figure have it
        figure.savefig(buffer, format=name)
        _close(figure)
    return buffer.getvalue()


def _close(figure: object) -> None:
    """Take the figure from pyplot, which stores each one until it is closed."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)
