"""A chat endpoint of OpenAI's shape for tests and rehearsals: answers from what it is given, or makes trouble."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Any, Literal

import msgspec
from aiohttp import web
from msgspec import Struct

from octshop_rt.sandbox.model import SandboxInProduction

NOTHING = "NO_ANSWER"
Trouble = Literal["", "slow", "5xx", "429", "garbage", "refusal", "filter", "link", "hang up", "huge"]
_PAIR = re.compile(r"Q: (.*)\nA: ((?:.|\n(?!Q: |</knowledge>))*)")


class Asked(Struct, frozen=True):
    """What a client sent, as far as it is looked at."""

    model: str
    messages: list[dict[str, str]]
    max_tokens: int
    temperature: float = 1.0
    stream: bool = False


class SimulatedAssistant:
    """No model: it answers with the known answer whose question shares the most characters with the one asked.

    `trouble` makes every answer go wrong in one way; `asked` keeps what came, for tests to look at.
    """

    def __init__(self, key: str, *, production: bool) -> None:
        if production:
            raise SandboxInProduction
        self._key = key
        self.trouble: Trouble = ""
        self.slow_s = 5.0
        self.asked: list[Asked] = []
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> str:
        """Listen; returns what belongs into `[assistant] url` (port 0 picks one)."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return f"http://{host}:{self._runner.addresses[0][1]}/v1"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self._key}":
            return _json({"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}, 401)
        try:
            asked = msgspec.json.decode(await request.read(), type=Asked)
        except msgspec.MsgspecError as fault:
            return _json({"error": {"message": str(fault), "type": "invalid_request_error"}}, 400)
        self.asked.append(asked)
        if self.trouble == "slow":
            await asyncio.sleep(self.slow_s)
        if self.trouble in {"5xx", "429"}:
            return _json({"error": {"message": "overloaded"}}, 503 if self.trouble == "5xx" else 429)
        if self.trouble == "garbage":
            return web.Response(text="<html>bad gateway</html>", content_type="text/html")
        if self.trouble == "huge":
            return web.Response(body=b"[" * 1_000_000, content_type="application/json")
        if self.trouble == "hang up":
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=500)
        return _json(self._answer(asked))

    def _answer(self, asked: Asked) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": known_answer(asked.messages)}
        if self.trouble == "link":
            message["content"] = "请到 https://evil.example/pay 付款"
        if self.trouble == "refusal":
            message = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
        return {
            "id": f"chatcmpl-{secrets.token_hex(8)}",
            "object": "chat.completion",
            "model": asked.model,
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "finish_reason": "content_filter" if self.trouble == "filter" else "stop",
                }
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }


def known_answer(messages: list[dict[str, str]]) -> str:
    """From the pairs in the system's words, for the user's."""
    system = " ".join(one["content"] for one in messages if one["role"] == "system")
    question = set("".join(one["content"] for one in messages if one["role"] == "user"))
    pairs = [(len(question & set(known)), answer.strip()) for known, answer in _PAIR.findall(system)]
    shared, answer = max(pairs, default=(0, ""))
    return answer if shared >= 2 else NOTHING


def _json(tree: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(tree), status=status, content_type="application/json")
