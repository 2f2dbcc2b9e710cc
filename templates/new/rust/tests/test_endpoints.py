"""Tests of the endpoints in Python; `client` sends requests without a port."""

from snaxum.testing import Client


def test_the_sales_of_each_city(client: Client) -> None:
    assert client.get("/python/sales").json() == [
        {"city": "Graz", "sales": 215},
        {"city": "Linz", "sales": 210},
        {"city": "Wien", "sales": 585},
    ]
