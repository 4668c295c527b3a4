"""Fixtures of the write-off tests."""

from __future__ import annotations

import pytest

from octshop_rt.core.clock import TestClock
from octshop_rt.core.mongo import Database
from tests.verify.desk import House


@pytest.fixture
async def house(db: Database, clock: TestClock) -> House:
    """A shop on an empty database."""
    return House(db, clock)
