"""Runs the applications of other frameworks: ASGI 3 on the loop, WSGI on the dispatch workers.

Owns one host for each mount. Never matches a path, and never decides when code loads or ends.
"""
