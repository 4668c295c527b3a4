"""Is the port ours to take? Asked before anything is started, so that a busy port costs one line and no time."""

from __future__ import annotations

import errno
import socket

from octshop_rt.cli.words import PortBusy, PortForbidden


def must_be_free(host: str, port: int, option: str) -> None:
    """PortBusy or PortForbidden, naming the command line option that helps."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            if fault.errno == errno.EADDRINUSE:
                raise PortBusy(port=port, option=option) from None
            raise PortForbidden(host=host, port=port, why=fault.strerror, option=option) from None
