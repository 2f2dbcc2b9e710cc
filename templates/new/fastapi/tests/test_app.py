"""Tests of the API; `client` sends requests without a port."""

from snaxum.testing import Client


def test_it_greets(client: Client) -> None:
    assert client.get("/").json() == {"message": "Hello from FastAPI"}


def test_an_item_that_is_added_can_be_read(client: Client) -> None:
    response = client.post("/items", json={"name": "bread", "price": 2.8})
    number = response.json()["number"]

    assert response.status == 201
    assert client.get(f"/items/{number}").json() == {"name": "bread", "price": 2.8}


def test_a_price_is_positive(client: Client) -> None:
    assert client.post("/items", json={"name": "bread", "price": 0}).status == 422


def test_an_unknown_item_is_a_404(client: Client) -> None:
    assert client.get("/items/999").json() == {"detail": "no item 999"}


def test_it_is_healthy(client: Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}
