"""Secrets are masked by the words of their names and by their forms, and nothing else is."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import pytest

from snaxum._debug import redact
from snaxum._debug.redact import (
    MASK,
    add_words,
    is_secret,
    mask_beginning,
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
def test_secrets_of_a_known_form_are_masked_anywhere(secret: str) -> None:
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


def test_values_of_secret_variables_are_listed_unless_they_are_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_SECRET", "correct horse")
    monkeypatch.setenv("SHOP_PIN", "4711")
    monkeypatch.setenv("SHOP_NAME", "corner shop")
    values = secret_values()
    assert "correct horse" in values
    assert not {"4711", "corner shop"} & set(values)


def test_overlapping_values_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET_A", "password1")
    monkeypatch.setenv("MY_SECRET_B", "password12345xyz")
    monkeypatch.setenv("MY_SECRET_C", "2345xyz and more")
    assert mask_text("is password12345xyz, password1") == f"is {MASK}, {MASK}"
    assert mask_text("is password12345xyz and more!") == f"is {MASK}!"


def test_no_other_mask_hides_a_part_of_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY2", "sk-abcdefghijklmnop!tailtail")
    monkeypatch.setenv("PIN_TOKEN", "abc def ghi")
    monkeypatch.setenv("LINK_SECRET", "/x?token=abcd&e=fgh")
    assert mask_text("is sk-abcdefghijklmnop!tailtail.") == f"is {MASK}."
    assert mask_text("ghp_0123456789abc def ghi") == "ghp_0123456789" + MASK
    assert mask_text("ghp_0123456789012345678abc def ghi") == MASK
    assert mask_text("see /x?token=abcd&e=fgh.") == f"see {MASK}."
    assert mask_repr("token: abc def ghi") == f"token: {MASK}"


def test_a_line_of_a_multiline_value_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_CREDENTIALS", "{\n  first line\n  second line\n}")
    assert mask_text("  second line") == f"  {MASK}"
    assert mask_text("}") == "}"


def test_the_current_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ["correct horse", "battery staple"]:
        monkeypatch.setenv("SHOP_SECRET", value)
        assert mask_text(value) == MASK
    assert mask_text("correct horse") == "correct horse"
    monkeypatch.setenv("SHOP_IBAN", "correct horse")
    assert mask_text("correct horse") == "correct horse"
    monkeypatch.setattr(redact, "_extra", ())
    add_words(["iban"])
    assert mask_text("correct horse") == MASK


@pytest.mark.parametrize("place", [90, 100, 390, 400])
def test_a_secret_across_a_cut_shows_no_part(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SECRET", "correct horse")
    text = "-" * (place - 5) + "correct horse" + "-" * 400
    shown, more = mask_beginning(text, 100)
    assert shown == ("-" * (place - 5) + MASK + "-" * 400)[:100]
    assert more > 300


def test_a_text_that_masks_shorten_shows_no_half_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_SECRET", "correct horse")
    monkeypatch.setenv("LONG_SECRET", "long" * 93)
    shown, _ = mask_beginning("long" * 93 + "-" * 18 + "correct horse", 100)
    assert "correct" not in shown
    assert mask_beginning("long" * 93, 100) == (MASK, 0)


def test_a_project_adds_names_of_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_extra", ())
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


@pytest.mark.parametrize(
    "value",
    [
        {"headers": [(b"host", b"localhost"), (b"authorization", b"Bearer hunter2 x")]},
        [(b"Authorization", b"authorization", b"Bearer hunter2")],
        OrderedDict(authorization=("Authorization", "Bearer hunter2")),
        {"cookie": ["a=1; b=hunter2", "c=hunter2"]},
        {"headers": {"cookie": "hunter2"}},
    ],
)
def test_a_repr_loses_the_values_of_headers(value: object) -> None:
    masked = mask_repr(repr(value))
    assert "hunter2" not in masked
    assert MASK in masked


def test_a_repr_cut_within_a_secret_loses_it() -> None:
    assert mask_repr("{'cookie': 'a=1; b=hunt") == "{'cookie': " + MASK
    assert mask_repr("{'password': 'hunt") == "{'password': " + MASK
