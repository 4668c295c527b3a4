"""Faults of the driver: what they mean for a caller, and one line for an operator without the URI's secrets."""

from __future__ import annotations

import re

from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from octshop_rt.core.errors import Busy, UnknownOutcome
from octshop_rt.core.settings import SettingsError

_OUT_OF_DISK = 14031  # refused before anything was written
_QUOTED = re.compile(r"""["'][^"']*["']""")


def outcome(fault: PyMongoError, *, write: bool) -> Busy | UnknownOutcome | None:
    """Ours where it says whether to try again."""
    away = fault.timeout or isinstance(fault, ConnectionFailure | WTimeoutError) or _unsure(fault)
    if fault.has_error_label("UnknownTransactionCommitResult") or (away and write):
        return UnknownOutcome()
    full = isinstance(fault, OperationFailure) and fault.code == _OUT_OF_DISK
    if away or full or fault.has_error_label("TransientTransactionError"):
        return Busy()
    return None


def _unsure(fault: PyMongoError) -> bool:
    """Whether a write of many was done and not seen by the majority in time."""
    return isinstance(fault, BulkWriteError) and bool((fault.details or {}).get("writeConcernErrors"))


def reason(fault: BaseException) -> str | None:
    """Why MongoDB could not be used, if that is what `fault` or its cause says."""
    while not isinstance(fault, PyMongoError):
        if fault.__cause__ is None:
            return None
        fault = fault.__cause__
    if isinstance(fault, OperationFailure):
        return str((fault.details or {}).get("errmsg") or fault)
    return re.split(r" \(configured timeouts|, Timeout: |, Topology Description", str(fault))[0]


def senseless(fault: ConfigurationError | ValueError) -> SettingsError:
    """A URI the driver does not understand. What it quotes of it may be the password."""
    return SettingsError(f"settings: a URI of [mongo] is not valid: {_QUOTED.sub('…', str(fault))}")


def host(uri: str) -> str:
    """Where a URI leads to; never its user, password or options."""
    return re.split(r"[/?]", uri.rpartition("://")[2].rpartition("@")[2])[0] or "?"
