"""`octshop-rt doctor`: what is there, what is missing, what is unsafe, and the command that mends it."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from rich.markup import escape
from rich.table import Table

from octshop_rt.cli.words import language, out, say, using
from octshop_rt.commerce.payment.settle import DEFAULT_ACCOUNT
from octshop_rt.core import storetime
from octshop_rt.core.clock import SECOND
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Database
from octshop_rt.core.settings import Settings, SettingsError
from octshop_rt.embedded import binaries

Grade = Literal["ok", "note", "bad"]
FREE_MB = 1024
OLDEST_SUPPORTED_MONGOD = 7
_MARK = {"ok": "[green]✓[/]", "note": "[yellow]•[/]", "bad": "[red]✗[/]"}


class Sight(msgspec.Struct, frozen=True):
    """One thing looked at. `note` helps or worries; `bad` prevents or endangers."""

    grade: Grade
    name: str
    words: str


def machine(data_dir: Path) -> Iterator[Sight]:
    """What every start needs."""
    good = sys.version_info >= (3, 11)
    yield Sight("ok" if good else "bad", "Python", f"{sys.version.split()[0]} ({sys.executable})")
    yield _mongod(data_dir)
    yield _redis(data_dir)
    yield _web()
    yield _library("zbar", "libzbar0", say("扫码第二解码器", "second QR decoder"))
    yield from _folder(data_dir)
    if os.geteuid() == 0:
        words = say(
            "正以 root 身份运行；请为服务创建专用账号", "running as root; give the service an account of its own"
        )
        yield Sight("note", say("用户", "user"), words)


def _mongod(data_dir: Path) -> Sight:
    try:
        program = binaries.find_mongod(data_dir)
        version = binaries.mongod_version(program)
    except DomainError as refusal:
        return Sight("bad", "mongod", refusal.text(language()))
    words = f"{'.'.join(map(str, version))} ({program})"
    if version[0] < OLDEST_SUPPORTED_MONGOD:
        words += say(
            ";已停止维护，仅限本机试用，联网部署请用受支持的 MongoDB",
            "; past its end of life: for trial on this machine only, bring a supported MongoDB for anything networked",
        )
        return Sight("note", "mongod", words)
    return Sight("ok", "mongod", words)


def _redis(data_dir: Path) -> Sight:
    try:
        return Sight("ok", "redis-server", str(binaries.find_redis(data_dir)))
    except DomainError as refusal:
        words = say("单进程不需要", "one process needs none")
        return Sight("note", "redis-server", f"{words}; {refusal.text(language())}")


def _web() -> Sight:
    pages = web_dir()
    if (pages / "shop" / "index.html").is_file():
        return Sight("ok", say("网页", "web pages"), str(pages))
    return Sight(
        "bad",
        say("网页", "web pages"),
        say(f"{pages} 尚未构建，请运行 make run", f"{pages} is not built; run make run"),
    )


def _library(name: str, package: str, purpose: str) -> Sight:
    if found := ctypes.util.find_library(name):
        return Sight("ok", purpose, found)
    words = say("没有也能用(zxing-cpp 优先);安装:", "works without (zxing-cpp comes first); to add it: ")
    return Sight("note", purpose, f"{words}apt-get install {package}")


def _folder(data_dir: Path) -> Iterator[Sight]:
    name = say("数据目录", "data folder")
    place = data_dir.absolute()
    nearest = next(folder for folder in (place, *place.parents) if folder.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        yield Sight("bad", name, say(f"{nearest} 不可写", f"{nearest} is not writable for this user"))
        return
    free_mb = shutil.disk_usage(nearest).free >> 20
    words = say(f"{place}，剩余 {free_mb} MB", f"{place}, {free_mb} MB free")
    yield Sight("ok" if free_mb >= FREE_MB else "bad", name, words)
    for secret in sorted(file for file in place.rglob("*") if file.name in {"password", "keyfile", "secret"}):
        mode = stat.S_IMODE(secret.stat().st_mode)
        if mode & 0o077:
            words = say(f"{secret} 可被他人读取，请运行:chmod 600 ", f"{secret} can be read by others; run: chmod 600 ")
            yield Sight("bad", say("密钥", "secret"), f"{words}{secret}")


async def installation(settings: Settings) -> list[Sight]:
    """What a configured installation talks to, and what would endanger it."""
    sights = [*_dangers(settings)]
    try:
        with using(settings.mongo):
            database = Database.connect(settings.mongo)
            try:
                sights.append(_deployment(await database.server_info()))
                sights.append(clock_sight(await storetime.skew_ms(database)))
            finally:
                await database.close()
    except DomainError as refusal:
        sights.append(Sight("bad", "MongoDB", refusal.text(language())))
    except SettingsError as fault:
        sights.append(Sight("bad", "MongoDB", str(fault)))
    return sights


def _deployment(info: dict[str, object]) -> Sight:
    version, replica_set = str(info["version"]), info.get("replica_set")
    if not replica_set:
        words = say(
            "不是副本集，没有事务；请以 --replSet 启动",
            "is no replica set and has no transactions; start it with --replSet",
        )
        return Sight("bad", "MongoDB", f"{version} {words}")
    supported = int(version.split(".", maxsplit=1)[0]) >= OLDEST_SUPPORTED_MONGOD
    return Sight("ok" if supported else "note", "MongoDB", f"{version}, replica set {replica_set}")


def clock_sight(skew_ms: int) -> Sight:
    """Servers follow MongoDB's time, so a wrong clock endangers nothing of ours; logs and certificates are another
    matter.
    """
    name, seconds = say("时钟", "clock"), f"{abs(skew_ms) / SECOND:.1f}"
    if abs(skew_ms) <= storetime.WRONG_MS:
        return Sight("ok", name, say(f"与 MongoDB 相差 {seconds} 秒", f"{seconds} s from MongoDB's"))
    words = (
        say(f"本机比 MongoDB 快 {seconds} 秒", f"this machine is {seconds} s ahead of MongoDB")
        if skew_ms > 0
        else say(f"本机比 MongoDB 慢 {seconds} 秒", f"this machine is {seconds} s behind MongoDB")
    )
    more = say(
        "；服务以 MongoDB 的时间为准，但仍请启用时间同步（如 chrony）",
        "; servers follow MongoDB's time, but run a time service here all the same (chrony, for one)",
    )
    return Sight("note", name, words + more)


def _dangers(settings: Settings) -> Iterator[Sight]:
    name = say("配置", "settings")
    if DEFAULT_ACCOUNT not in settings.wechat and (settings.wechat or settings.production):
        words = say(
            f"未配置 wechat.{DEFAULT_ACCOUNT}，没有自有账号的商户无法收款",
            f"wechat.{DEFAULT_ACCOUNT} is not set: only merchants with an account of their own are paid",
        )
        yield Sight("bad", name, words)
    if not settings.production:
        yield Sight("note", name, say(f"模式 {settings.mode}：仅限试用", f"mode {settings.mode}: for trial only"))
        return
    if settings.sandbox.url:
        yield Sight("bad", name, say("生产环境不得配置 sandbox", "[sandbox] must not be set in production"))
    if not settings.http.public_url.startswith("https://"):
        yield Sight(
            "bad", name, say("http.public_url 必须是 https:// 地址", "http.public_url must be an https:// address")
        )
    if not settings.sms.url:
        yield Sight("bad", name, say("未配置 sms.url,验证码无法送达", "sms.url is not set: login codes reach nobody"))
    if "@" not in settings.mongo.uri:
        yield Sight("bad", name, say("mongo.uri 没有账号密码", "mongo.uri carries no credentials"))
    for account, one in settings.wechat.items():
        for file in (one.private_key_file, one.api_v3_key_file):
            if not Path(file).is_file():
                yield Sight("bad", f"wechat.{account}", say(f"缺少文件 {file}", f"{file} is missing"))
            elif Path(file).stat().st_mode & 0o077:
                words = say(f"{file} 可被他人读取", f"{file} can be read by others; run: chmod 600 {file}")
                yield Sight("bad", f"wechat.{account}", words)


def web_dir() -> Path:
    """Where the built pages of this checkout are."""
    return Path(__file__).resolve().parents[2] / "static" / "dist"


def show(sights: list[Sight]) -> int:
    """Print them; 1 if anything is bad."""
    table = Table(show_header=False, box=None, padding=(0, 1))
    for _ in range(3):
        table.add_column(overflow="fold")
    for sight in sights:
        table.add_row(_MARK[sight.grade], escape(sight.name), escape(sight.words))
    out.print(table)
    return 1 if any(sight.grade == "bad" for sight in sights) else 0
