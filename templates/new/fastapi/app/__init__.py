"""An API of FastAPI. It does not depend on its server."""
