"""Tests of the routes; `client` sends requests without a port."""

from snaxum.testing import Client


def test_the_greeting_has_the_name(client: Client) -> None:
    assert client.get("/").json() == {"message": "Hello, world"}
    assert client.get("/?name=Ada").json() == {"message": "Hello, Ada"}
