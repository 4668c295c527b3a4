"""What a person says passes the guard before it is stored; what was stored before passes always."""

from __future__ import annotations

from octshop_rt.core.auth.model import Buyer
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import rules, store
from octshop_rt.im.conversation.model import Conversation, Entry, Party
from octshop_rt.im.guard import rules as guard_rules
from octshop_rt.im.guard.model import Saying
from octshop_rt.im.guard.service import Guard
from octshop_rt.im.wire.fields import Body, Side
from octshop_rt.im.wire.incoming import Send


def saying(conversation: Conversation, f: str, side: Side, body: Body, who: Party | None = None) -> Saying:
    """What is said, in the guard's terms; `who` says it now."""
    buyer = who if isinstance(who, Buyer) else None
    return Saying(
        shop_id=conversation.shop_id,
        c=conversation.id,
        buyer_id=conversation.buyer_id,
        side=side,
        f=f,
        texts=rules.readable(body),
        was=buyer.was if buyer else (),
        guest=guard_rules.guest(buyer) if buyer else None,
    )


async def vetted(
    db: Database, guard: Guard, conversation: Conversation, who: Party, side: Side, frame: Send, body: Body
) -> Body:
    """The body that may be stored, perhaps with stars. The guard's refusals fly out.

    A repetition of what is stored gets what is stored: rules may have changed between the two, and a message must not
    be refused for being repeated by a client that lost our answer.
    """
    f = who.person_id
    said = saying(conversation, f, side, body, who)
    try:
        judged = await guard.judge(said)
        await guard.not_too_much(said)
    except DomainError:
        stored = await store.by_client_id(db, frame.c, f, frame.m)
        if stored is None or not _same(stored, frame, (body,)):
            raise
        return stored.b
    if not judged.masked:
        return body
    starred = rules.reworded(body, judged.texts)
    stored = await store.by_client_id(db, frame.c, f, frame.m)
    return stored.b if stored is not None and _same(stored, frame, (body, starred)) else starred


def _same(stored: Entry, frame: Send, bodies: tuple[Body, ...]) -> bool:
    """Whether the stored entry is this very message, as it is or with stars: as long, and the same but for them."""
    return any(stored.h == rules.fingerprint(frame.k, body, frame.re) or _starred(stored.b, body) for body in bodies)


def _starred(stored: Body, said: Body) -> bool:
    before, now = rules.readable(stored), rules.readable(said)
    return len(before) == len(now) and all(
        len(one) == len(other) and all(a in (b, "*") for a, b in zip(one, other, strict=True))
        for one, other in zip(before, now, strict=True)
    )
