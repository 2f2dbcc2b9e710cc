"""The endpoints of FastAPI's first steps and user guide; `original.py` has them in FastAPI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

from models import AccountIn, AccountOut, Filter, Kind, Oak, Rose, Visit, VisitChange
from pydantic import AfterValidator

from snaxum import (
    Blueprint,
    HTTPError,
    Path,
    Query,
    Request,
    Response,
    ValidationError,
    background,
    delete,
    errorhandler,
    get,
    middleware,
    patch,
    post,
    put,
    redirect,
    static,
)

static("/static", "static")


# First steps and path parameters


@get("/")
async def root() -> dict[str, str]:
    return {"message": "Good day"}


@get("/plants/<plant_id>")
async def read_plant(plant_id: str) -> dict[str, str]:
    return {"plant_id": plant_id}


@get("/beds/<bed_id>")
async def read_bed(bed_id: int) -> dict[str, int]:
    return {"bed_id": bed_id}


@get("/gardeners/me")
async def read_me() -> dict[str, str]:
    return {"gardener": "yours"}


@get("/gardeners/<gardener_id>")
async def read_gardener(gardener_id: str) -> dict[str, str]:
    return {"gardener": gardener_id}


@get("/kinds/<kind>")
async def read_kind(kind: Kind) -> dict[str, Any]:
    return {"kind": kind, "is_tree": kind is Kind.TREE, "text": kind.value}


@get("/files/<path:file_path>")
async def read_file(file_path: str) -> dict[str, str]:
    return {"file_path": file_path}


# Query parameters


@get("/list")
async def list_plants(skip: int = 0, limit: int = 10) -> list[int]:
    return list(range(100))[skip : skip + limit]


@get("/optional/<plant_id>")
async def optional(plant_id: str, q: str | None = None, short: bool = False) -> dict[str, Any]:
    return {"plant_id": plant_id, "q": q, "short": short}


@get("/needy/<plant_id>")
async def needy(
    plant_id: str, needed: str, skip: int = 0, limit: int | None = None
) -> dict[str, Any]:
    return {"plant_id": plant_id, "needed": needed, "skip": skip, "limit": limit}


@get("/texts")
async def texts(
    q: Annotated[str | None, Query(min_length=3, max_length=5, pattern="^[a-z]+$")] = None,
) -> dict[str, Any]:
    return {"q": q}


@get("/texts/required")
async def texts_required(q: Annotated[str, Query(min_length=3)]) -> dict[str, Any]:
    return {"q": q}


@get("/texts/default")
async def texts_default(q: Annotated[str, Query(min_length=3)] = "rose") -> dict[str, Any]:
    return {"q": q}


@get("/texts/many")
async def texts_many(q: Annotated[list[str] | None, Query()] = None) -> dict[str, Any]:
    return {"q": q}


@get("/texts/many/default")
async def texts_many_default(q: Annotated[list[str], Query()] = ["a", "b"]) -> dict[str, Any]:  # noqa: B006
    return {"q": q}


@get("/texts/alias")
async def texts_alias(
    q: Annotated[str | None, Query(alias="plant-query", title="Query", deprecated=True)] = None,
) -> dict[str, Any]:
    return {"q": q}


def check_id(text: str) -> str:
    if not text.startswith("id-"):
        raise ValueError("an id starts with id-")
    return text


@get("/texts/checked")
async def texts_checked(
    q: Annotated[str | None, AfterValidator(check_id)] = None,
) -> dict[str, Any]:
    return {"q": q}


@get("/numbers/<number>")
async def numbers(
    *,
    number: Annotated[int, Path(title="A number", ge=1, le=1000)],
    q: str,
    size: Annotated[float, Query(gt=0, lt=10.5)],
) -> dict[str, Any]:
    return {"number": number, "q": q, "size": size}


@get("/filtered")
async def filtered(filter: Annotated[Filter, Query()]) -> Filter:
    return filter


# Responses


@post("/accounts", status=201, response_model=AccountOut)
async def create_account(account: AccountIn) -> AccountIn:
    return account


@post("/accounts/typed")
async def create_account_typed(account: AccountIn) -> AccountOut:
    return account


@get("/accounts/typed")
async def list_accounts_typed() -> list[AccountOut]:
    return [AccountIn(username="ada", password="x"), AccountOut(username="grace")]


@get("/accounts", response_model=list[AccountOut])
async def list_accounts() -> list[dict[str, str]]:
    return [{"username": "ada", "password": "x"}, {"username": "grace", "full_name": "Grace H."}]


@get("/accounts/wrong", response_model=AccountOut)
async def wrong_account() -> dict[str, str]:
    return {"full_name": "no name"}


@get("/trees/<name>", response_model=Rose | Oak)
async def read_tree(name: str) -> dict[str, Any]:
    return {"kind": "oak", "height": 20} if name == "oak" else {"kind": "rose", "colour": "red"}


@get("/weights")
async def read_weights() -> dict[str, float]:
    return {"foo": 2, "bar": 3.5}


@get("/portal")
async def portal(away: bool = False) -> Response | dict[str, str]:
    if away:
        return redirect("/plants/1", status=307)
    return {"message": "here"}


@get("/plain")
async def plain() -> Response:
    return Response("text", content_type="text/plain; charset=utf-8")


@delete("/plants/<plant_id>", status=204)
async def delete_plant(plant_id: int) -> None:
    return None


@get("/cookie")
async def send_cookie() -> Response:
    response = Response({"message": "seen"}, headers={"X-Cat": "alone"})
    response.set_cookie("seen", "yes", httponly=True, samesite="Lax")
    return response


# Errors


class Wilted(Exception):
    """Raised for a plant that is gone."""

    def __init__(self, name: str) -> None:
        self.name = name


@errorhandler(Wilted)
async def wilted(request: Request, error: Wilted) -> tuple[dict[str, str], int]:
    return {"message": f"{error.name} has wilted"}, 418


@get("/errors/missing")
async def missing() -> NoReturn:
    raise HTTPError(404, "no such plant", headers={"X-Error": "here"})


@get("/errors/wilted/<name>")
async def read_wilted(name: str) -> NoReturn:
    raise Wilted(name)


own = Blueprint("own", prefix="/own-errors")


@own.errorhandler(ValidationError)
async def not_valid(request: Request, error: ValidationError) -> Response:
    return Response(f"{len(error.errors)} faults", 400, content_type="text/plain; charset=utf-8")


@own.get("/<number>")
async def own_errors(number: int, size: int) -> dict[str, int]:
    return {"number": number, "size": size}


# Updates


VISITS: dict[str, Any] = {}


@put("/visits/<name>")
async def put_visit(name: str, visit: Visit) -> dict[str, Any]:
    VISITS[name] = visit.model_dump(mode="json")
    return dict(VISITS[name])


@patch("/visits/<name>")
async def patch_visit(name: str, change: VisitChange) -> Visit:
    if name not in VISITS:
        raise HTTPError(404, "no such visit")
    stored = Visit(**VISITS[name])
    changed = stored.model_copy(update=change.model_dump(exclude_unset=True))
    VISITS[name] = changed.model_dump(mode="json")
    return changed


# Dependencies, security, middleware, routers, background tasks


@dataclass
class Paging:
    """The parameters that several handlers share."""

    q: str | None = None
    skip: int = 0
    limit: int = 100


@get("/depends")
async def depends(page: Annotated[Paging, Query()]) -> Paging:
    return page


def token_of(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise HTTPError(401, "Not authenticated", {"WWW-Authenticate": "Bearer"})
    return token


@get("/secure")
async def secure(request: Request) -> dict[str, str]:
    return {"token": token_of(request)}


@middleware
async def add_header(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers["X-Garden"] = request.method
    return response


router = Blueprint("tools", prefix="/tools")


@router.before_request
async def need_token(request: Request) -> None:
    if request.headers.get("x-token") != "watering-can":
        raise HTTPError(400, "the token is wrong")


@router.get("/", tags=["tools"])
async def tools() -> list[str]:
    return ["spade", "rake"]


@router.get("/<tool_id>", tags=["tools"])
async def tool(tool_id: str) -> dict[str, str]:
    return {"tool": tool_id}


SENT: list[str] = []


def send_mail(address: str, text: str = "") -> None:
    SENT.append(f"{address}: {text}")


@post("/notify/<address>")
async def notify(address: str) -> dict[str, str]:
    background(send_mail, address, text="it rains")
    return {"message": "sent later"}
