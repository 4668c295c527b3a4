"""The programs that a trial runs beside itself: watched while it lives, asked to stop all at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

from msgspec import Struct

from octshop_rt.cli.stopping import Stop
from octshop_rt.cli.words import err, say
from octshop_rt.embedded.process import Child


class Member(Struct, frozen=True, kw_only=True):
    """One of them. Without a `needed` one nothing works."""

    name: str
    child: Child
    needed: bool = True


async def stay(stop: Stop, family: Sequence[Member]) -> bool:
    """Until somebody wants us to stop: True. False once a needed member has ended by itself; each end is told."""
    loop = asyncio.get_running_loop()
    asked = loop.create_task(stop.asked())
    ends = {loop.create_task(member.child.ended()): member for member in family}
    try:
        while True:
            done, _ = await asyncio.wait({asked, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if asked in done:
                return True
            lost = [(ends.pop(task), task.result()) for task in list(ends) if task in done]
            for member, code in lost:
                _tell(member, code)
            if any(member.needed for member, _ in lost):
                return False
    finally:
        for task in (asked, *ends):
            task.cancel()


def _tell(member: Member, code: int) -> None:
    how = say(f"退出码 {code}", f"exit code {code}") if code >= 0 else signal.Signals(-code).name
    what = f"{member.name} (pid {member.child.pid}, {how})"
    if member.needed:
        words = say(f"{what} 意外结束，全部停止。日志：", f"{what} has ended by itself; everything stops. Log: ")
    else:
        words = say(
            f"{what} 意外结束。各进程继续工作，彼此间的消息会变慢；重新启动即可恢复。日志：",
            f"{what} has ended by itself. The processes go on, messages between them take longer; "
            "start again to have it back. Log: ",
        )
    err.print(f"octshop-rt: {words}{member.child.log}", style="bold red", markup=False)
