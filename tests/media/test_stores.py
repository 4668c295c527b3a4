"""Where bytes lie: GridFS as any driver reads it, S3 as its own examples sign it, and both as one interface."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from gridfs.asynchronous import AsyncGridFSBucket

from octshop_rt.app.files import object_checks
from octshop_rt.core.clock import Clock
from octshop_rt.core.errors import Busy, UnknownOutcome
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import FilesSettings, S3Settings, Settings
from octshop_rt.im.media.model import NoFile
from octshop_rt.im.media.objects import CHUNK, CHUNKS, GridFs, ObjectStore
from octshop_rt.im.media.s3 import S3
from octshop_rt.im.media.sigv4 import Keys, signed
from octshop_rt.sandbox.s3 import S3Sandbox

KEYS = Keys(access="AKIAIOSFODNN7EXAMPLE", secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", region="us-east-1")
DAY = 1_369_353_600_000  # 2013-05-24, the day of Amazon's examples


async def pieces(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def put(store: ObjectStore, key: str, data: bytes) -> None:
    await store.put(key, pieces(data), size=len(data), sha256=hashlib.sha256(data).hexdigest(), mime="video/mp4")


async def whole(store: ObjectStore, key: str, first: int, last: int) -> bytes:
    return b"".join([chunk async for chunk in store.read(key, first, last)])


@pytest.fixture
async def sandbox() -> AsyncIterator[S3Sandbox]:
    sandbox = S3Sandbox("files", KEYS.access, KEYS.secret, page=2)
    yield sandbox
    await sandbox.stop()


@pytest.fixture(params=["gridfs", "s3"])
async def store(request: pytest.FixtureRequest, db: Database, sandbox: S3Sandbox) -> AsyncIterator[ObjectStore]:
    if request.param == "gridfs":
        yield GridFs(db, Clock())
        return
    async with aiohttp.ClientSession() as http:
        yield S3(http, Clock(), await sandbox.start(), "files", KEYS)


async def test_both_keep_give_parts_list_and_let_go(store: ObjectStore):  # req I6
    data = secrets.token_bytes(3 * CHUNK * 8 + 17)
    await put(store, "F1", data)
    await put(store, "F1.t", b"small")
    await put(store, "F2 ü+&=", b"x")
    await put(store, "F1", data)  # again: the same object
    size = len(data)
    for first, last in ((0, size - 1), (0, 0), (CHUNK - 1, CHUNK), (CHUNK * 9, CHUNK * 10 - 1), (size - 1, size - 1)):
        assert await whole(store, "F1", first, last) == data[first : last + 1]
    listed = {one.key: one.size async for one in store.listed()}
    assert listed == {"F1": size, "F1.t": 5, "F2 ü+&=": 1}
    for _ in range(2):
        await store.delete("F1")
    with pytest.raises(NoFile):
        await whole(store, "F1", 0, 0)
    assert [one.key async for one in store.listed()] == ["F1.t", "F2 ü+&="]


async def test_any_driver_reads_our_gridfs(db: Database):  # req I6
    data = secrets.token_bytes(CHUNK * 9 + 3)
    await put(GridFs(db, Clock()), "F1", data)
    bucket = AsyncGridFSBucket(db.raw(CHUNKS).database)
    found = await bucket.open_download_stream("F1")
    assert await found.read() == data
    assert (found.length, found.chunk_size, (found.metadata or {})["mime"]) == (len(data), CHUNK, "video/mp4")
    assert found.upload_date.year >= 2026
    await bucket.delete("F1")
    with pytest.raises(NoFile):
        await whole(GridFs(db, Clock()), "F1", 0, 0)


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "body", "signature"),
    [
        ("GET", "/test.txt", {}, {"range": "bytes=0-9"}, b"",
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        ("PUT", "/test$file.text", {},
         {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
         b"Welcome to Amazon S3.", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        ("GET", "/", {"lifecycle": ""}, {}, b"",
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("GET", "/", {"prefix": "J", "max-keys": "2"}, {}, b"",
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)  # fmt: skip
def test_signatures_are_those_of_amazons_examples(method, path, query, headers, body, signature):  # req I6
    sent = signed(
        KEYS, method, path, host="examplebucket.s3.amazonaws.com", now=DAY, query=query, headers=headers,
        sha256=hashlib.sha256(body).hexdigest(),
    )  # fmt: skip
    assert sent["authorization"].endswith(f"Signature={signature}")


async def test_s3_away_or_refusing_is_told_as_what_it_is(sandbox: S3Sandbox):  # req I6
    endpoint = await sandbox.start()
    async with aiohttp.ClientSession() as http:
        store = S3(http, Clock(), endpoint, "files", KEYS)
        await put(store, "F1", b"data")
        sandbox.broken = 1
        with pytest.raises(Busy):
            await put(store, "F2", b"data")
        sandbox.broken = 2
        await store.delete("F1")  # asked again until it is
        assert sandbox.objects == {}
        sandbox.broken = 9
        with pytest.raises(UnknownOutcome):
            await store.delete("F1")
        sandbox.broken = 0
        forged = S3(http, Clock(), endpoint, "files", Keys(access=KEYS.access, secret="wrong", region="us-east-1"))
        with pytest.raises(Busy):
            await put(forged, "F1", b"data")
        assert sandbox.refused[-1] == "SignatureDoesNotMatch"
        await sandbox.stop()
        with pytest.raises(UnknownOutcome):
            await put(store, "F1", b"data")
        with pytest.raises(Busy):
            await whole(store, "F1", 0, 0)


async def test_fsck_looks_into_the_store_of_the_settings(db: Database, sandbox: S3Sandbox, tmp_path: Path):  # req I6
    endpoint = await sandbox.start()
    for name, text in (("access", KEYS.access), ("secret", f"{KEYS.secret}\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    s3 = S3Settings(
        endpoint=endpoint, bucket="files", access_key_file=str(tmp_path / "access"),
        secret_key_file=str(tmp_path / "secret"),
    )  # fmt: skip
    checks = object_checks(Settings(mode="test", files=FilesSettings(s3=s3)))
    assert (await examine(db, checks)).clean
    sandbox.objects["F00000000000000000000000000"] = b"nobody's"
    (finding,) = (await examine(db, checks)).findings
    assert (finding.check, finding.object_id) == ("F98", "F00000000000000000000000000")
