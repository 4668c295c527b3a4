"""What the limited process sees in uploads: type by bytes, length and size by boxes, and no for all the rest."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octshop_rt.core.uploads import NotAPicture, TooManyPixels
from octshop_rt.im.media import inspector
from octshop_rt.im.media.inspection import Inspection
from octshop_rt.im.media.inspector import Question, look
from octshop_rt.im.media.model import BadMedia
from octshop_rt.im.wire.fields import MediaKind
from tests.media.recordings import box, fragmented_mp4, jpeg, mp3, mp4, ogg, wav, webm

GOOD: dict[str, tuple[MediaKind, Callable[[], bytes], tuple[str, int, int, int]]] = {
    "m4a": ("voice", lambda: mp4(picture=False), ("audio/mp4", 4_000, 0, 0)),
    "webm sound of a recorder": ("voice", lambda: webm(picture=False), ("audio/webm", 5_000, 0, 0)),
    "ogg": ("voice", ogg, ("audio/ogg", 6_000, 0, 0)),
    "wav": ("voice", wav, ("audio/wav", 1_500, 0, 0)),
    "mp3": ("voice", mp3, ("audio/mpeg", 2_016, 0, 0)),
    "mp4": ("video", mp4, ("video/mp4", 4_000, 640, 360)),
    "mp4 with its head first": ("video", lambda: mp4(late_moov=False), ("video/mp4", 4_000, 640, 360)),
    "mp4 of a recorder": ("video", fragmented_mp4, ("video/mp4", 3_000, 320, 240)),
    "webm of a recorder": ("video", webm, ("video/webm", 5_000, 640, 480)),
    "webm with lengths": ("video", lambda: webm(recorded=False), ("video/webm", 5_000, 640, 480)),
}
BAD: dict[str, tuple[MediaKind, bytes]] = {
    "a page": ("video", b"<html><script>alert(1)</script>"),
    "a page that begins like a film": ("video", b"\0\0\0\x20ftypisom<html><script>alert(1)</script>"),
    "a film without its head": ("video", box(b"ftyp", b"isom") + box(b"mdat", bytes(100))),
    "a film as a voice note": ("voice", mp4()),
    "a voice note as a film": ("video", mp4(picture=False)),
    "matroska that is no webm": ("video", webm().replace(b"webm", b"mkv\0", 1)),
    "a cut film": ("video", mp4()[:900]),
    "nothing but zeros": ("voice", bytes(5_000)),
    "three bytes": ("voice", b"ID3"),
    "ogg that is no opus": ("voice", ogg().replace(b"OpusHead", b"vorbis\0\0", 1)),
    "a box of no length": ("video", box(b"ftyp", b"isom") + b"\0\0\0\1moov" + bytes(8) + box(b"mdat")),
    "a picture": ("voice", jpeg(40, 40)),
}


@pytest.fixture
async def inspection() -> AsyncIterator[Inspection]:
    inspection = Inspection(seconds=20)
    yield inspection
    await inspection.close()


def seen(tmp_path: Path, kind: MediaKind, data: bytes) -> inspector.Answer:
    assert kind != "file"
    place = tmp_path / "upload"
    place.write_bytes(data)
    return look(Question(kind=kind, path=str(place), most_bytes=10**8))[0]


@pytest.mark.parametrize("name", GOOD)
def test_a_recording_is_known_by_its_bytes(tmp_path: Path, name: str):  # req I6
    kind, make, expected = GOOD[name]
    answer = seen(tmp_path, kind, make())
    assert (answer.fault, answer.mime, answer.ms, answer.w, answer.h) == ("", *expected)


@pytest.mark.parametrize("name", BAD)
def test_what_only_looks_like_a_recording_is_refused(tmp_path: Path, name: str):  # req I6
    assert seen(tmp_path, *BAD[name]).fault == "broken"


@pytest.fixture(scope="module")
def upload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file, written anew for each example."""
    return tmp_path_factory.mktemp("broken") / "upload"


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(GOOD)), seed=st.integers(0, 2**32), hits=st.integers(1, 30))
def test_broken_recordings_end_in_an_answer(upload: Path, name: str, seed: int, hits: int):  # req I6
    kind, make, _ = GOOD[name]
    assert kind != "file"
    chance, data = random.Random(seed), bytearray(make())
    for _ in range(hits):
        data[chance.randrange(min(len(data), 600))] = chance.randrange(256)
    upload.write_bytes(data)
    answer, parts = look(Question(kind=kind, path=str(upload), most_bytes=10**8))
    assert parts == []
    if answer.fault:
        assert answer == inspector.Answer(fault="broken")
    else:  # the hits changed nothing that matters, or a length and a size that are as good as others
        mimes = {wanted[0] for sort, _, wanted in GOOD.values() if sort == kind}
        assert answer.mime in mimes
        assert answer.ms >= 0
        assert min(answer.w, answer.h) >= 0


async def test_a_picture_keeps_its_pixels_and_nothing_else(inspection: Inspection, tmp_path: Path):  # req I6
    place = tmp_path / "photo"
    place.write_bytes(jpeg(1200, 800, marked=b"31.2N 121.5E"))
    found = await inspection.look("image", place, 0)
    assert (found.facts.mime, found.facts.w, found.facts.h) == ("image/webp", 800, 1200)  # upright
    assert found.facts.size == len(found.data)
    assert found.data[8:12] == found.thumb[8:12] == b"WEBP"
    assert len(found.thumb) < len(found.data)
    for data in (found.data, found.thumb):
        assert b"121.5E" not in data and b"EXIF" not in data.upper()


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"GIF89a" + bytes(100), NotAPicture),
        (b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\x02" + bytes(50), NotAPicture),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", NotAPicture),
        (b"\x89PNG\r\n\x1a\n" + bytes(300), NotAPicture),
        (
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60_000).to_bytes(4) * 2 + b"\x08\x02\0\0\0" + bytes(4) + bytes(100),
            TooManyPixels,
        ),
    ],
)
async def test_what_is_no_picture_is_refused(inspection: Inspection, tmp_path: Path, data: bytes, refusal: type):
    place = tmp_path / "photo"
    place.write_bytes(data)
    with pytest.raises((refusal, NotAPicture)):
        await inspection.look("image", place, 0)
    assert inspection.killed == 0


async def test_a_process_that_hangs_is_killed_and_replaced(inspection: Inspection, tmp_path: Path):  # req I6
    place = tmp_path / "upload"
    place.write_bytes(wav())
    await inspection.look("voice", place, 0)
    (only,) = inspection._free
    process = psutil.Process(only._process.pid)
    process.suspend()
    inspection._seconds = 0.3
    with pytest.raises(BadMedia):
        await inspection.look("voice", place, 0)
    inspection._seconds = 20
    assert (await inspection.look("voice", place, 0)).facts.ms == 1_500
    assert inspection.killed == 1
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def test_the_process_is_limited_and_knows_nothing(inspection: Inspection, tmp_path: Path):  # req I6
    place = tmp_path / "upload"
    place.write_bytes(wav())
    await inspection.look("voice", place, 0)
    process = psutil.Process(inspection._free[0]._process.pid)
    assert process.rlimit(psutil.RLIMIT_AS)[1] == inspector.MEMORY_BYTES
    assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert process.rlimit(psutil.RLIMIT_CPU)[0] < 60
    assert set(process.environ()) <= {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS", "LC_CTYPE"}
    assert process.net_connections() == []
