"""The endpoints of Flask's quick start, in Flask.

`python/shelf.py` is the same in Snaxum, in the same order; `tests/test_responses.py` compares them.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from flask import (
    Flask,
    abort,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from itsdangerous import BadSignature, URLSafeSerializer
from markupsafe import Markup, escape
from werkzeug.utils import secure_filename

app = Flask(__name__)
signer = URLSafeSerializer("a key of the tests")


class NoSuchRow(Exception):
    """Raised for a row that the shelf does not have."""


# A minimal application


@app.route("/")
def index() -> str:
    return "<p>A shelf of books</p>"


# Escaping


@app.route("/greet/<name>")
def greet(name: str) -> str:
    return f"Good day, {escape(name)}"


# Routing and variable rules


@app.route("/hours")
def hours() -> str:
    return "open from nine"


@app.route("/readers/<username>")
def reader(username: str) -> str:
    return f"reader {escape(username)}"


@app.route("/books/<int:book_id>")
def book(book_id: int) -> str:
    return f"book {book_id + 1000}"


@app.route("/prices/<float:price>")
def price(price: float) -> str:
    return f"price {price * 2}"


@app.route("/files/<path:subpath>")
def file(subpath: str) -> str:
    return f"file {escape(subpath)}"


@app.route("/loans/<uuid:loan>")
def loan(loan: Any) -> str:
    return f"loan {loan.hex}"


@app.route("/words/<string:word>")
def word(word: str) -> str:
    return f"word {escape(word)}"


# Unique URLs


@app.route("/rooms/")
def rooms() -> str:
    return "two rooms"


@app.route("/imprint")
def imprint() -> str:
    return "printed here"


# URL building


@app.route("/urls")
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


@app.route("/card", methods=["GET", "POST"])
def card() -> str:
    if request.method == "POST":
        return "a new card"
    return "your card"


@app.get("/ticket")
def show_ticket() -> str:
    return "a ticket"


@app.post("/ticket")
def buy_ticket() -> str:
    return "bought"


@app.delete("/ticket")
def drop_ticket() -> tuple[str, int]:
    return "", 204


# Templates


@app.route("/pages/<title>")
def page(title: str) -> str:
    note = Markup("<em>{}</em>").format(request.args.get("note", "none"))
    return render_template("book.html", title=title, authors=["A & B", "C"], note=note)


@app.route("/pages/")
def empty_page() -> str:
    return render_template("book.html", title=None, authors=[], note="<i>")


@app.route("/markup")
def markup() -> Markup:
    return Markup("<b>bold</b>")


# The request


@app.route("/sign-in", methods=["POST"])
def sign_in() -> str:
    if request.form["user"] == "ada" and request.form.get("word", "") == "engine":
        return f"welcome {request.form['user']}"
    return "wrong user or word"


@app.route("/search")
def search() -> dict[str, Any]:
    return {
        "key": request.args.get("key", ""),
        "all": request.args.getlist("key"),
        "page": request.args.get("page", 1, type=int),
    }


@app.route("/needs-key")
def needs_key() -> str:
    return f"key {escape(request.args['key'])}"


@app.route("/facts", methods=["GET", "PUT"])
def facts() -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "agent": request.headers["user-agent"],
        "missing": request.headers.get("x-none"),
        "type": request.content_type,
        "body": request.get_data(as_text=True),
    }


@app.route("/json", methods=["POST"])
def json_body() -> dict[str, Any]:
    sent = request.get_json()
    return {"sent": sent, "keys": sorted(sent)}


# Uploads


@app.route("/covers", methods=["POST"])
def cover() -> dict[str, Any]:
    picture = request.files["picture"]
    name = secure_filename(picture.filename or "")
    content = picture.read()
    return {"name": name, "type": picture.content_type, "bytes": len(content)}


@app.route("/covers/all", methods=["POST"])
def covers() -> dict[str, Any]:
    return {
        "names": [each.filename for each in request.files.getlist("picture")],
        "note": request.form.get("note", ""),
    }


# Cookies


@app.route("/colour")
def colour() -> str:
    return f"colour {escape(request.cookies.get('colour', 'none'))}"


@app.route("/colour/<name>")
def set_colour(name: str) -> Any:
    response = make_response(f"now {escape(name)}")
    response.set_cookie("colour", name, max_age=3600, httponly=True, samesite="Lax")
    return response


@app.route("/colour/none")
def delete_colour() -> Any:
    response = make_response("now none")
    response.delete_cookie("colour")
    return response


# Redirects and errors


@app.route("/old")
def old() -> Any:
    return redirect(url_for("hours"))


@app.route("/moved")
def moved() -> Any:
    return redirect("/hours?from=moved", code=301)


@app.route("/staff")
def staff() -> str:
    abort(401)


@app.route("/locked")
def locked() -> str:
    abort(423, "come tomorrow")


@app.route("/divide/<int:by>")
def divide(by: int) -> str:
    return str(10 // by)


@app.route("/no-row")
def no_row() -> str:
    raise NoSuchRow("row 3")


@app.errorhandler(404)
def not_found(error: Exception) -> Any:
    return render_template("lost.html"), 404


@app.errorhandler(NoSuchRow)
def no_such_row(error: NoSuchRow) -> Any:
    return {"missing": str(error)}, 410


# Responses


@app.route("/lost")
def lost() -> Any:
    response = make_response(render_template("lost.html"), 404)
    response.headers["X-Shelf"] = "7"
    return response


@app.route("/made")
def made() -> Any:
    return "made", 201


@app.route("/made/headers")
def made_with_headers() -> Any:
    return "made", {"X-Shelf": "7"}


@app.route("/made/all")
def made_with_all() -> Any:
    return {"id": 1}, 202, {"X-Shelf": "7", "Location": "/books/1"}


@app.route("/made/pairs")
def made_with_pairs() -> Any:
    return "made", 200, [("X-Shelf", "7"), ("X-Shelf", "8")]


@app.route("/plain")
def plain() -> Any:
    return "text", 200, {"Content-Type": "text/plain; charset=utf-8"}


@app.route("/raw")
def raw() -> Any:
    return b"\x00\x01"


@app.route("/lines")
def lines() -> Any:
    def generate() -> Iterator[str]:
        for number in range(3):
            yield f"{number}\n"

    return generate(), {"Content-Type": "text/csv; charset=utf-8"}


@app.route("/report")
def report() -> Any:
    return send_file(BytesIO(b"a,b\n1,2\n"), download_name="report.csv")


# JSON


@app.route("/me")
def me() -> dict[str, Any]:
    return {"name": "Ada", "theme": None, "image": url_for("static", filename="ada.png")}


@app.route("/all")
def everyone() -> list[dict[str, str]]:
    return [{"name": name} for name in ("Ada", "Grace")]


@app.route("/jsonify")
def by_jsonify() -> Any:
    return jsonify(name="Ä", tags=["a"])


# Sessions, as a signed cookie


@app.route("/session")
def session() -> str:
    try:
        found = signer.loads(request.cookies.get("visit", ""))
    except BadSignature:
        return "nobody"
    return f"signed in as {escape(found['user'])}"


@app.route("/session", methods=["POST"])
def begin_session() -> Any:
    response = redirect(url_for("session"))
    response.set_cookie("visit", str(signer.dumps({"user": request.form["user"]})))
    return response


@app.route("/session", methods=["DELETE"])
def end_session() -> Any:
    response = redirect(url_for("session"))
    response.delete_cookie("visit")
    return response


# Logging


@app.route("/logs")
def logs() -> str:
    app.logger.warning("a warning of %s", "the shelf")
    return "logged"
