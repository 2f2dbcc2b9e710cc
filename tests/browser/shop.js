// The project of the screenshots: a small shop with sales, a chart, slow reports and a bug.
//
// Only its source. screenshots.js serves it and sends its requests.

const SHOP = `"""A small shop: its items, orders and sales."""
import logging
import sqlite3
import threading
from dataclasses import dataclass
from typing import Annotated, Literal

import prices
import reports
import stock
from snaxum import HTTPError, Path, Query, Response, get, post

log = logging.getLogger("shop")
closing = threading.Event()
ITEMS = {1: ("tea", 3.5), 2: ("cake", 4.0), 3: ("pot", 24.9)}
CITIES = ["Graz", "Linz", "Wien"]


@dataclass
class Order:
    item: str
    count: int = 1
    size: Literal["small", "large"] = "small"
    gift: bool = False


@get("/items")
def items() -> dict:
    """All items of the shop."""
    return {"items": [name for name, _ in ITEMS.values()]}


@get("/items/<int:item_id>")
def item(item_id: Annotated[int, Path(ge=1)], token: str = "") -> dict:
    """One item with its price."""
    if item_id not in ITEMS:
        raise HTTPError(404, f"no item {item_id}")
    name, price = ITEMS[item_id]
    print("showing", name)
    return {"name": name, "price": prices.with_tax(price)}


@post("/orders", status=201)
def create(order: Order, lang: Annotated[str, Query(examples=["de"])] = "en") -> dict:
    """Orders an item."""
    price = dict(ITEMS.values())[order.item]
    log.info("ordered %d × %s", order.count, order.item)
    total = prices.with_tax(price) * order.count
    return {"item": order.item, "total": total, "lang": lang}


@get("/orders")
def orders() -> list:
    """The newest orders, with the name of each item."""
    database = sqlite3.connect(":memory:")
    database.execute("create table items (id integer, name text)")
    database.executemany("insert into items values (?, ?)", [(id, name) for id, (name, _) in ITEMS.items()])
    found = []
    for number in range(1, 8):
        (name,) = database.execute("select name from items where id = ?", (1 + number % 3,)).fetchone()
        found.append({"order": number, "item": name})
    return found


@get("/sales")
def sales(city: str = "") -> list:
    """The sales of each day, by city."""
    rows = [
        {"city": CITIES[n % 3], "day": f"2026-03-{1 + n // 3:02}", "sales": 90 + n * 37 % 101,
         "price": round(2 + n * 0.37 % 3, 2), "note": "sale" if n % 7 == 0 else None}
        for n in range(60)
    ]
    return [row for row in rows if city in ("", row["city"])]


@get("/sales/chart")
def chart() -> Response:
    """The sales as a picture."""
    bars = "".join(
        f'<rect x="{20 + n * 17}" y="{220 - value}" width="13" height="{value}" rx="2" fill="#{color}"/>'
        for n, (value, color) in enumerate((60 + n * 53 % 131, ["2f6fb3", "c9752d", "4f8f5b"][n % 3]) for n in range(30))
    )
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="550" height="240"><path d="M15 10V220H540" fill="none" stroke="#888"/>{bars}</svg>'
    return Response(svg, content_type="image/svg+xml")


@get("/report")
def report() -> dict:
    """Computes next week from the last year."""
    log.info("computing the report")
    return reports.next_week(prices.TAX)


@get("/average")
def average() -> dict:
    """The mean price of the dear items."""
    dear = [price for _, price in ITEMS.values() if price > 50]
    log.warning("averaging %d prices", len(dear))
    return {"average": sum(dear) / len(dear)}


@get("/closing")
def close() -> str:
    """Waits until the shop is closed."""
    closing.wait()
    return "closed"


@get("/closed")
def closed() -> str:
    """Closes the shop."""
    closing.set()
    return "closed"


@get("/stock", use_process_pool=True)
def count(request, pool) -> dict:
    """Counts the stock in another process."""
    return {"stock": pool.submit(stock.count).result()}
`;

const REPORTS = `import random
import statistics


def next_week(tax):
    days = [random.gauss(100, 20) for _ in range(365)]
    smoothed = smooth(days)
    return {"expected": round(forecast(smoothed) * (1 + tax), 2)}


def smooth(days):
    found = []
    for index in range(len(days)):
        window = days[max(0, index - 28):index + 1]
        found.append(statistics.fmean(window))
    return found


def forecast(days):
    guesses = []
    for _ in range(1500):
        sample = random.choices(days, k=60)
        guesses.append(statistics.fmean(sample) + spread(sample))
    return statistics.median(guesses)


def spread(sample):
    return statistics.pstdev(sample) / 10
`;

const FILES = {
  "shop.py": SHOP,
  "reports.py": REPORTS,
  "prices.py": `TAX = 0.1


def with_tax(price):
    return round(price * (1 + TAX), 2)
`,
  "stock.py": `def count():
    return 42
`,
};

module.exports = { FILES };
