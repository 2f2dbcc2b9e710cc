"""The OpenAPI 3.1 document of a generation: what its routes take and return.

In the order of use: `schemas` describes a type, `named_types` the classes with names, and
`by_pydantic` those of pydantic; `inputs` and `outputs` describe a request and its responses,
`operations` a route, and `document` all of them. `project` reads the title. Never runs a handler.
"""
