"""The OpenAPI 3.1 document of a generation: the parameters, bodies and responses of its routes.

In the order of use: `schemas` describes a type, with `scalars`, `choices`, `fields` and
`by_pydantic`, and `components` names the classes; `inputs` and `outputs` describe a request and its
responses, `operations` a route, and `document` all of them. `project` reads the title, `check`
finds a model that has no schema, and `pages` responds with the document. Never runs a handler.
"""
