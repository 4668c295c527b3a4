"""What the benches tell: aims on median and worst, a well-formed picture, and no peer beaten that did not run."""

from __future__ import annotations

import argparse
import os
import xml.etree.ElementTree as ET

from loadtests import chart, im_peers, im_send, talk
from loadtests.peers.ejabberd import Ejabberd
from loadtests.peers.xmpp import XmppSide
from loadtests.report import of_runs


def test_runs_are_told_as_median_and_worst_and_both_are_held_to_the_aim() -> None:
    rates = of_runs("sends", [7_000, 5_000, 9_000], "/s", least=6_000, stretch=9_000)
    assert [(one.name, one.value, one.ok) for one in rates] == [
        ("sends, median of 3", 7_000, True), ("sends, worst of 3", 5_000, False),
    ]  # fmt: skip
    assert rates[0].aim == ">= 6000 (9000)"
    waits = of_runs("p99", [20, 30, 10], "ms", most=25)
    assert [(one.value, one.ok) for one in waits] == [(20, True), (30, False)]
    costs = of_runs("CPU", [20, 30, 10], "us", bigger=False)
    assert [(one.value, one.ok, one.aim) for one in costs] == [(20, None, ""), (30, None, "")]


def test_a_peer_that_did_not_run_is_said_so_and_never_beaten() -> None:
    ours = im_peers.Seen(im_peers.Ours("mongodb://unused"), rates=[8_000.0, 8_200.0], server_us=[1.0], client_us=[1.0])
    peer = im_peers.Seen(Ejabberd(), not_run="no apt-get here")
    chosen = argparse.Namespace(pairs=200, runs=2)
    figures = im_peers.told([ours, peer], chosen)
    about = [one for one in figures if "ejabberd" in one.name]
    assert [one.name for one in about] == [
        "ejabberd: not run: no apt-get here", "octshop-rt beside ejabberd: not run, so not judged",
    ]  # fmt: skip
    assert all(one.ok is None for one in about)
    peer = im_peers.Seen(Ejabberd(), rates=[1_000.0, 4_000.0], server_us=[1.0], client_us=[1.0])
    beside = [one for one in im_peers.told([ours, peer], chosen) if "beside" in one.name]
    assert [(round(one.value, 3), one.ok) for one in beside] == [(5.025, True), (2.05, False)]


def test_the_picture_is_well_formed_and_says_what_is_missing() -> None:
    bars = [
        chart.Bar(name="a & b", high=6_000, words="6,000/s", ours=True),
        chart.Bar(name="range", low=0.5, high=40, words="0.5 to 40 ms"),
        chart.Bar(name="gone", missing="not run: <no registry>"),
    ]
    root = ET.fromstring(chart.draw([chart.Panel(title="t", note="n", bars=bars)], ["foot"]))
    words = "".join(root.itertext())
    assert "a & b" in words
    assert "not run: <no registry>" in words
    rects = [one for one in root.iter() if one.tag.endswith("rect")][1:]
    assert len(rects) == 2
    assert all(float(one.get("width", "0")) > 0 for one in rects)
    chart.draw([chart.Panel(title="nothing", note="", bars=[])], [])


def test_the_xmpp_client_counts_what_was_handled_and_finds_its_messages_in_pieces() -> None:
    side, sent = XmppSide("a00000"), list[str]()

    def _write(words: str) -> None:
        sent.append(words)

    side._write = _write
    side.say("a00000b00000", "0123456789abcdef")
    side._counting = True
    arrived = (
        b"<r xmlns='urn:xmpp:sm:3'/><message to='a' id='mfedcba9876543210'><body>x</body>"
        b"<stanza-id id='1234567890123456'/></message><a h='1' xmlns='urn:xmpp:sm:3'/>"
    )
    for at in range(0, len(arrived), 7):
        side.data_received(arrived[at : at + 7])
    assert set(side.got) == {"fedcba9876543210"}
    assert set(side.acked) == {"0123456789abcdef"}
    assert "0123456789abcdef" in sent[0]


async def test_the_bench_of_chat_runs_against_the_node_as_it_is_now(mongo_uri: str) -> None:
    async with im_send.stage(mongo_uri, f"{im_send.PREFIX}{os.getpid()}", range(2)) as (db, sessions):
        async with im_send.server("chat", mongo_uri, prefix=f"{im_send.PREFIX}{os.getpid()}") as (port, _):
            made = await im_send.pairs(port, sessions, 2)
            await talk.closed_loop(made, 0.2)
            waits = await talk.open_loop(made, 20, 0.5)
            for one, two, _ in made:
                one.link.close()
                two.link.close()
        assert len(waits) == 10
        assert await im_send.audit(db, made) == sum(len(one.acked) + len(two.acked) for one, two, _ in made) > 10
