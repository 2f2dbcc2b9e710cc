"""An application of 20 modules in FastAPI: `bench/edits.py` writes the package `parts`."""

import greeting
import live
import parts
from fastapi import FastAPI

app = FastAPI()
app.include_router(greeting.router)
app.include_router(live.router)
for router in parts.ROUTERS:
    app.include_router(router)
