"""Writes a scripted day into the log and the desk's rows: cases with their steps and lines, at moments of the clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from octshop_rt.core.auth.model import Right, ShopStaff
from octshop_rt.core.clock import SHANGHAI, TestClock, from_datetime
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.im.conversation import store as log_store
from octshop_rt.im.conversation.model import Conversation, Entry
from octshop_rt.im.conversation.rules import fingerprint
from octshop_rt.im.desk import shift_store
from octshop_rt.im.desk import store as desk_store
from octshop_rt.im.desk.model import Agent, AgentStatus, Case, Shift, Step
from octshop_rt.im.wire.fields import Body, EntryKind, Role

SHOP = "S1"
DAY = "2026-03-02"
Stage = Literal["new", "bot", "queued", "human", "ended"]
ShiftNow = AgentStatus | Literal["gone", "back"]


def at(clock: str, day: str = DAY) -> int:
    """Milliseconds of HH:MM:SS in Shanghai."""
    return from_datetime(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=SHANGHAI))


def staff(person: str = "U-boss", *rights: Right, shop_id: str = SHOP) -> ShopStaff:
    return ShopStaff(
        session_id="N1", person_id=person, name=person, merchant_id="M1", shop_id=shop_id, branch_id=None,
        rights=frozenset(rights or (Right.CHAT, Right.MANAGE, Right.ORDERS)),
    )  # fmt: skip


class Script:
    """One shop's day."""

    def __init__(self, db: Database, shop_id: str = SHOP) -> None:
        self.db = db
        self.shop_id = shop_id
        self.heads: dict[str, int] = {}

    async def agents(self, **groups: str) -> None:
        """person=group"""
        for person, group in groups.items():
            await desk_store.AGENTS.insert(
                self.db,
                Agent(
                    id=f"{self.shop_id}:{person}", shop_id=self.shop_id, person_id=person, name=f"客服{person}",
                    status="online", status_at=1, seen_at=1, cap=5, groups=(group,),
                ),
            )  # fmt: skip

    async def shifts(self, person: str, *lines: tuple[str, str, str], day: str = DAY, seen: str = "") -> None:
        """`lines`: (time, state, reason); the state may say who chose it: `busy<boss`. `seen`: last sign of life."""
        was: AgentStatus | None = None
        for moment, state, reason in lines:
            now, _, by = state.partition("<")
            row = Shift(
                id=Ids(TestClock(at(moment, day))).new("Z"), shop_id=self.shop_id, agent_id=f"{self.shop_id}:{person}",
                was=was, now=msgspec.convert(now, ShiftNow), reason=reason, at=at(moment, day), by=by,
            )  # fmt: skip
            await shift_store.add(self.db, row)
            if state not in {"gone", "back"}:
                was = msgspec.convert(now, AgentStatus)
        if seen:
            await desk_store.seen(self.db, [person], at(seen, day))

    async def talk(self, buyer: str, moment: int) -> str:
        """The conversation of a buyer with the shop."""
        found = await log_store.between(self.db, buyer, self.shop_id)
        if found is None:
            found = Conversation(
                id=Ids(TestClock(moment)).new("C"), merchant_id="M1", shop_id=self.shop_id, buyer_id=buyer,
                created_at=moment,
            )  # fmt: skip
            await log_store.add_conversation(self.db, found)
        return found.id

    async def say(
        self, c: str, moment: int, who: str, text: str = "好", *, fr: Role = "buyer", k: EntryKind = "text"
    ) -> Entry:
        self.heads[c] = s = self.heads.get(c, 0) + 1
        body = Body(ev=text) if k == "event" else Body(text=text)
        row = Entry(
            id=Ids(TestClock(moment)).new("E"), c=c, s=s, f=who, fr=fr, m=f"client-id-{s:08d}", k=k, b=body, ts=moment,
            h=fingerprint(k, body, None), vis="staff" if k == "note" else None,
        )  # fmt: skip
        await log_store.append(self.db, [row])
        return row

    async def case(
        self,
        buyer: str,
        opened: str,
        steps: Sequence[tuple[str, Stage, str | None, str | None]],
        lines: Sequence[tuple[str, str, str]] = (),
        *,
        day: str = DAY,
        resolved: bool | None = None,
    ) -> Case:
        """`steps`: (time, stage, agent, group). `lines`: (time, who, words); who: `b` the buyer, `bot`, `note:<agent>`,
        `event`, or the agent.
        """
        c = await self.talk(buyer, at(opened, day))
        for moment, who, words in lines:
            if who == "b":
                await self.say(c, at(moment, day), buyer, words)
            elif who == "bot":
                await self.say(c, at(moment, day), "bot", words, fr="bot")
            elif who == "event":
                await self.say(c, at(moment, day), "desk", words, fr="system", k="event")
            elif who.startswith("note:"):
                await self.say(c, at(moment, day), who[5:], words, fr="staff", k="note")
            else:
                await self.say(c, at(moment, day), who, words, fr="staff")
        history: list[Step] = []
        was: Stage = "new"
        for rev, (moment, stage, agent, group) in enumerate(steps, 2):
            history.append(
                Step(
                    at=at(moment, day), by="desk", was=was, now=stage, why="assigned", rev=rev,
                    agent_id=f"{self.shop_id}:{agent}" if agent else None, person_id=agent, group_id=group,
                )
            )  # fmt: skip
            was = stage
        last = history[-1]
        ended = last.at if was == "ended" else None
        row = Case(
            id=Ids(TestClock(at(opened, day))).new("Z"), c=c, shop_id=self.shop_id, merchant_id="M1", buyer_id=buyer,
            state=was, open=ended is None, rev=len(history) + 1, opened_at=at(opened, day), group_id=last.group_id,
            agent_id=last.agent_id, person_id=last.person_id, agent_name=last.person_id,
            queued_at=last.at if was == "queued" else None, history=tuple(history), ended_at=ended, resolved=resolved,
        )  # fmt: skip
        await desk_store.add_case(self.db, row)
        return row
