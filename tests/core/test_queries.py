"""The watch over queries sees one that no index serves."""

from __future__ import annotations

import msgspec

from octshop_rt.core.mongo import Collection, Database, index
from octshop_rt.core.settings import MongoSettings
from tests.queries import QueryWatch, unindexed


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """A row of these tests."""

    id: str
    tree: str = ""
    colour: str = ""


LEAVES = Collection("mall", "test_leaves", Leaf, indexes=[index("tree", "-colour")], shard_key=("tree",))


async def test_a_query_without_an_index_is_named(mongo_uri: str) -> None:
    watch = QueryWatch()
    db = Database.connect(MongoSettings(uri=mongo_uri, prefix="twatch"), [watch])
    await LEAVES.many(db, {"tree": "oak", "colour": "red"})
    await LEAVES.one(db, {"_id": "1", "colour": "red"})
    await LEAVES.many(db, {"$or": [{"tree": "oak"}, {"_id": "1"}]})
    assert unindexed(watch) == []
    await LEAVES.update(db, {"colour": "red"}, {"$set": {"colour": "brown"}})
    await LEAVES.many(db, {"$or": [{"tree": "oak"}, {"colour": "red"}]})
    await db.drop()
    await db.close()
    assert len(unindexed(watch)) == 2
