"""The files of the framework, as its frames name them.

Owns the places: the label of the files in the binary, and the directory of an installed package.
Never reads a file.
"""

from __future__ import annotations

import os

# The label; generated code has it in an installed package, too.
LABEL = "<snaxum>/"
# The same as the label in the binary.
_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")

# The beginnings of the names of these files.
PREFIXES = (LABEL, _PACKAGE)
