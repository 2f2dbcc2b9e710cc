"""Data frames over HTTP: each side chooses its format."""

import io

import polars as pl
import pytest

from snaxum.testing import Client

CSV = "city,amount\nBern,1\nBasel,2\nBern,4\n"
PARQUET = "application/vnd.apache.parquet"


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("/totals", [{"city": "Basel", "amount": 2}, {"city": "Bern", "amount": 5}]),
        ("/means", [{"city": "Basel", "amount": 2.0}, {"city": "Bern", "amount": 2.5}]),
    ],
)
def test_a_table_comes_as_csv_or_parquet_and_leaves_as_the_client_asks(
    client: Client, path: str, rows: list[dict[str, object]]
) -> None:
    parquet = io.BytesIO()
    pl.read_csv(CSV.encode()).write_parquet(parquet)
    for content_type, body in [("text/csv", CSV.encode()), (PARQUET, parquet.getvalue())]:
        headers = {"content-type": content_type}

        assert client.post(path, data=body, headers=headers).json() == rows

        response = client.post(path, data=body, headers={**headers, "accept": PARQUET})
        assert response.headers["content-type"] == PARQUET
        assert pl.read_parquet(io.BytesIO(response.content)).to_dicts() == rows


def test_a_body_that_is_not_a_table_is_an_error_of_the_client(client: Client) -> None:
    for content_type, body, status in [
        (PARQUET, b"PAR1 and no more", 400),
        ("text/csv", b'city,amount\nBern,"1\n', 400),
        ("application/json", b'[{"city": 1}', 400),
        ("image/png", b"\x89PNG", 415),
    ]:
        response = client.post("/totals", data=body, headers={"content-type": content_type})

        assert response.status == status, (content_type, response.text)
        assert response.headers["content-type"] == "application/problem+json"
