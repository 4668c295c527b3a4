"""WebSocket close codes, by range of meaning: `stop` tells a client not to come back by itself."""

from __future__ import annotations

from enum import IntEnum


class Close(IntEnum):
    """Why the server closes. The reason text repeats the name."""

    HELLO_TIMEOUT = 4001
    BROKEN_PROTOCOL = 4002
    AUTH_FAILED = 4003
    ACCOUNT_CLOSED = 4004
    TOO_MANY_CONNECTIONS = 4005
    REPLACED = 4006
    IDLE = 4007
    NOT_DRAINING = 4008
    RATE_ABUSE = 4009
    GOING_AWAY = 4010
    INTERNAL = 4011

    @property
    def stop(self) -> bool:
        """Reconnecting would end the same way; a person has to act first."""
        return self in _STOP


_STOP = frozenset({Close.AUTH_FAILED, Close.ACCOUNT_CLOSED, Close.TOO_MANY_CONNECTIONS, Close.REPLACED})
