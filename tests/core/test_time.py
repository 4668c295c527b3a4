"""The store's time is the time: however wrong a machine's own clock is, and whatever the network does meanwhile."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from octshop_rt.cli.doctor import clock_sight
from octshop_rt.core.clock import HOUR, SECOND, StoreClock, wall_ms
from octshop_rt.core.metrics import Metrics
from octshop_rt.core.mongo import Database
from octshop_rt.core.storetime import StoreTime

STORE = 1_790_000_000_000  # the store's time at 0 of the steady clock


class Machine:
    """Its steady clock moves when it is told to; its own idea of the time is another matter."""

    def __init__(self, wrong_by: int = 0) -> None:
        self.steady = 0
        self.wrong_by = wrong_by
        self.store_wrong_by = 0
        self.clock = StoreClock(lambda: STORE + self.steady + self.wrong_by, lambda: self.steady)

    @property
    def store(self) -> int:
        return STORE + self.steady + self.store_wrong_by

    def ask(self, there: int, back: int) -> None:
        asked = self.steady
        self.steady += there
        told = self.store
        self.steady += back
        self.clock.hear(asked, self.steady, told)


def test_before_it_has_heard_it_is_the_machines_own_and_then_the_stores() -> None:
    machine = Machine(HOUR)
    assert machine.clock.now() == STORE + HOUR
    machine.ask(1, 1)
    assert machine.clock.now() == machine.store, "an hour of the machine's own is not worked off, it is forgotten"
    assert machine.clock.skew_ms == HOUR


def test_the_shortest_way_is_believed_until_the_store_itself_is_set() -> None:
    machine = Machine()
    machine.ask(1, 1)
    for _ in range(3):
        machine.steady += 10 * SECOND
        machine.ask(3_000, 0)  # the loop was busy before it asked
        assert abs(machine.clock.now() - machine.store) <= 1
    machine.store_wrong_by = 40 * SECOND
    machine.ask(2, 2)
    assert machine.clock.now() == machine.store


def test_nobody_who_sets_the_machines_clock_moves_it() -> None:
    machine = Machine()
    machine.ask(1, 1)
    machine.wrong_by = -HOUR
    machine.steady += 5 * SECOND
    assert machine.clock.now() == machine.store


@given(
    st.lists(
        st.tuples(st.integers(0, 20_000), st.integers(0, 4_000), st.integers(0, 4_000), st.integers(-HOUR, HOUR)),
        max_size=30,
    )
)
def test_it_never_steps_back_and_comes_to_the_stores_time(rounds: list[tuple[int, int, int, int]]) -> None:
    machine = Machine(-HOUR)
    machine.ask(1, 1)
    last = machine.clock.now()
    for waits, there, back, machine.store_wrong_by in rounds:
        for _ in range(3):
            machine.steady += waits // 3
            assert machine.clock.now() >= last
            last = machine.clock.now()
        machine.ask(there, back)
        assert machine.clock.now() >= last
        last = machine.clock.now()
    machine.ask(0, 0)
    machine.steady += 8 * HOUR  # half speed: twice as long as it can have been ahead
    assert abs(machine.clock.now() - machine.store) <= 25, "what a good answer leaves open"


async def test_a_machine_that_is_wrong_is_told_so_once_and_counted(db: Database) -> None:
    wrong_by = HOUR
    metrics = Metrics()
    clock = StoreClock(lambda: wall_ms() + wrong_by)
    time = StoreTime(db, clock, metrics)
    with capture_logs() as logs:
        await time.start()
        await time.stop()
    assert abs(clock.now() - wall_ms()) < SECOND
    assert [one["log_level"] for one in logs if "clock" in one["event"]] == ["warning"]
    assert abs(logs[0]["ahead_ms"] - HOUR) < SECOND
    skew = next(line for line in metrics.page()[0].decode().splitlines() if line.startswith("octshop_clock_skew_ms "))
    assert abs(float(skew.split()[1]) - HOUR) < SECOND
    wrong_by = 0
    with capture_logs() as logs:
        await time.look()
    assert [one["log_level"] for one in logs] == ["info"]


def test_the_doctor_worries_about_a_clock_that_is_wrong_and_no_other() -> None:
    assert clock_sight(-4_900).grade == clock_sight(5_000).grade == "ok"
    ahead, behind = clock_sight(HOUR), clock_sight(-HOUR)
    assert ahead.grade == behind.grade == "note", "servers follow the store: it endangers nothing"
    assert "3600.0" in ahead.words and "3600.0" in behind.words and ahead.words != behind.words
