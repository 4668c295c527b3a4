"""The soak in its shortest form: three nodes, everything that can break breaks, and the judge finds nothing."""

from __future__ import annotations

import pytest

from loadtests.soak import run

SEED = 10650  # MongoDB killed, Redis killed, answers lost, a node killed, and what else the seconds hold


@pytest.mark.slow
async def test_some_seconds_of_everything_breaking_lose_nothing() -> (
    None
):  # req I4, acceptance 28 (and 1 to 7, 9 to 12)
    result = await run(9, 9, SEED, 3, tell=False)
    print(f"{result.acked} acked in {result.tries} tries, {result.connections} connections, {dict(result.faults)}")
    assert result.wrong == []
    assert result.faults.total() >= 2
    assert result.acked > 50
