"""Which installation a command works on: the one of a settings file, else the embedded one of a data folder."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec

from octshop_rt.cli.words import NoData, using
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import Settings, load
from octshop_rt.embedded import EmbeddedMongo
from octshop_rt.embedded.faults import DataInUse
from octshop_rt.embedded.mongod import kept_uri

DEFAULT_DATA = Path("var")


@contextlib.asynccontextmanager
async def installation(config: Path | None, data: Path) -> AsyncGenerator[Settings]:
    """Its settings, with a MongoDB that runs: named by the settings, running already, or started for this command."""
    settings = load(config)
    if settings.mongo.uri:
        yield settings
        return
    if not (data / "mongo").is_dir():
        raise NoData(path=str(data))
    mongod = EmbeddedMongo(data / "mongo")
    try:
        uri = await mongod.start()
    except DataInUse:  # the product runs: ask the same server
        yield with_uri(settings, kept_uri(data / "mongo"))
        return
    try:
        yield with_uri(settings, uri)
    finally:
        await mongod.stop()


@contextlib.asynccontextmanager
async def database(config: Path | None, data: Path) -> AsyncGenerator[Database]:
    """The databases of that installation."""
    async with installation(config, data) as settings:
        with using(settings.mongo):
            db = Database.connect(settings.mongo)
            try:
                yield db
            finally:
                await db.close()


def with_uri(settings: Settings, uri: str) -> Settings:
    """The same settings on another MongoDB."""
    return msgspec.structs.replace(settings, mongo=msgspec.structs.replace(settings.mongo, uri=uri))
