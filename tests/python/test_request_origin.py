"""Where a request comes from: its client, its scheme and its host."""

from __future__ import annotations

import copy
import json

from snaxum import ClientAddress, Request


def test_a_request_of_a_unit_test_comes_from_this_machine() -> None:
    request = Request.build()
    assert (request.client, request.scheme, request.host) == ("127.0.0.1", "http", "testserver")
    request = Request.build(
        client="2001:db8::1", scheme="https", headers={"Host": "a.example:8443"}
    )
    assert (request.client, request.scheme) == ("2001:db8::1", "https")
    assert request.host == "a.example:8443"
    assert Request.build(client=None, form={"a": 1}).client is None


def test_the_address_of_a_client_is_a_text_with_a_port() -> None:
    address = ClientAddress("203.0.113.9", 4711)
    assert address == "203.0.113.9" == address.host == f"{address}"
    assert type(address.host) is str
    assert address.port == 4711
    assert copy.deepcopy(address).port == 4711
    assert json.dumps({"client": address}) == '{"client": "203.0.113.9"}'
