"""The rules of one connection, without any network: order, rates, window, silence, and a reader that does not read."""

from __future__ import annotations

import pytest

from octshop_rt.im.session import Closing, Outcome, Policy, Rate, Session, State, TooFast, WindowFull
from octshop_rt.im.wire.closing import Close
from octshop_rt.im.wire.incoming import Ack, Pong, Send
from tests.im.frames import TO_SERVER, C

SEND = TO_SERVER["send_text"]
assert isinstance(SEND, Send)


def opened(policy: Policy | None = None, *, staff: bool = False) -> Session:
    session = Session(policy or Policy(), 0)
    session.greeted(0)
    session.welcomed(staff=staff)
    return session


def test_nothing_before_hello():
    session = Session(Policy(), 0)
    for frame in TO_SERVER.values():
        if isinstance(frame, Pong):
            continue
        with pytest.raises(Closing) as closing:
            session.accept(frame, 1)
        assert closing.value.code is Close.BROKEN_PROTOCOL


def test_hello_comes_once():
    session = opened()
    for again in (lambda: session.greeted(1), lambda: session.accept(TO_SERVER["hello"], 1)):
        with pytest.raises(Closing):
            again()


def test_hello_must_come_in_five_seconds():
    session = Session(Policy(), 0)
    assert not session.overdue_hello(4_999)
    assert session.overdue_hello(5_000)
    assert not opened().overdue_hello(60_000)


def test_small_messages_until_hello_then_64_kib():
    session = Session(Policy(), 0)
    session.bytes_in(4_096)
    with pytest.raises(Closing):
        session.bytes_in(4_097)
    opened().bytes_in(65_536)
    with pytest.raises(Closing):
        opened().bytes_in(65_537)


@pytest.mark.parametrize(("staff", "burst"), [(False, 20), (True, 60)])
def test_sends_have_a_burst_and_a_rate(staff: bool, burst: int):
    session = opened(staff=staff)
    for _ in range(burst):
        session.accept(SEND, 0)
        session.answered()
    with pytest.raises(TooFast) as refusal:
        session.accept(SEND, 0)
    after = int(refusal.value.data["after_ms"])  # type: ignore[call-overload]
    with pytest.raises(TooFast):
        session.accept(SEND, after - 2)
    session.accept(SEND, after)


def test_a_flood_closes_the_connection():
    session = opened(Policy(abuse=3))
    for _ in range(20):
        session.accept(SEND, 0)
        session.answered()
    for _ in range(3):
        with pytest.raises(TooFast):
            session.accept(SEND, 0)
    with pytest.raises(Closing) as closing:
        session.accept(SEND, 0)
    assert closing.value.code is Close.RATE_ABUSE


def test_one_kind_of_frame_does_not_eat_the_rate_of_another():
    session = opened(Policy(send=Rate(1, 1), mark=Rate(1, 1)))
    session.accept(SEND, 0)
    session.accept(TO_SERVER["ack"], 0)
    session.accept(TO_SERVER["read"], 0)
    with pytest.raises(TooFast):  # of its own kind it was the last
        session.accept(SEND, 0)


def test_the_window_holds_unanswered_sends():
    session = opened(Policy(send=Rate(1_000, 1_000), window=2))
    session.accept(SEND, 0)
    session.accept(SEND, 0)
    with pytest.raises(WindowFull):
        session.accept(SEND, 0)
    session.answered()
    session.accept(SEND, 0)


def test_bad_frames_are_forgiven_ten_times():
    session = opened()
    for _ in range(10):
        session.bad_frame(0)
    with pytest.raises(Closing):
        session.bad_frame(0)
    with pytest.raises(Closing):
        Session(Policy(), 0).bad_frame(0)


def test_any_frame_is_a_sign_of_life_and_silence_is_death():
    session = opened()
    session.accept(Pong(n=1), 30_000)
    assert session.tick(88_000) == {}
    with pytest.raises(Closing) as closing:
        session.tick(88_001)
    assert closing.value.code is Close.IDLE


def test_a_slow_reader_is_owed_heads_not_entries():
    session = opened()
    assert session.push(C, 1, 0, 0) is Outcome.WRITE
    assert session.push(C, 2, 262_145, 0) is Outcome.OWE
    assert session.push(C, 3, 0, 0) is Outcome.OWE  # order is kept: not before the GAP
    assert session.push("C2", 9, 300_000, 0) is Outcome.OWE
    assert session.drained(200_000, 10) == {}
    assert session.drained(1_000, 20) == {C: 3, "C2": 9}
    assert session.drained(1_000, 30) == {}
    assert session.push(C, 4, 0, 40) is Outcome.WRITE
    assert session.pushed == 5  # owed ones count: PING tells


def test_slow_is_fine_and_dead_is_not():
    session = opened()
    session.push(C, 1, 400_000, 0)
    for second in range(1, 120):  # one byte a second
        assert session.drained(400_000 - second, second * 1_000) == {}
    with pytest.raises(Closing) as closing:
        session.drained(400_000 - 119, 119_000 + 30_001)
    assert closing.value.code is Close.NOT_DRAINING


def test_who_asks_without_taking_answers_is_not_read():
    session = opened()
    assert not session.must_wait(1_048_576, 0)
    assert session.must_wait(1_048_577, 0)
    assert not session.may_hint(262_145)
    with pytest.raises(Closing):
        session.must_wait(1_048_577, 30_001)


def test_what_is_not_acked_in_five_seconds_is_told_once():
    session = opened()
    session.push(C, 1, 0, 0)
    session.push(C, 2, 0, 0)
    session.push("C2", 5, 0, 0)
    session.accept(Ack(d={C: 2}), 1_000)
    session.acked({C: 1, "C2": 5}, 1_000)
    assert session.tick(5_500) == {}  # the ack of 1 moved the time
    assert session.tick(6_001) == {C: 2}
    assert session.tick(12_000) == {}
    assert session.state is State.OPEN
