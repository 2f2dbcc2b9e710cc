"""Validation: the values of a request, converted to the types that a handler declares.

In the order of use: `hints` reads a type, `constraints` its limits; `scalars`, `models` and
`standard` convert with the standard library, `libraries` with msgspec and pydantic, and `engines`
chooses between them; `faults` describes the values that do not fit. Never reads a request.
"""
