"""The address of a client, as a handler reads it.

Owns its type. Never decides whether a proxy is believed (`server/forwarded.rs`).
"""

from __future__ import annotations


class ClientAddress(str):
    """The IP address of a client, as text, with its port.

    `port` is 0 where a proxy reports none.
    """

    __slots__ = ("port",)

    port: int

    def __new__(cls, host: str, port: int = 0) -> ClientAddress:
        """Make the address of `host`, an IPv4 or IPv6 address."""
        address = super().__new__(cls, host)
        address.port = port
        return address

    @property
    def host(self) -> str:
        """The address without the port, as a plain str."""
        return str.__str__(self)
