//! FastAPI, Starlette, Litestar, Quart and BlackSheep.

use reqwest::Method;
use serde_json::json;

use super::{Socket, change, edit, raises, request_of, route, world};
use crate::scenarios::world::World;
use crate::support::{in_time, send};

const FASTAPI: &str = r#"
from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse

import bell
from items import router

VERSION = 1

@asynccontextmanager
async def lifespan(app):
    print("started", VERSION, flush=True)
    yield {"version": VERSION}
    print("ended", VERSION, flush=True)

app = FastAPI(lifespan=lifespan)
app.include_router(router, prefix="/items")

@app.get("/events")
async def events():
    async def parts():
        yield f"data: {VERSION}\n\n"
        await bell.RING.wait()
        yield f"data: {VERSION} again\n\n"
    return StreamingResponse(parts(), media_type="text/event-stream")

@app.get("/ring")
async def ring():
    bell.RING.set()
    return VERSION

@app.websocket("/echo")
async def echo(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"{VERSION} {text}")

@app.get("/raises")
async def fails():
    number = 41
    raise LookupError("it went wrong")
"#;

const ITEMS: &str = r#"
from fastapi import APIRouter
from sqlalchemy import select

from models import Item, Row, Session

router = APIRouter()

@router.post("/")
def create(item: Item) -> Item:
    with Session.begin() as session:
        session.add(Row(name=item.name))
    return item

@router.get("/")
def names() -> list[str]:
    with Session() as session:
        return list(session.scalars(select(Row.name)))
"#;

const MODELS: &str = r#"
from pydantic import BaseModel, Field
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from sqlalchemy.pool import StaticPool

from snaxum import keep

class Item(BaseModel):
    name: str = Field(max_length=5)

class Base(DeclarativeBase):
    pass

class Row(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

engine = keep("engine", lambda: create_engine(
    "sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool))
Base.metadata.create_all(engine)
Session = sessionmaker(engine)
"#;

const BELL: &str = "import asyncio\n\nRING = asyncio.Event()\n";

#[tokio::test]
#[ignore = "installs frameworks: `just test-frameworks` runs it"]
async fn fastapi_with_routers_models_sqlalchemy_streams_and_websockets() {
    let files =
        [("main.py", FASTAPI), ("items.py", ITEMS), ("models.py", MODELS), ("bell.py", BELL)];
    let mut world = world(&files, "main:app").await;
    let create = async |world: &World, name: &str| {
        send(world.server.request(Method::POST, "/items/").json(&json!({"name": name})))
            .await
            .status
    };
    assert_eq!(create(&world, "apple").await, 200);
    assert_eq!(create(&world, "too long").await, 422);
    assert_eq!(world.get("/items/").await.json(), json!(["apple"]));
    let row = route(&world, "/items/").await;
    assert_eq!((&row["file"], &row["line"]), (&json!("items.py"), &json!(9)), "{row}");
    raises(&world, "/raises", "LookupError", "main.py").await;
    assert_eq!(request_of(&world, "/items/").await["route"], "/items/");

    let mut socket = Socket::open(&world.server, "/echo", "").await;
    assert_eq!(socket.exchange("a").await, "1 a");
    let mut events =
        world.server.request(Method::GET, "/events").send().await.expect("it responds");
    let first = in_time("an event", events.chunk()).await.expect("it is sent").expect("a chunk");
    assert_eq!(first, "data: 1\n\n");

    // A model, its table and its router; the rows are in the database that `keep` stores.
    assert_eq!(
        edit(&mut world, "models.py", "max_length=5", "max_length=9").await.ran(),
        ["models", "items", "main"]
    );
    assert_eq!(create(&world, "too long").await, 200);
    assert_eq!(world.get("/items/").await.json(), json!(["apple", "too long"]));
    // A route.
    let added = "\n@router.get('/count')\ndef count() -> int:\n    return len(names())\n";
    edit(&mut world, "items.py", "\n@router.get(\"/\")", &format!("{added}\n@router.get(\"/\")"))
        .await
        .ran();
    assert_eq!(world.text("/items/count").await, "2");
    assert!(world.text("/openapi.json").await.contains("/items/count"));
    // A mistake.
    assert!(
        edit(&mut world, "items.py", "-> int:", "-> int").await.failure().contains("SyntaxError")
    );
    assert_eq!(world.text("/items/count").await, "2");
    edit(&mut world, "items.py", "-> int", "-> int:").await;
    // The application.
    assert_eq!(edit(&mut world, "main.py", "VERSION = 1", "VERSION = 2").await.ran(), ["main"]);
    assert_eq!(world.text("/ring").await, "2");
    assert_eq!(in_time("the rest", events.text()).await.expect("a text"), "data: 1 again\n\n");
    assert_eq!(socket.exchange("b").await, "1 b", "it stays on its code");
    let mut second = Socket::open(&world.server, "/echo", "").await;
    assert_eq!(second.exchange("b").await, "2 b");
    drop(socket);
    world.server.out.wait_for("ended 1").await;
}

const STARLETTE: &str = r#"
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

templates = Jinja2Templates("templates")

def page(request):
    return templates.TemplateResponse(request, "page.html", {"title": "first"})

class Things(HTTPEndpoint):
    async def get(self, request):
        return PlainTextResponse(f"thing {request.path_params['number']}")

class Echo(WebSocketEndpoint):
    encoding = "text"
    async def on_receive(self, websocket, data):
        await websocket.send_text("got " + data)

def fails(request):
    number = 41
    raise LookupError("it went wrong")

app = Starlette(routes=[
    Route("/", page),
    Route("/things/{number:int}", Things),
    Route("/raises", fails),
    WebSocketRoute("/echo", Echo),
    Mount("/static", StaticFiles(directory="static")),
], middleware=[Middleware(GZipMiddleware)])
"#;

#[tokio::test]
#[ignore = "installs frameworks: `just test-frameworks` runs it"]
async fn starlette_with_templates_static_files_and_endpoints() {
    let page = "<!doctype html><h1>{{ title }}</h1>";
    let files =
        [("main.py", STARLETTE), ("templates/page.html", page), ("static/site.css", "a {}")];
    let mut world = world(&files, "main:app").await;
    assert!(world.text("/").await.contains("<h1>first</h1>"));
    assert_eq!(world.text("/things/3").await, "thing 3");
    assert_eq!(world.text("/static/site.css").await, "a {}");
    let mut socket = Socket::open(&world.server, "/echo", "").await;
    assert_eq!(socket.exchange("a").await, "got a");
    assert_eq!(route(&world, "/things/{number:int}").await["handler"], "main.Things");
    raises(&world, "/raises", "LookupError", "main.py").await;

    edit(&mut world, "main.py", "thing {", "number {").await.ran();
    assert_eq!(world.text("/things/3").await, "number 3");
    // A template runs nothing.
    let generation = world.status().await["generation"].clone();
    change(&world, "templates/page.html", "<h1>", "<h1 class=x>");
    assert!(world.text("/").await.contains("<h1 class=x>first</h1>"));
    assert_eq!(world.status().await["generation"], generation);
    change(&world, "static/site.css", "a {}", "b {}");
    assert_eq!(world.text("/static/site.css").await, "b {}");
    assert_eq!(socket.exchange("b").await, "got b");
}

const LITESTAR: &str = r#"
from dataclasses import dataclass

from litestar import Controller, Litestar, get, post, websocket_listener

VERSION = 1

@dataclass
class Item:
    name: str

class Items(Controller):
    path = "/items"

    @get("/{number:int}")
    async def one(self, number: int) -> Item:
        return Item(f"item {number}")

    @post("/")
    async def create(self, data: Item) -> Item:
        return data

@get("/raises")
async def fails() -> None:
    number = 41
    raise LookupError("it went wrong")

@websocket_listener("/echo")
async def echo(data: str) -> str:
    return f"{VERSION} {data}"

app = Litestar([Items, fails, echo])
"#;

#[tokio::test]
#[ignore = "installs frameworks: `just test-frameworks` runs it"]
async fn litestar_with_a_controller_and_a_listener() {
    let mut world = world(&[("main.py", LITESTAR)], "main:app").await;
    assert_eq!(world.get("/items/3").await.json(), json!({"name": "item 3"}));
    let bad = world.server.request(Method::POST, "/items").json(&json!({"title": 1}));
    assert_eq!(send(bad).await.status, 400);
    let mut socket = Socket::open(&world.server, "/echo", "").await;
    assert_eq!(socket.exchange("a").await, "1 a");
    let row = route(&world, "/items/{number:int}").await;
    assert_eq!((&row["file"], &row["line"]), (&json!("main.py"), &json!(15)), "{row}");
    raises(&world, "/raises", "LookupError", "main.py").await;

    edit(&mut world, "main.py", "item {", "number {").await.ran();
    assert_eq!(world.get("/items/3").await.json(), json!({"name": "number 3"}));
    edit(&mut world, "main.py", "VERSION = 1", "VERSION = 2").await.ran();
    assert_eq!(socket.exchange("b").await, "1 b");
}

const QUART: &str = r#"
from quart import Quart, render_template, request, websocket

from shop import shop

app = Quart(__name__)
app.register_blueprint(shop, url_prefix="/shop")

@app.get("/")
async def index():
    return await render_template("page.html", title="first")

@app.get("/raises")
async def fails():
    number = 41
    raise LookupError("it went wrong")

@app.websocket("/echo")
async def echo():
    while True:
        await websocket.send("got " + await websocket.receive())

@app.before_serving
async def begin():
    print("started", flush=True)

@app.after_serving
async def end():
    print("ended", flush=True)
"#;

const SHOP: &str = r#"
from quart import Blueprint, request

shop = Blueprint("shop", __name__)

@shop.post("/<int:number>")
async def buy(number):
    form = await request.form
    return {"bought": number, "by": form["by"]}
"#;

#[tokio::test]
#[ignore = "installs frameworks: `just test-frameworks` runs it"]
async fn quart_with_a_blueprint_templates_and_a_websocket() {
    let page = "<!doctype html><h1>{{ title }}</h1>";
    let files = [("main.py", QUART), ("shop.py", SHOP), ("templates/page.html", page)];
    let mut world = world(&files, "main:app").await;
    let buy = async |world: &World| {
        let form = world.server.request(Method::POST, "/shop/3").body("by=me");
        send(form.header("content-type", "application/x-www-form-urlencoded")).await.json()
    };
    assert!(world.text("/").await.contains("<h1>first</h1>"));
    assert_eq!(buy(&world).await, json!({"bought": 3, "by": "me"}));
    let mut socket = Socket::open(&world.server, "/echo", "").await;
    assert_eq!(socket.exchange("a").await, "got a");
    let row = route(&world, "/shop/<int:number>").await;
    assert_eq!((&row["file"], &row["line"]), (&json!("shop.py"), &json!(6)), "{row}");
    raises(&world, "/raises", "LookupError", "main.py").await;

    edit(&mut world, "shop.py", "bought", "sold").await.ran();
    assert_eq!(buy(&world).await, json!({"sold": 3, "by": "me"}));
    change(&world, "templates/page.html", "<h1>", "<h1 class=x>");
    edit(&mut world, "main.py", "title=\"first\"", "title=\"second\"").await.ran();
    assert!(world.text("/").await.contains("<h1 class=x>second</h1>"));
    assert_eq!(socket.exchange("b").await, "got b");
    drop(socket);
    world.server.out.wait_for("ended").await;
}

const BLACKSHEEP: &str = r#"
from dataclasses import dataclass

from blacksheep import Application, FromJSON, WebSocket, get, json, post, text, ws

app = Application()

@dataclass
class Item:
    name: str

@get("/items/{int:number}")
async def item(number: int):
    return text(f"item {number}")

@post("/items")
async def create(data: FromJSON[Item]):
    return json(data.value)

@get("/raises")
async def fails():
    number = 41
    raise LookupError("it went wrong")

@ws("/echo")
async def echo(websocket: WebSocket):
    await websocket.accept()
    while True:
        await websocket.send_text("got " + await websocket.receive_text())
"#;

#[tokio::test]
#[ignore = "installs frameworks: `just test-frameworks` runs it"]
async fn blacksheep_with_its_module_level_routes() {
    let world = world(&[("main.py", BLACKSHEEP)], "main:app").await;
    assert_eq!(world.text("/items/3").await, "item 3");
    let created =
        send(world.server.request(Method::POST, "/items").json(&json!({"name": "a"}))).await;
    assert_eq!(created.json(), json!({"name": "a"}));
    let mut socket = Socket::open(&world.server, "/echo", "").await;
    assert_eq!(socket.exchange("a").await, "got a");
    raises(&world, "/raises", "LookupError", "main.py").await;

    // Its router is that of the process, so a change is a new process.
    change(&world, "main.py", "item {", "number {");
    world.until("/items/3", |text| text == "number 3").await;
    change(&world, "main.py", "\"/items/{int", "\"/things/{int");
    world.until("/things/3", |text| text == "number 3").await;
    assert_eq!(world.get("/items/3").await.status, 404, "the old route is gone");
}
