"""Tests of user code: pytest in this process, and HTTP without a socket."""
