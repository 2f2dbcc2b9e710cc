"""Tests of the routes; `client` sends requests without a port."""

from snaxum.testing import Client

HOUSE = {"area": 100, "rooms": 4, "age": 10}


def test_a_house_has_a_price(client: Client) -> None:
    price = client.post("/predictions", json=HOUSE).json()["price"]

    assert 370_000 < price < 385_000


def test_a_batch_has_the_same_prices(client: Client) -> None:
    price = client.post("/predictions", json=HOUSE).json()["price"]

    prices = client.post("/predictions/batch", json=[HOUSE] * 2500).json()["prices"]

    assert prices == [price] * 2500


def test_each_fault_of_a_house_is_reported(client: Client) -> None:
    response = client.post("/predictions", json={"area": "large", "rooms": 4})

    assert response.status == 422
    assert [fault["loc"] for fault in response.json()["errors"]] == [["area"], ["age"]]


def test_it_is_healthy(client: Client) -> None:
    assert client.get("/health").json() == {"status": "ok", "weights": 4}
