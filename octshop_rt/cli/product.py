"""The commands that start things: the whole product for a trial, the server for production, the simulator alone."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from octshop_rt import app, demo
from octshop_rt.cli import upkeep, workers
from octshop_rt.cli.doctor import web_dir
from octshop_rt.cli.family import Member, stay
from octshop_rt.cli.ports import must_be_free
from octshop_rt.cli.serving import serving
from octshop_rt.cli.stopping import Stop
from octshop_rt.cli.welcome import welcome
from octshop_rt.cli.words import Unbuilt, of_system, out, say
from octshop_rt.commerce.api.channel import notice_path
from octshop_rt.commerce.payment.settle import DEFAULT_ACCOUNT
from octshop_rt.core import logging, mongo
from octshop_rt.core.clock import Clock, monotonic_ms
from octshop_rt.core.http import openapi
from octshop_rt.core.http.routes import API
from octshop_rt.core.http.server import VERSION
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import (
    HttpSettings,
    MongoSettings,
    PushSettings,
    RedisSettings,
    SandboxSettings,
    Settings,
    SettingsError,
    WechatSettings,
    load,
)
from octshop_rt.embedded import EmbeddedMongo, EmbeddedRedis
from octshop_rt.embedded.process import Child
from octshop_rt.sandbox.server import Sandbox

HOST: Final = "127.0.0.1"
PORT: Final = 8480
SANDBOX_PORT: Final = 8481
# The simulated merchant account that the demo shops take money with.
MCHID: Final = "1900000109"
APPID: Final = "wxd678efh567hg6787"
GRACE_S: Final = 4  # who tries out leaving a chat does not want to wait long for the notice
LOST: Final = 1  # a part ended by itself


async def run(data: Path, *, port: int, sandbox_port: int, processes: int, redis_url: str) -> int:
    """Start everything, print the table, wait for a signal, stop everything in order."""
    stop, began = Stop(), monotonic_ms()
    for number in range(processes):
        must_be_free(HOST, workers.port_of(port, sandbox_port, number), "--port")
    must_be_free(HOST, sandbox_port, "--sandbox-port")
    if not (web_dir() / "shop" / "index.html").is_file():
        raise Unbuilt(path=str(web_dir()))
    async with contextlib.AsyncExitStack() as stack:
        mongod = EmbeddedMongo(data / "mongo")
        uri = await mongod.start()
        stack.push_async_callback(mongod.stop)
        family = [*_member("mongod", mongod.child)]
        _log_to(data / "server.log", stack)
        if processes > 1 and not redis_url:
            redis = EmbeddedRedis(data / "redis")
            redis_url = await redis.start()
            stack.push_async_callback(redis.stop)
            family += _member("redis-server", redis.child, needed=False)
        wechat, sandbox_url = await _simulator(data, port, sandbox_port, stack)
        settings = Settings(
            mode="demo",
            data_dir=str(data),
            mongo=MongoSettings(uri=uri),
            redis=RedisSettings(url=redis_url),
            http=HttpSettings(host=HOST, port=port, web_dir=str(web_dir())),
            wechat={DEFAULT_ACCOUNT: wechat},
            sandbox=SandboxSettings(url=sandbox_url),
            push=PushSettings(sandbox_url=sandbox_url, grace_s=GRACE_S),
        )
        await _furnish(settings)
        origins = [settings.http.origin]
        more: list[Child] = []
        for number in range(1, processes):
            one = await stack.enter_async_context(workers.worker(settings, data, number, sandbox_port))
            origins.append(one.origin)
            more.append(one.child)
            family += _member(f"server {number + 1}", one.child)
        # After the workers, so that it stops before we wait for theirs: they stop at the same time.
        await stack.enter_async_context(serving(settings))
        welcome(origins, data=str(data.absolute()), seconds=(monotonic_ms() - began) / 1000)
        asked = await stay(stop, family)
        out.print(say("正在停止……", "stopping …"))
        stop.begin()
        for child in more:
            child.ask()
    return 0 if asked else LOST


async def serve(config: Path | None, *, redis_url: str) -> int:
    """The server alone, by its settings."""
    stop = Stop()
    settings = load(config)
    if redis_url:
        settings = msgspec.structs.replace(settings, redis=RedisSettings(url=redis_url))
    if not settings.mongo.uri:
        words = say("需要 mongo.uri;试用请运行 octshop-rt run", "mongo.uri is needed; for a trial run: octshop-rt run")
        raise SettingsError(words)
    must_be_free(settings.http.host, settings.http.port, "http.port")
    logging.configure()
    async with serving(settings):
        out.print(say(f"服务已就绪:{settings.http.origin}", f"ready: {settings.http.origin}"))
        await stop.asked()
    return 0


async def sandbox(data: Path, port: int) -> int:
    """The simulator alone."""
    stop = Stop()
    must_be_free(HOST, port, "--port")
    async with contextlib.AsyncExitStack() as stack:
        _, url = await _simulator(data, PORT, port, stack)
        out.print(say(f"微信支付模拟器：{url}", f"WeChat Pay simulator: {url}"))
        await stop.asked()
    return 0


async def write_openapi(to: Path) -> int:
    """The description of all routes, byte for byte as the server serves it; unchanged files keep their date."""
    with tempfile.TemporaryDirectory() as folder:
        house = await app.build(
            Settings(mode="test", data_dir=folder, mongo=MongoSettings(uri="mongodb://127.0.0.1:1"))
        )
        document = openapi.document(house.routes, version=VERSION, secure=False)
        await house.foundation.http.close()
        await house.foundation.db.close()
    text = msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
    if not to.exists() or to.read_bytes() != text:
        to.write_bytes(text)
    out.print(say(f"已写入 {to}", f"wrote {to}"))
    return 0


async def check_all(config: Path | None, data: Path, only: Sequence[str]) -> int:
    """Every domain's checks, and those of the store in which the files of these settings lie."""
    return await upkeep.check_all(config, data, app.checks(load(config)), only)


async def _simulator(
    data: Path, shop_port: int, port: int, stack: contextlib.AsyncExitStack
) -> tuple[WechatSettings, str]:
    simulator = Sandbox(data / "sandbox", Clock(), production=False)
    merchant = simulator.merchant(MCHID, APPID, "octshop")
    url = await simulator.start(HOST, port)
    stack.push_async_callback(simulator.stop)
    notify_url = f"http://{HOST}:{shop_port}{API}{notice_path(DEFAULT_ACCOUNT)}"
    return simulator.settings(merchant, url, notify_url), url


async def _furnish(settings: Settings) -> None:
    """Indexes, and demo data where there is none yet."""
    db = Database.connect(settings.mongo)
    try:
        await db.create_indexes(mongo.declared)
        await demo.seed(db, Clock())
    finally:
        await db.close()


def _member(name: str, child: Child | None, *, needed: bool = True) -> list[Member]:
    return [] if child is None else [Member(name=name, child=child, needed=needed)]


def _log_to(file: Path, stack: contextlib.AsyncExitStack) -> None:
    """The terminal is for the table; what the server has to say goes to a file."""
    try:
        if file.exists():
            shutil.move(file, file.with_suffix(".log.1"))
        logging.configure(stream=stack.enter_context(file.open("w", encoding="utf-8")))
    except OSError as fault:
        raise of_system(fault, file) from None
