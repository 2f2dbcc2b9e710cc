"""Names of other frameworks are errors that give the right one."""

from __future__ import annotations

import pickle

import pytest

import snaxum
from snaxum._core.foreign_names import FOREIGN


@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_a_name_of_another_framework_is_explained_where_it_is_imported(name: str) -> None:
    with pytest.raises(ImportError, match=f"snaxum has no `{name}`; ") as raised:
        exec(f"from snaxum import {name}")
    assert FOREIGN[name] in str(raised.value)
    assert name not in snaxum.__all__


def test_the_module_of_requests_is_not_the_request_of_flask() -> None:
    from snaxum import request

    with pytest.raises(AttributeError, match="gets its request as a parameter"):
        _ = request.args


def test_a_misspelt_name_is_corrected() -> None:
    with pytest.raises(AttributeError, match="did you mean `redirect`"):
        _ = snaxum.redirct
    with pytest.raises(AttributeError, match="has no attribute 'nothing_like_it'"):
        _ = snaxum.nothing_like_it
    assert not hasattr(snaxum, "__path_of_another__")


def test_a_submodule_is_imported_as_before() -> None:
    from snaxum import routing

    assert routing.Route


def test_the_status_of_an_error_is_its_first_argument() -> None:
    with pytest.raises(TypeError, match=r"HTTPError\(404, detail\)"):
        snaxum.HTTPError(status_code=404, detail="gone")  # type: ignore[call-arg]
    error = pickle.loads(pickle.dumps(snaxum.HTTPError(404, "gone")))
    assert (error.status, error.detail) == (404, "gone")
