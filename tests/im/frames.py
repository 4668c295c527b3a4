"""One example of every frame of mall.im.v1, for the golden vectors and for fuzzing."""

from __future__ import annotations

import msgpack

from octshop_rt.im.wire import incoming as inc
from octshop_rt.im.wire import outgoing as out
from octshop_rt.im.wire.fields import Body, Context


def packed(value: object) -> bytes:
    """`value` by a msgpack that is not ours."""
    data = msgpack.packb(value, use_bin_type=True)
    assert isinstance(data, bytes)
    return data


C = "C01KAP0000000000000000000A"
S = "S01KAP0000000000000000000B"
U = "U01KAP0000000000000000000D"
AT = 1_790_000_000_000
M = "01kap00000m0000000000000aa"

ENT = out.Ent(c=C, s=7, id="E01", f=U, fr="buyer", m=M, k="text", b=Body(text="在吗?👋"), ts=AT)

TO_SERVER: dict[str, inc.Incoming] = {
    "hello": inc.Hello(v=1, tok="ticket-1", dev="web-7", plat="web", app="1.0", lang="zh-CN", caps=["gap"]),
    "auth": inc.Auth(i=1, tok="ticket-2"),
    "send_text": inc.Send(i=2, c=C, m=M, k="text", b=Body(text="在吗?👋")),
    "send_card": inc.Send(
        i=3,
        c=C,
        m=M,
        k="product",
        b=Body(id="G01", title="双人火锅", price_fen=16_800),
        re=6,
        p="01kap00000m0000000000000ab",
    ),
    "ack": inc.Ack(d={C: 7}),
    "read": inc.Read(c=C, s=7),
    "sync": inc.Sync(i=4, heads={C: 5}, cur="abc", lim=50, per=10),
    "sync_bare": inc.Sync(i=5),
    "pull": inc.Pull(i=6, c=C, from_=3, to=9, n=20, rev=True),
    "typing": inc.Signal(c=C, k="typing"),
    "preview": inc.Signal(c=C, k="preview", d="请问这个"),
    "send_image": inc.Send(i=10, c=C, m=M, k="image", b=Body(file="F01")),
    "recall": inc.Op(i=11, op="recall", c=C, a=inc.OpArgs(s=7)),
    "edit": inc.Op(i=12, op="edit", c=C, a=inc.OpArgs(s=7, text="在吗?请回复")),
    "open": inc.Op(i=7, op="open", a=inc.OpArgs(shop_id=S, ctx=Context(k="product", id="G01", title="双人火锅"))),
    "watch": inc.Sub(i=8, k="till", ids=["T01"]),
    "unwatch": inc.Sub(i=9, k="order", ids=["O01"], on=False),
    "pong": inc.Pong(n=4_294_967_295),
}

TO_CLIENT: dict[str, out.Outgoing] = {
    "welcome": out.Welcome(
        sid="Z01", uid=U, role="buyer", node="a", boot="b1", now=AT, hb=25, tok="resume", resumed=True,
        lim=out.Limits(frame=65_536, out=262_144, window=32, text=10_000),
    ),
    "sent": out.Sent(i=2, c=C, m=M, s=7, ts=AT),
    "sent_again": out.Sent(i=2, c=C, m=M, s=7, ts=AT, dup=True),
    "entry": ENT,
    "void": out.Ent(c=C, s=8, id="E02", f="system", fr="system", m="void-8", k="void", b=Body(), ts=AT, re=1),
    "image": out.Ent(
        c=C, s=9, id="E03", f=U, fr="buyer", m=M, k="image", ts=AT,
        b=Body(file="F01", name="photo.jpg", mime="image/webp", size=48_213, w=1080, h=1440),
    ),
    "edited": out.Ent(
        c=C, s=7, id="E01", f=U, fr="buyer", m=M, k="text", b=Body(text="在吗?请回复"), ts=AT, ed=AT + 9_000
    ),
    "edit_told": out.Ent(
        c=C, s=10, id="E04", f="system", fr="system", m=f"edited-7-{AT + 9_000}", k="event", ts=AT + 9_001,
        b=Body(ev="edited", who=U, s=7, at=AT + 9_000),
    ),
    "recalled": out.Ent(c=C, s=9, id="E03", f=U, fr="buyer", m=M, k="image", b=Body(), ts=AT, rc=AT + 9_000),
    "preview": out.SignalOut(c=C, u=U, fr="buyer", k="preview", d="请问这个"),
    "cursor": out.Cur(c=C, u=U, fr="staff", r=7),
    "delivered": out.Cur(c=C, u=U, fr="buyer", d=7),
    "typing": out.SignalOut(c=C, u=U, fr="staff", k="typing"),
    "gap": out.Gap(heads={C: 9}),
    "synced": out.SyncedPage(
        i=4, done=False, cur="abc", gone=["C02"],
        convs=[
            out.Synced(
                c=C, head=7, read=5, peer_read=7, unread=2, shop_id=S, peer=out.Peer(id=S, name="八爪鱼火锅"),
                more=True, ctx=Context(k="shop", id=S), ents=[ENT],
            )
        ],
    ),
    "pulled": out.Pulled(i=6, c=C, ents=[ENT], min=1, head=7),
    "result": out.Res(i=7, d=out.ResData(c=C)),
    "error": out.Err(i=2, code="im.rate_limited", msg="发送太快,请稍候", retry=True, after=200, c=C, m=M),
    "renewed": out.Res(i=1, d=out.ResData(tok="resume-2")),
    "busy": out.Err(i=2, code="core.busy", msg="系统繁忙", retry=True, after=1_500, c=C, m=M),
    "token_expiring": out.Err(code="im.token_expiring", msg="登录即将到期", retry=True),
    "note": out.Ent(
        c=C, s=11, id="E05", f=U, fr="staff", m=M, k="note", b=Body(text="老顾客"), ts=AT, vis="staff"
    ),
    "ping": out.Ping(n=3, uh=12),
    "goaway": out.Goaway(code="im.draining", after=1_500, by=30_000),
    "kick": out.Kick(code="im.replaced", msg="此设备已在别处打开"),
    "notice": out.NoticeOut(topic="till", id="T01", rev=3, d={"state": "paid"}),
}  # fmt: skip
