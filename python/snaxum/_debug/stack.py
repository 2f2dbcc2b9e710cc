"""Shows what a thread runs, for a handler that hangs or blocks.

Owns the choice of frames. Never stops the thread.
"""

from __future__ import annotations

import os
import sys
import traceback

from .._core import own_files
from .traceback import mask_printed

# Between a thread's start and the code of the user.
_OUTER = (*own_files.PREFIXES, "<frozen ")
_OUTER_FILES = tuple(os.sep + name for name in ("threading.py", "selectors.py"))


def of_user(thread: int) -> str:
    """Format the stack of a thread from the user's code on; "" if it runs none."""
    frame = sys._current_frames().get(thread)
    stack = traceback.extract_stack(frame) if frame is not None else []
    while stack and _is_outer(stack[0].filename):
        del stack[0]
    return mask_printed("".join(traceback.format_list(stack))).rstrip()


def _is_outer(file: str) -> bool:
    is_of_asyncio = os.path.basename(os.path.dirname(file)) == "asyncio"
    return is_of_asyncio or file.startswith(_OUTER) or file.endswith(_OUTER_FILES)
