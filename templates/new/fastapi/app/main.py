"""The application."""

from fastapi import FastAPI

from app import items

app = FastAPI(title="project-name")
app.include_router(items.router)


@app.get("/")
def index() -> dict[str, str]:
    """Greet."""
    return {"message": "Hello from FastAPI"}


@app.get("/health")
def health() -> dict[str, str]:
    """Respond to the health check of the container."""
    return {"status": "ok"}
