"""The names of FastAPI: an import of one from `snaxum` gives the name to use."""

from __future__ import annotations

import importlib
import re

import pytest


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("FastAPI", "`mount(prefix, app)` runs the application here"),
        ("APIRouter", "Blueprint("),
        ("Depends", "call the function"),
        ("HTTPException", "HTTPError("),
        ("BackgroundTasks", "background("),
        ("JSONResponse", "return the dict or list"),
        ("StaticFiles", "static("),
        ("File", "UploadFile"),
        ("TestClient", "snaxum.testing.Client"),
    ],
)
def test_a_name_of_fastapi_is_explained(name: str, instead: str) -> None:
    with pytest.raises(ImportError, match=re.escape(instead)):
        getattr(importlib.import_module("snaxum"), name)
