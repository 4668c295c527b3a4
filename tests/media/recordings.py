"""Sounds and films made byte by byte from the specifications, for tests: small, playable in form, silent in content."""

from __future__ import annotations

import io
import struct
import wave

from PIL import Image


def box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), name) + content


def mp4(
    *, ms: int = 4_000, w: int = 640, h: int = 360, picture: bool = True, late_moov: bool = True, media: int = 2_000
) -> bytes:
    """An MP4 with a sound track, and a picture track if asked; `moov` at the end, as phones write it."""

    def trak(number: int, handler: bytes, width: int, height: int) -> bytes:
        tkhd = (
            struct.pack(">IIIIII", 7, 0, 0, number, 0, ms) + bytes(52) + struct.pack(">II", width << 16, height << 16)
        )
        mdhd = struct.pack(">IIIIIHH", 0, 0, 0, 48_000, ms * 48, 0, 0)
        hdlr = struct.pack(">II4s12x", 0, 0, handler) + b"handler\0"
        return box(b"trak", box(b"tkhd", tkhd), box(b"mdia", box(b"mdhd", mdhd), box(b"hdlr", hdlr)))

    tracks = [trak(1, b"soun", 0, 0)] + ([trak(2, b"vide", w, h)] if picture else [])
    mvhd = struct.pack(">IIIII", 0, 0, 0, 1000, ms) + bytes(80)
    moov = box(b"moov", box(b"mvhd", mvhd), *tracks)
    mdat = box(b"mdat", bytes(media))
    ftyp = box(b"ftyp", b"isom\0\0\2\0isomiso2mp41")
    return ftyp + (mdat + moov if late_moov else moov + mdat)


def fragmented_mp4(*, ms: int = 3_000) -> bytes:
    """As browsers record it: no length in the head, fragments that say when they begin."""
    tkhd = struct.pack(">IIIIII", 7, 0, 0, 1, 0, 0) + bytes(52) + struct.pack(">II", 320 << 16, 240 << 16)
    mdhd = struct.pack(">IIIIIHH", 0, 0, 0, 1_000, 0, 0, 0)
    hdlr = struct.pack(">II4s12x", 0, 0, b"vide") + b"\0"
    trak = box(b"trak", box(b"tkhd", tkhd), box(b"mdia", box(b"mdhd", mdhd), box(b"hdlr", hdlr)))
    moov = box(b"moov", box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 1000, 0) + bytes(80)), trak, box(b"mvex"))
    data = box(b"ftyp", b"iso5\0\0\2\0iso5mp41") + moov
    for at in range(0, ms + 1, 1_000):
        traf = box(b"traf", box(b"tfhd", struct.pack(">II", 0, 1)), box(b"tfdt", struct.pack(">II", 0, at)))
        data += box(b"moof", traf) + box(b"mdat", bytes(100))
    return data


def element(name: bytes, *parts: bytes, open_ended: bool = False) -> bytes:
    content = b"".join(parts)
    size = b"\x01" + b"\xff" * 7 if open_ended else struct.pack(">Q", 1 << 56 | len(content))
    return name + size + content


def webm(*, ms: int = 5_000, picture: bool = True, recorded: bool = True) -> bytes:
    """A WebM; `recorded`: as a browser's recorder leaves it, without lengths anywhere."""
    head = element(b"\x1a\x45\xdf\xa3", element(b"\x42\x82", b"webm"))
    length = b"" if recorded else element(b"\x44\x89", struct.pack(">d", ms))
    info = element(b"\x15\x49\xa9\x66", element(b"\x2a\xd7\xb1", (1_000_000).to_bytes(3)), length)
    sound = element(b"\xae", element(b"\x83", b"\x02"))
    sides = element(b"\xe0", element(b"\xb0", (640).to_bytes(2)), element(b"\xba", (480).to_bytes(2)))
    film = element(b"\xae", element(b"\x83", b"\x01"), sides) if picture else b""
    tracks = element(b"\x16\x54\xae\x6b", sound, film)
    clusters = b"".join(
        element(
            b"\x1f\x43\xb6\x75",
            element(b"\xe7", at.to_bytes(4)),
            element(b"\xa3", b"\x81" + struct.pack(">h", min(1_000, ms - at)) + b"\x80" + bytes(50)),
            open_ended=recorded,
        )
        for at in range(0, ms, 1_000)
    )
    return head + element(b"\x18\x53\x80\x67", info, tracks, clusters, open_ended=recorded)


def ogg(*, ms: int = 6_000, skip: int = 312) -> bytes:
    """Opus in Ogg: two pages, of which the last says how long it is."""

    def page(kind: int, samples: int, content: bytes) -> bytes:
        return b"OggS\0" + struct.pack("<BqIIIB", kind, samples, 1, 0, 0, 1) + bytes([len(content)]) + content

    return page(2, 0, b"OpusHead\1\1" + struct.pack("<HIhB", skip, 48_000, 0, 0)) + page(4, ms * 48 + skip, bytes(200))


def wav(*, ms: int = 1_500) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8_000)
        sound.writeframes(bytes(ms * 16))
    return out.getvalue()


def mp3(*, ms: int = 2_000) -> bytes:
    """Frames of 32 kbit/s at 32 kHz: 36 ms and 144 bytes each; before them a tag, as players leave it."""
    return b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + (b"\xff\xfb\x18\xc4" + bytes(140)) * -(-ms // 36)


def jpeg(width: int = 1200, height: int = 800, *, marked: bytes = b"") -> bytes:
    """A photo whose EXIF says something nobody else should know."""
    picture = Image.effect_noise((width, height), 40).convert("RGB")
    exif = Image.Exif()
    exif[0x010E] = marked.decode()  # ImageDescription
    exif[0x0112] = 6  # lies on its side
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif, quality=70)
    return out.getvalue() + marked


def gif(*, frames: int = 6, width: int = 120, height: int = 90, ms: int = 80, secret: bytes = b"") -> bytes:
    """A sticker that goes from dark to red; `secret` is written into it as a comment."""
    drawn = [Image.new("RGB", (width, height), (number * 40 % 256, 90, 90)) for number in range(frames)]
    for number, one in enumerate(drawn):  # no two alike: writers drop a frame that is
        one.paste((number * 7 % 256, 200, number % 256), (0, 0, 8, 8))
    out = io.BytesIO()
    first, *rest = [one.quantize(32) for one in drawn]
    first.save(out, "GIF", save_all=True, append_images=rest, duration=ms, loop=0, comment=secret)
    return out.getvalue()
