"""Secrets are masked by the words of their names and by their shapes, and nothing else is."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from snaxum import _masking
from snaxum._masking import (
    MASK,
    add_words,
    is_secret,
    mask_repr,
    mask_text,
    secret_values,
)


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "x-api-key",
        "GITHUB_PAT",
        "SENTRY_DSN",
        "DATABASE_URL",
        "accessToken",
        "card_number",
        "csrf-token",
        "sessionid_session",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["MONKEY_MODE", "PASSENGER_COUNT", "keyboard", "pattern", "spin"])
def test_names_that_only_contain_such_letters(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMIIE and cut",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "AKIA" + "A1" * 8,
        "ghp_" + "a1B2" * 9,
        "sk-" + "abcd1234" * 4,
        "xoxb-1234567890-abc",
    ],
)
def test_secrets_are_told_by_their_shape_wherever_they_stand(secret: str) -> None:
    assert mask_text(f"before {secret}") == f"before {MASK}"


def test_text_without_secrets_stays_as_it_is() -> None:
    text = "see https://example.org/a?b=1&page=2 for eyJ, AKIA and a sk-etch of -----BEGIN----- it"
    assert mask_text(text) == text


def test_addresses_lose_passwords_and_secret_parameters() -> None:
    assert mask_text("postgres://ada:hunter2@db/x") == f"postgres://ada:{MASK}@db/x"
    assert mask_text("/x?token=abc&page=2") == f"/x?token={MASK}&page=2"


def test_values_of_secret_variables_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SECRET", "correct horse")
    monkeypatch.setenv("SHOP_NAME", "corner shop")
    assert mask_text("correct horse at the corner shop") == f"{MASK} at the corner shop"


def test_what_secret_variables_hold_is_told_unless_it_is_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_SECRET", "correct horse")
    monkeypatch.setenv("SHOP_PIN", "4711")
    monkeypatch.setenv("SHOP_NAME", "corner shop")
    values = secret_values()
    assert "correct horse" in values
    assert not {"4711", "corner shop"} & set(values)


def test_further_names_are_those_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_masking, "_extra", ())
    add_words(["iban", "National-ID", "пароль"])
    for secret in ["IBAN", "customer_iban", "nationalId", "x-national-id", "Пароль", "pin"]:
        assert is_secret(secret)
    for plain in ["ibanez", "national", "id_national", "international_id", "national-name-id"]:
        assert not is_secret(plain)
    masked = mask_repr("{'customerIban': 'DE1', 'пароль': 'x y', 'name': 'ada'}")
    assert masked == f"{{'customerIban': {MASK}, 'пароль': {MASK}, 'name': 'ada'}}"
    assert mask_text("/x?iban=DE1&b=2") == f"/x?iban={MASK}&b=2"


@dataclass
class Login:
    user: str
    password: str


@pytest.mark.parametrize(
    "value",
    [
        {"user": "ada", "deep": {"er": [{"password": "hunter2"}]}},
        Login("ada", "hunter2"),
        [("ada", {"api_key": b"hunter2"})],
        {"token": 'it\'s "hunter2"'},
    ],
)
def test_a_repr_loses_secrets_however_deep(value: object) -> None:
    masked = mask_repr(repr(value))
    assert "hunter2" not in masked
    assert MASK in masked
    assert ("ada" in masked) == ("ada" in repr(value))


def test_a_repr_that_was_cut_in_a_secret_loses_it() -> None:
    assert mask_repr("{'password': 'hunt") == "{'password': " + MASK
