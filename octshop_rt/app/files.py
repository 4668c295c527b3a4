"""Where uploads lie: GridFS or the S3 store of the settings, and the checks that look at the one in use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from octshop_rt.app.foundation import Foundation
from octshop_rt.core.clock import Clock
from octshop_rt.core.fsck import Check, Finding
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import S3Settings, Settings
from octshop_rt.im.media.checks import check_objects
from octshop_rt.im.media.objects import GridFs, ObjectStore
from octshop_rt.im.media.s3 import S3
from octshop_rt.im.media.service import Media
from octshop_rt.im.media.sigv4 import Keys


def make_media(on: Foundation) -> Media:
    """The files of this process."""
    objects = object_store(on.db, on.clock, on.http, on.settings)
    return Media(on.db, on.clock, on.ids, on.outbox, objects)


def object_store(db: Database, clock: Clock, http: aiohttp.ClientSession, settings: Settings) -> ObjectStore:
    """As configured."""
    s3 = settings.files.s3
    return GridFs(db, clock) if s3 is None else S3(http, clock, s3.endpoint, s3.bucket, _keys(s3))


def object_checks(settings: Settings) -> tuple[Check, ...]:
    """That every file has its object and every object its file, in the store in use."""

    async def run(db: Database) -> AsyncIterator[Finding]:
        async with aiohttp.ClientSession(trust_env=False) as http:
            async for finding in check_objects(db, object_store(db, Clock(), http, settings), await db.time()):
                yield finding

    return (Check(id="F98", text="every file has its object, and every object its file", run=run),)


def _keys(s3: S3Settings) -> Keys:
    access, secret = (
        Path(place).read_text(encoding="utf-8").strip() for place in (s3.access_key_file, s3.secret_key_file)
    )
    return Keys(access=access, secret=secret, region=s3.region)
