"""Everything that only dev mode and error reports need.

- `traceback`, `locals`, `repr_timeout`: an exception as plain data
- `output`, `redact`: printed lines; secrets in them
- `route_lookup`, `snapshot`: the data for the console's views
"""
