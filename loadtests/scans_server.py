"""The server side of the scan bench, a process of its own: the verify wing and the books behind the real HTTP edge.

Run by scans.py: `python -m loadtests.scans_server URI PREFIX`; prints its port.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import uvloop
from aiohttp import web

from octshop_rt.commerce.ledger.service import Ledger
from octshop_rt.core.auth.model import Audience, Grant, Person, Right
from octshop_rt.core.auth.sessions import Sessions
from octshop_rt.core.bus import LocalBus
from octshop_rt.core.clock import Clock
from octshop_rt.core.crypto import Secrets
from octshop_rt.core.dispatcher import Dispatcher, Subscription
from octshop_rt.core.http.server import build_app, runner
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database
from octshop_rt.core.outbox import Outbox
from octshop_rt.core.ratelimit import Quota
from octshop_rt.core.settings import HttpSettings, MongoSettings, Settings
from octshop_rt.core.tasks import TaskRegistry
from octshop_rt.core.uploads import PicturePool
from octshop_rt.embedded.process import end_with_parent
from octshop_rt.events import VoucherUsed
from octshop_rt.verify import token
from octshop_rt.verify.api import ClerkDesk
from octshop_rt.verify.lookup import Lookup
from octshop_rt.verify.scan import Scanner
from octshop_rt.verify.service import Redeemer

SHOP = "S" + "1" * 26
KEY = b"bench" * 8
KEYS = token.Keys.derive(Secrets(KEY))


class Clerks:
    """Everybody is a clerk of the one shop."""

    async def person(self, audience: Audience, person_id: str) -> Person | None:
        grant = Grant(merchant_id="M1", shop_id=SHOP, role="clerk", rights=frozenset({Right.REDEEM}))
        return Person(id=person_id, name=person_id, grants=(grant,))


async def any_branch(_shop_id: str, _branch_id: str) -> bool:
    return True


class Unlimited:
    """Limits raised out of the way, as an operator would for load clients."""

    async def take(self, quota: Quota, key: str, *, count: bool = True) -> int:
        return 0


async def main(uri: str, prefix: str) -> None:
    clock, bus, tasks = Clock(), LocalBus(), TaskRegistry()
    ids = Ids(clock)
    db = Database.connect(MongoSettings(uri=uri, prefix=prefix))
    sessions = Sessions(db=db, bus=bus, clock=clock, ids=ids, people=Clerks(), resume_key=KEY)
    lookup = Lookup(db, clock=clock, ids=ids, keys=KEYS)
    redeemer = Redeemer(
        db, clock=clock, ids=ids, outbox=Outbox(clock, ids), bus=bus, lookup=lookup, knows_branch=any_branch
    )
    desk = ClerkDesk(
        db, clock=clock, scanner=Scanner(db, clock=clock, ids=ids, lookup=lookup), redeemer=redeemer,
        pictures=PicturePool(),
    )  # fmt: skip
    ledger = Ledger(clock=clock, ids=ids)
    heard = [Subscription(event=VoucherUsed, name="ledger.used", run=ledger.on_voucher_used)]
    dispatcher = Dispatcher(db, clock, bus, heard, owner=f"bench-{clock.now()}")
    app = build_app(
        desk.routes(), sessions=sessions, settings=Settings(mode="test", http=HttpSettings(public_url="http://bench")),
        limiter=Unlimited(), tasks=tasks, ids=ids,
    )  # fmt: skip
    served = runner(app)
    await served.setup()
    await web.TCPSite(served, "127.0.0.1", 0, backlog=1_024).start()
    await dispatcher.start()
    print(served.addresses[0][1], flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await dispatcher.stop()
    await served.cleanup()
    await db.close()


if __name__ == "__main__":
    end_with_parent()
    uvloop.run(main(sys.argv[1], sys.argv[2]))
