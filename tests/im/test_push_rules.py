"""Push, its decisions and its wire: RFC 8291's known answer, which addresses are called, when somebody is told."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from octshop_rt.core.clock import DAY, MINUTE
from octshop_rt.core.settings import PushSettings
from octshop_rt.im.conversation.model import Entry
from octshop_rt.im.push import rules
from octshop_rt.im.push.model import Spell, Standing, Subscription
from octshop_rt.im.push.sealing import Vapid, b64, is_key, raw, seal, unb64
from octshop_rt.im.wire.fields import Body, Role
from octshop_rt.sandbox.push import opened

# Facts: the example of RFC 8291, section 5 and appendix A (Thomson, November 2017).
AS_PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
UA_PRIVATE = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
UA_PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
PLAIN = b"When I grow up, I want to be a watermelon"
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
SERVICES = PushSettings().services
GRACE = 20_000


def key(private: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(unb64(private), "big"), ec.SECP256R1())


def test_the_example_of_rfc_8291_is_sealed_to_the_byte_and_opened():  # req I5
    assert b64(seal(PLAIN, UA_PUBLIC, AUTH, key=key(AS_PRIVATE), salt=unb64(SALT))) == SEALED
    assert opened(unb64(SEALED), key(UA_PRIVATE), unb64(AUTH)) == PLAIN


def test_every_message_is_sealed_anew_and_opens():
    one, other = seal(PLAIN, UA_PUBLIC, AUTH), seal(PLAIN, UA_PUBLIC, AUTH)
    assert one[:86] != other[:86]
    assert opened(one, key(UA_PRIVATE), unb64(AUTH)) == opened(other, key(UA_PRIVATE), unb64(AUTH)) == PLAIN


def test_only_points_of_the_curve_are_keys():
    assert is_key(UA_PUBLIC, AUTH)
    assert not is_key(b64(b"\x04" + b"\x01" * 64), AUTH)
    assert not is_key(UA_PUBLIC, b64(b"short"))


def test_the_identity_is_the_same_after_a_restart():
    one = Vapid(b"\x07" * 48, "mailto:a@b.example")
    assert one.public == Vapid(b"\x07" * 48, "mailto:a@b.example").public != Vapid(b"\x08" * 48, "").public
    assert len(unb64(one.public)) == len(raw(key(AS_PRIVATE).public_key())) == 65


@pytest.mark.parametrize(
    ("endpoint", "may"),
    [
        ("https://fcm.googleapis.com/fcm/send/abc", True),
        ("https://updates.push.services.mozilla.com/wpush/v2/abc", True),
        ("https://wns2-db5p.notify.windows.com/w/?token=a", True),
        ("https://web.push.apple.com/QA", True),
        ("https://fcm.googleapis.com:443/x", True),
        ("http://fcm.googleapis.com/fcm/send/abc", False),
        ("https://fcm.googleapis.com:8443/x", False),
        ("https://fcm.googleapis.com.evil.example/x", False),
        ("https://evilnotify.windows.com/x", False),
        ("https://notify.windows.com/x", False),
        ("https://fcm.googleapis.com@127.0.0.1/x", False),
        ("https://127.0.0.1/x", False),
        ("https://[::1/x", False),
        ("https://fcm.googleapis.com:x/", False),
        ("https://evil.example\\@fcm.googleapis.com/x", False),
        ("http://127.0.0.1:9/push/abc", False),
    ],
)
def test_no_address_but_a_push_services_is_called(endpoint: str, *, may: bool):  # req I5
    assert rules.allowed(endpoint, SERVICES, "") is may


def test_the_simulator_is_called_only_where_it_is():
    assert rules.allowed("http://127.0.0.1:9/push/abc", SERVICES, "http://127.0.0.1:9")
    assert not rules.allowed("http://127.0.0.1:9/admin", SERVICES, "http://127.0.0.1:9")
    assert not rules.allowed("http://127.0.0.1:9/push/../admin", SERVICES, "http://127.0.0.1:9")
    assert not rules.allowed("http://127.0.0.1:99/push/abc", SERVICES, "http://127.0.0.1:9")


def entry(s: int, fr: Role, **more: Any) -> Entry:
    plain = Entry(id=f"E{s}", c="C1", s=s, f=fr, fr=fr, m=f"m{s}", k="text", b=Body(text=f"字{s}"), ts=s, h="")
    return structs.replace(plain, **more)


def spell(**more: Any) -> Spell:
    plain = Spell(
        id="C1:buyer", c="C1", side="buyer", shop_id="S1", buyer_id="U1", s=5, at=0, state="waiting", due_at=0
    )
    return structs.replace(plain, **more)


def test_what_counts_as_unread():  # req I5
    log = [entry(4, "staff"), entry(5, "buyer"), entry(6, "staff"), entry(7, "staff", vis="staff"), entry(8, "bot")]
    log += [entry(9, "staff", rc=1)]
    found = rules.standing("buyer", 3, log)
    assert (found.reached, [one.s for one in found.unread]) == (5, [6])  # own words are read words; notes never count


def test_two_looks_a_grace_apart_must_find_nobody():
    unread = Standing(reached=0, unread=(entry(5, "staff"),))
    first = rules.step(spell(), unread, there=False, at=100, grace_ms=GRACE)
    assert first == "away"
    away = rules.after(spell(), first, at=100, grace_ms=GRACE)
    assert (away.away_at, away.due_at) == (100, 100 + GRACE)
    assert rules.step(away, unread, there=False, at=99 + GRACE, grace_ms=GRACE) == "away"
    assert rules.step(away, unread, there=True, at=100 + GRACE, grace_ms=GRACE) == "later"
    back = rules.after(away, "later", at=100 + GRACE, grace_ms=GRACE)
    assert back.away_at is None
    assert rules.step(away, unread, there=False, at=100 + GRACE, grace_ms=GRACE) == "push"
    assert rules.step(away, Standing(reached=5, unread=()), there=False, at=100 + GRACE, grace_ms=GRACE) == "settle"
    assert rules.step(away, unread, there=False, at=DAY + 1, grace_ms=GRACE) == "settle"


def test_one_push_a_spell_until_it_is_read():
    told = rules.after(spell(), "push", at=9, grace_ms=GRACE)
    assert (told.state, told.told_s, told.due_at) == ("told", 5, None)
    again = rules.heard(told, spell(s=6, at=10, due_at=10))
    assert again is not None
    unread = Standing(reached=4, unread=(entry(5, "staff"), entry(6, "staff")))
    assert rules.step(again, unread, there=False, at=MINUTE, grace_ms=GRACE) == "told already"
    read = Standing(reached=5, unread=(entry(6, "staff"),))
    assert rules.step(again, read, there=False, at=MINUTE, grace_ms=GRACE) == "away"
    assert rules.heard(told, spell(s=5)) is None


def test_no_words_stand_on_a_lock_screen_unless_asked_for():
    to = Subscription(
        id="x", side="buyer", person_id="U1", session_id="N1", endpoint="", p256dh="", auth="", preview=False,
        lang="zh-CN", at=0,
    )  # fmt: skip
    plain = rules.payload(spell(), "店", [entry(5, "staff")], to)
    assert b"text" not in plain
    asked = structs.replace(to, preview=True)
    assert "字5".encode() in rules.payload(spell(), "店", [entry(5, "staff")], asked)
    longest = rules.payload(spell(), "店" * 500, [entry(5, "staff", b=Body(text="字" * 9_000))], asked)
    assert len(longest) < 1_000


@settings(deadline=None)  # a loaded machine is no fault
@given(st.text(), st.text())
def test_topics_are_short_and_of_one_conversation(one: str, other: str):
    topics = {rules.topic(one, "buyer"), rules.topic(one, "staff"), rules.topic(other, "buyer")}
    assert len(topics) == (2 if one == other else 3)
    assert all(len(base64.urlsafe_b64decode(topic)) == 24 and len(topic) == 32 for topic in topics)


def test_a_service_is_asked_again_when_it_says():
    assert rules.retry_ms(0, "7") == 7_000
    assert rules.retry_ms(0, "0") == 1_000
    assert rules.retry_ms(0, "999999999") == 30 * MINUTE
    assert rules.retry_ms(0, "Wed, 21 Oct 2015 07:28:00 GMT") == 5_000
    assert rules.retry_ms(2, None) == 45_000
    assert rules.retry_ms(9, None) == 30 * MINUTE
