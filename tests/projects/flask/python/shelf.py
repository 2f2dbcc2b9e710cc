"""The endpoints of Flask's quick start, in Snaxum; `original.py` is the same in Flask."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import BytesIO
from typing import Any, NoReturn
from uuid import UUID

from itsdangerous import BadSignature, URLSafeSerializer
from markupsafe import Markup, escape
from werkzeug.utils import secure_filename

from snaxum import (
    HTTPError,
    Request,
    Response,
    abort,
    delete,
    errorhandler,
    get,
    post,
    redirect,
    render,
    route,
    send_file,
    static,
    url_for,
)

log = logging.getLogger(__name__)
signer = URLSafeSerializer("a key of the tests")

static("/static", "static")


class NoSuchRow(Exception):
    """Raised for a row that the shelf does not have."""


# A minimal application


@route("/")
def index() -> str:
    return "<p>A shelf of books</p>"


# Escaping


@route("/greet/<name>")
def greet(name: str) -> str:
    return f"Good day, {escape(name)}"


# Routing and variable rules


@route("/hours")
def hours() -> str:
    return "open from nine"


@route("/readers/<username>")
def reader(username: str) -> str:
    return f"reader {escape(username)}"


@route("/books/<int:book_id>")
def book(book_id: int) -> str:
    return f"book {book_id + 1000}"


@route("/prices/<float:price>")
def price(price: float) -> str:
    return f"price {price * 2}"


@route("/files/<path:subpath>")
def file(subpath: str) -> str:
    return f"file {escape(subpath)}"


@route("/loans/<uuid:loan>")
def loan(loan: UUID) -> str:
    return f"loan {loan.hex}"


@route("/words/<string:word>")
def word(word: str) -> str:
    return f"word {escape(word)}"


# Unique URLs


@route("/rooms/")
def rooms() -> str:
    return "two rooms"


@route("/imprint")
def imprint() -> str:
    return "printed here"


# URL building


@route("/urls")
def urls() -> list[str]:
    return [
        url_for("index"),
        url_for("hours"),
        url_for("hours", next="/"),
        url_for("reader", username="Ada Lovelace"),
        url_for("book", book_id=7, page=2),
        url_for("file", subpath="a/b c"),
        url_for("static", filename="style.css"),
    ]


# Methods


@route("/card", methods=["GET", "POST"])
def card(request: Request) -> str:
    if request.method == "POST":
        return "a new card"
    return "your card"


@get("/ticket")
def show_ticket() -> str:
    return "a ticket"


@post("/ticket")
def buy_ticket() -> str:
    return "bought"


@delete("/ticket")
def drop_ticket() -> tuple[str, int]:
    return "", 204


# Templates


@route("/pages/<title>")
def page(title: str, note: str = "none") -> str:
    marked = Markup("<em>{}</em>").format(note)
    return render("book.html", title=title, authors=["A & B", "C"], note=marked)


@route("/pages/")
def empty_page() -> str:
    return render("book.html", title=None, authors=[], note="<i>")


@route("/markup")
def markup() -> Markup:
    return Markup("<b>bold</b>")


# The request


@route("/sign-in", methods=["POST"])
def sign_in(request: Request) -> str:
    if request.form["user"] == "ada" and request.form.get("word", "") == "engine":
        return f"welcome {request.form['user']}"
    return "wrong user or word"


@route("/search")
def search(request: Request) -> dict[str, Any]:
    return {
        "key": request.query_params.get("key", ""),
        "all": request.query_params.get_all("key"),
        "page": request.query_params.get("page", 1, type=int),
    }


@route("/needs-key")
def needs_key(request: Request) -> str:
    return f"key {escape(request.query_params['key'])}"


@route("/facts", methods=["GET", "PUT"])
def facts(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "agent": request.headers["user-agent"],
        "missing": request.headers.get("x-none"),
        "type": request.content_type or None,
        "body": request.text,
    }


@route("/json", methods=["POST"])
def json_body(request: Request) -> dict[str, Any]:
    sent = request.body
    return {"sent": sent, "keys": sorted(sent)}


# Uploads


@route("/covers", methods=["POST"])
def cover(request: Request) -> dict[str, Any]:
    picture = request.files["picture"]
    name = secure_filename(picture.filename)
    content = picture.read()
    return {"name": name, "type": picture.content_type, "bytes": len(content)}


@route("/covers/all", methods=["POST"])
def covers(request: Request) -> dict[str, Any]:
    return {
        "names": [each.filename for each in request.files.get_all("picture")],
        "note": request.form.get("note", ""),
    }


# Cookies


@route("/colour")
def colour(request: Request) -> str:
    return f"colour {escape(request.cookies.get('colour', 'none'))}"


@route("/colour/<name>")
def set_colour(name: str) -> Response:
    response = Response(f"now {escape(name)}")
    response.set_cookie("colour", name, max_age=3600, httponly=True, samesite="Lax")
    return response


@route("/colour/none")
def delete_colour() -> Response:
    response = Response("now none")
    response.delete_cookie("colour")
    return response


# Redirects and errors


@route("/old")
def old() -> Response:
    return redirect(url_for("hours"))


@route("/moved")
def moved() -> Response:
    return redirect("/hours?from=moved", status=301)


@route("/staff")
def staff() -> NoReturn:
    abort(401)


@route("/locked")
def locked() -> NoReturn:
    abort(423, "come tomorrow")


@route("/divide/<int:by>")
def divide(by: int) -> str:
    return str(10 // by)


@route("/no-row")
def no_row() -> NoReturn:
    raise NoSuchRow("row 3")


@errorhandler(404)
def not_found(request: Request, error: HTTPError) -> tuple[str, int]:
    return render("lost.html"), 404


@errorhandler(NoSuchRow)
def no_such_row(request: Request, error: NoSuchRow) -> tuple[dict[str, str], int]:
    return {"missing": str(error)}, 410


# Responses


@route("/lost")
def lost() -> Response:
    response = Response(render("lost.html"), 404)
    response.headers["X-Shelf"] = "7"
    return response


@route("/made")
def made() -> tuple[str, int]:
    return "made", 201


@route("/made/headers")
def made_with_headers() -> tuple[str, dict[str, str]]:
    return "made", {"X-Shelf": "7"}


@route("/made/all")
def made_with_all() -> tuple[dict[str, int], int, dict[str, str]]:
    return {"id": 1}, 202, {"X-Shelf": "7", "Location": "/books/1"}


@route("/made/pairs")
def made_with_pairs() -> tuple[str, int, list[tuple[str, str]]]:
    return "made", 200, [("X-Shelf", "7"), ("X-Shelf", "8")]


@route("/plain")
def plain() -> tuple[str, int, dict[str, str]]:
    return "text", 200, {"Content-Type": "text/plain; charset=utf-8"}


@route("/raw")
def raw() -> bytes:
    return b"\x00\x01"


@route("/lines")
def lines() -> Response:
    def generate() -> Iterator[str]:
        for number in range(3):
            yield f"{number}\n"

    return Response(generate(), content_type="text/csv; charset=utf-8")


@route("/report")
def report() -> Response:
    return send_file(BytesIO(b"a,b\n1,2\n"), download_name="report.csv")


# JSON


@route("/me")
def me() -> dict[str, Any]:
    return {"name": "Ada", "theme": None, "image": url_for("static", filename="ada.png")}


@route("/all")
def everyone() -> list[dict[str, str]]:
    return [{"name": name} for name in ("Ada", "Grace")]


@route("/jsonify")
def by_jsonify() -> dict[str, Any]:
    return {"name": "Ä", "tags": ["a"]}


# Sessions, as a signed cookie


@route("/session")
def session(request: Request) -> str:
    try:
        found = signer.loads(request.cookies.get("visit", ""))
    except BadSignature:
        return "nobody"
    return f"signed in as {escape(found['user'])}"


@route("/session", methods=["POST"])
def begin_session(request: Request) -> Response:
    response = redirect(url_for("session"))
    response.set_cookie("visit", str(signer.dumps({"user": request.form["user"]})))
    return response


@route("/session", methods=["DELETE"])
def end_session() -> Response:
    response = redirect(url_for("session"))
    response.delete_cookie("visit")
    return response


# Logging


@route("/logs")
def logs() -> str:
    log.warning("a warning of %s", "the shelf")
    return "logged"
