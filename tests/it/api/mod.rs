//! The Python API, as users of Flask and FastAPI expect it: one file an area.

mod blueprints;
