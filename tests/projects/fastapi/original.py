"""The endpoints of FastAPI's first steps and user guide, in FastAPI.

`python/garden.py` is the same in Snaxum; `tests/test_responses.py` compares them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import (
    APIRouter,
    BackgroundTasks,
    Depends,
    FastAPI,
    Header,
    HTTPException,
    Path,
    Query,
    Request,
    Response,
)
from fastapi.encoders import jsonable_encoder
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from fastapi.security import OAuth2PasswordBearer
from fastapi.staticfiles import StaticFiles
from models import (
    AccountIn,
    AccountOut,
    Filter,
    Kind,
    Oak,
    Rose,
    Visit,
    VisitChange,
)
from original_sending import router as sending
from pydantic import AfterValidator

app = FastAPI(title="garden")
app.include_router(sending)
app.mount("/static", StaticFiles(directory="static"), name="static")
app.add_middleware(
    CORSMiddleware,
    allow_origins=["https://garden.example"],
    allow_credentials=True,
    allow_methods=["GET", "POST"],
    allow_headers=["X-Token"],
)


# First steps and path parameters


@app.get("/")
async def root() -> Any:
    return {"message": "Good day"}


@app.get("/plants/{plant_id}")
async def read_plant(plant_id: str) -> Any:
    return {"plant_id": plant_id}


@app.get("/beds/{bed_id}")
async def read_bed(bed_id: int) -> Any:
    return {"bed_id": bed_id}


@app.get("/gardeners/me")
async def read_me() -> Any:
    return {"gardener": "yours"}


@app.get("/gardeners/{gardener_id}")
async def read_gardener(gardener_id: str) -> Any:
    return {"gardener": gardener_id}


@app.get("/kinds/{kind}")
async def read_kind(kind: Kind) -> Any:
    return {"kind": kind, "is_tree": kind is Kind.TREE, "text": kind.value}


@app.get("/files/{file_path:path}")
async def read_file(file_path: str) -> Any:
    return {"file_path": file_path}


# Query parameters


@app.get("/list")
async def list_plants(skip: int = 0, limit: int = 10) -> Any:
    return list(range(100))[skip : skip + limit]


@app.get("/optional/{plant_id}")
async def optional(plant_id: str, q: str | None = None, short: bool = False) -> Any:
    return {"plant_id": plant_id, "q": q, "short": short}


@app.get("/needy/{plant_id}")
async def needy(plant_id: str, needed: str, skip: int = 0, limit: int | None = None) -> Any:
    return {"plant_id": plant_id, "needed": needed, "skip": skip, "limit": limit}


@app.get("/texts")
async def texts(
    q: Annotated[str | None, Query(min_length=3, max_length=5, pattern="^[a-z]+$")] = None,
) -> Any:
    return {"q": q}


@app.get("/texts/required")
async def texts_required(q: Annotated[str, Query(min_length=3)]) -> Any:
    return {"q": q}


@app.get("/texts/default")
async def texts_default(q: Annotated[str, Query(min_length=3)] = "rose") -> Any:
    return {"q": q}


@app.get("/texts/many")
async def texts_many(q: Annotated[list[str] | None, Query()] = None) -> Any:
    return {"q": q}


@app.get("/texts/many/default")
async def texts_many_default(q: Annotated[list[str], Query()] = ["a", "b"]) -> Any:  # noqa: B006
    return {"q": q}


@app.get("/texts/alias")
async def texts_alias(
    q: Annotated[str | None, Query(alias="plant-query", title="Query", deprecated=True)] = None,
) -> Any:
    return {"q": q}


def check_id(text: str) -> str:
    if not text.startswith("id-"):
        raise ValueError("an id starts with id-")
    return text


@app.get("/texts/checked")
async def texts_checked(
    q: Annotated[str | None, AfterValidator(check_id)] = None,
) -> Any:
    return {"q": q}


@app.get("/numbers/{number}")
async def numbers(
    *,
    number: Annotated[int, Path(title="A number", ge=1, le=1000)],
    q: str,
    size: Annotated[float, Query(gt=0, lt=10.5)],
) -> Any:
    return {"number": number, "q": q, "size": size}


@app.get("/filtered")
async def filtered(filter: Annotated[Filter, Query()]) -> Any:
    return filter


# Responses


@app.post("/accounts", status_code=201, response_model=AccountOut)
async def create_account(account: AccountIn) -> Any:
    return account


@app.post("/accounts/typed")
async def create_account_typed(account: AccountIn) -> AccountOut:
    return account


@app.get("/accounts/typed")
async def list_accounts_typed() -> list[AccountOut]:
    return [AccountIn(username="ada", password="x"), AccountOut(username="grace")]


@app.get("/accounts", response_model=list[AccountOut])
async def list_accounts() -> Any:
    return [
        {"username": "ada", "password": "x"},
        {"username": "grace", "full_name": "Grace H."},
    ]


@app.get("/accounts/wrong", response_model=AccountOut)
async def wrong_account() -> Any:
    return {"full_name": "no name"}


@app.get("/trees/{name}", response_model=Rose | Oak)
async def read_tree(name: str) -> Any:
    return {"kind": "oak", "height": 20} if name == "oak" else {"kind": "rose", "colour": "red"}


@app.get("/weights")
async def read_weights() -> dict[str, float]:
    return {"foo": 2, "bar": 3.5}


@app.get("/portal")
async def portal(away: bool = False) -> Response:
    if away:
        return RedirectResponse(url="/plants/1")
    return JSONResponse(content={"message": "here"})


@app.get("/plain", response_class=PlainTextResponse)
async def plain() -> Any:
    return "text"


@app.delete("/plants/{plant_id}", status_code=204)
async def delete_plant(plant_id: int) -> None:
    return None


@app.get("/cookie")
async def send_cookie(response: Response) -> Any:
    response.set_cookie("seen", "yes", httponly=True)
    response.headers["X-Cat"] = "alone"
    return {"message": "seen"}


# Errors


class Wilted(Exception):
    """Raised for a plant that is gone."""

    def __init__(self, name: str) -> None:
        self.name = name


@app.exception_handler(Wilted)
async def wilted(request: Request, error: Wilted) -> JSONResponse:
    return JSONResponse({"message": f"{error.name} has wilted"}, status_code=418)


@app.exception_handler(RequestValidationError)
async def not_valid(request: Request, error: RequestValidationError) -> Any:
    if request.url.path.startswith("/own-errors"):
        return PlainTextResponse(f"{len(error.errors())} faults", status_code=400)
    return await request_validation_exception_handler(request, error)


@app.get("/errors/missing")
async def missing() -> Any:
    raise HTTPException(status_code=404, detail="no such plant", headers={"X-Error": "here"})


@app.get("/errors/wilted/{name}")
async def read_wilted(name: str) -> Any:
    raise Wilted(name)


@app.get("/own-errors/{number}")
async def own_errors(number: int, size: int) -> Any:
    return {"number": number, "size": size}


# Updates


VISITS: dict[str, Any] = {}


@app.put("/visits/{name}")
async def put_visit(name: str, visit: Visit) -> Any:
    VISITS[name] = jsonable_encoder(visit)
    return VISITS[name]


@app.patch("/visits/{name}")
async def patch_visit(name: str, change: VisitChange) -> Visit:
    if name not in VISITS:
        raise HTTPException(status_code=404, detail="no such visit")
    stored = Visit(**VISITS[name])
    changed = stored.model_copy(update=change.model_dump(exclude_unset=True))
    VISITS[name] = jsonable_encoder(changed)
    return changed


# Dependencies, security, middleware, routers, background tasks


def paging(q: str | None = None, skip: int = 0, limit: int = 100) -> dict[str, Any]:
    return {"q": q, "skip": skip, "limit": limit}


@app.get("/depends")
async def depends(page: Annotated[dict[str, Any], Depends(paging)]) -> Any:
    return page


oauth2 = OAuth2PasswordBearer(tokenUrl="token")


@app.get("/secure")
async def secure(token: Annotated[str, Depends(oauth2)]) -> Any:
    return {"token": token}


@app.middleware("http")
async def add_header(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers["X-Garden"] = request.method
    return response


async def need_token(x_token: Annotated[str, Header()]) -> None:
    if x_token != "watering-can":
        raise HTTPException(status_code=400, detail="the token is wrong")


router = APIRouter(prefix="/tools", tags=["tools"], dependencies=[Depends(need_token)])


@router.get("/")
async def tools() -> Any:
    return ["spade", "rake"]


@router.get("/{tool_id}")
async def tool(tool_id: str) -> Any:
    return {"tool": tool_id}


app.include_router(router)

SENT: list[str] = []


def send_mail(address: str, text: str = "") -> None:
    SENT.append(f"{address}: {text}")


@app.post("/notify/{address}")
async def notify(address: str, tasks: BackgroundTasks) -> Any:
    tasks.add_task(send_mail, address, text="it rains")
    return {"message": "sent later"}
