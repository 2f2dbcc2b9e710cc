"""Tests of the routes; `client` sends requests without a port."""

from snaxum.testing import Client

CSV = b"fruit,price\napple,3\nbanana,2\napple,1.5\n"


def test_the_page_shows_the_example(client: Client) -> None:
    page = client.get("/").text

    assert "sales by city" in page
    assert page.index("Wien") < page.index("Graz") < page.index("Linz")


def test_an_upload_is_shown(client: Client) -> None:
    page = client.post("/", files={"file": ("fruit.csv", CSV)}).text

    assert "price by fruit" in page
    assert ">4.5</text>" in page


def test_names_in_an_upload_are_escaped(client: Client) -> None:
    page = client.post("/", files={"file": ("a.csv", b"a,b\n<script>,1\n")}).text

    assert "<script>" not in page.split("<body>")[1].split("</svg>")[0]


def test_a_table_without_numbers_is_an_error(client: Client) -> None:
    response = client.post("/", files={"file": ("a.csv", b"a,b\nx,y\n")})

    assert response.status == 422
    assert "a column of text and one of numbers" in response.text


def test_totals_are_json_or_csv(client: Client) -> None:
    headers = {"Content-Type": "text/csv"}

    rows = client.post("/totals", data=CSV, headers=headers).json()
    text = client.post("/totals", data=CSV, headers={**headers, "Accept": "text/csv"})

    assert rows == [{"fruit": "apple", "price": 4.5}, {"fruit": "banana", "price": 2.0}]
    assert text.text == "fruit,price\napple,4.5\nbanana,2.0\n"


def test_it_is_healthy(client: Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}
