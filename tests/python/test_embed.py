"""The framework runs from the texts in the binary, its data file included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import snaxum

EMBEDDED = """
import sys
from pathlib import Path
root = Path(sys.argv[1])
files = {p.relative_to(root).as_posix(): p.read_text("utf-8") for p in root.rglob("*.*")
         if p.suffix in (".py", ".json")}
namespace = {"__name__": "_snaxum_embed"}
exec(files["_embed.py"], namespace)
namespace["install"](files, files.__getitem__, b"")
from snaxum._debug import redact
assert redact.__file__ == "<snaxum>/_debug/redact.py"
assert redact.is_secret("apiKey") and not redact.is_secret("monkey")
assert redact.mask_text("sk-" + "abcd1234" * 4) == redact.MASK
"""


def test_embedded_modules_read_embedded_data(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-c", EMBEDDED, str(Path(snaxum.__file__).parent)]
    subprocess.run(command, check=True, cwd=tmp_path)
