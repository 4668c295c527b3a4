"""One town a test, on its own database, clock and simulated channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from octshop_rt.core.clock import TestClock
from octshop_rt.core.mongo import Database
from octshop_rt.sandbox.server import Sandbox
from tests.aftersale.town import Town, living


@pytest.fixture(scope="session")
def channel_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RSA keys are slow to make: one set a session."""
    folder = tmp_path_factory.mktemp("channel")
    sandbox = Sandbox(folder, TestClock(), production=False)
    sandbox.merchant("1900000109", "wx1900000109", "豆芽咖啡")
    sandbox.bank.close()
    return folder / "keys"


@pytest.fixture
async def town(db: Database, clock: TestClock, channel_keys: Path, tmp_path: Path) -> AsyncIterator[Town]:
    async with living(db, clock, channel_keys, tmp_path) as one:
        yield one
