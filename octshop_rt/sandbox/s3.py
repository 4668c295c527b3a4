"""An S3 store in this process, over real HTTP: path-style buckets in memory that check every signature by themselves.

It exists so that the S3 side of files is tried against something that speaks the protocol, not against its own mirror:
signatures are computed here anew from what arrived, contents are hashed, and refusals are S3's XML.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from aiohttp import web

_AUTH: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w{64})"
)
_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")


class S3Sandbox:
    """One bucket. `objects` is what it holds; `broken` makes it answer 503 so many times."""

    def __init__(self, bucket: str, access: str, secret: str, *, page: int = 1000) -> None:
        self.bucket = bucket
        self.access = access
        self._secret = secret
        self._page = page
        self.objects: dict[str, bytes] = {}
        self.broken = 0
        self.refused: list[str] = []
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; the endpoint's URL."""
        app = web.Application(client_max_size=256 * 1024 * 1024)
        app.router.add_route("*", "/{rest:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return f"http://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if self.broken:
            self.broken -= 1
            return self._no(503, "SlowDown")
        if fault := self._fault(request, body):
            return self._no(403, fault)
        bucket, _, key = unquote(request.raw_path.partition("?")[0]).lstrip("/").partition("/")
        if bucket != self.bucket:
            return self._no(404, "NoSuchBucket")
        if not key:
            return self._list(request)
        if request.method == "PUT":
            self.objects[key] = body
            return web.Response(headers={"ETag": f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'})
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return web.Response(status=204)
        return self._get(request, key)

    def _get(self, request: web.Request, key: str) -> web.StreamResponse:
        data = self.objects.get(key)
        if data is None:
            return self._no(404, "NoSuchKey")
        found = _RANGE.fullmatch(request.headers.get("Range", ""))
        if found is None:
            return web.Response(body=data)
        first = int(found[1])
        last = min(int(found[2] or len(data) - 1), len(data) - 1)
        if first >= len(data):
            return self._no(416, "InvalidRange")
        headers = {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
        return web.Response(status=206, body=data[first : last + 1], headers=headers)

    def _list(self, request: web.Request) -> web.StreamResponse:
        after = request.query.get("continuation-token", "")
        keys = sorted(key for key in self.objects if key > after)
        most = min(self._page, int(request.query.get("max-keys", "1000")))
        more = len(keys) > most
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size></Contents>" for key in keys[:most]
        )
        token = f"<NextContinuationToken>{escape(keys[most - 1])}</NextContinuationToken>" if more else ""
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}</ListBucketResult>"
        )
        return web.Response(text=text, content_type="application/xml")

    def _fault(self, request: web.Request, body: bytes) -> str:
        """What is wrong with the signature of what arrived; empty when nothing is."""
        found = _AUTH.fullmatch(request.headers.get("Authorization", ""))
        if found is None:
            return "AccessDenied"
        access, day, region, names, signature = found.groups()
        stamp, told = request.headers.get("x-amz-date", ""), request.headers.get("x-amz-content-sha256", "")
        if access != self.access:
            return "InvalidAccessKeyId"
        if told != hashlib.sha256(body).hexdigest():
            return "XAmzContentSHA256Mismatch"
        if not stamp.startswith(day) or "host" not in names.split(";"):
            return "AccessDenied"
        path, _, query = request.raw_path.partition("?")
        pairs = sorted(part.partition("=")[::2] for part in query.split("&") if part)
        asked = "&".join(f"{quote(unquote(name), safe='')}={quote(unquote(value), safe='')}" for name, value in pairs)
        lines = [f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names.split(";")]
        canonical = "\n".join([request.method, path, asked, *lines, "", names, told])
        text = "\n".join(
            [
                "AWS4-HMAC-SHA256",
                stamp,
                f"{day}/{region}/s3/aws4_request",
                hashlib.sha256(canonical.encode()).hexdigest(),
            ]
        )
        key = ("AWS4" + self._secret).encode()
        for part in (day, region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        good = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return "" if hmac.compare_digest(good, signature) else "SignatureDoesNotMatch"

    def _no(self, status: int, code: str) -> web.Response:
        self.refused.append(code)
        return web.Response(status=status, text=f"<Error><Code>{code}</Code></Error>", content_type="application/xml")
