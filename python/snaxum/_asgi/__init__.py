"""Serves the project as an ASGI 3 application: the requests of another server, for `snaxum.asgi`.

Owns the way of a request to the server in this process, a connection each, and back. That server
does everything else: routes, limits, static files. Never runs a handler.
"""
