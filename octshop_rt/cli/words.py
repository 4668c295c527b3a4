"""What the command line says, in the reader's language, and the one line in which it refuses."""

from __future__ import annotations

import contextlib
import errno
import locale
import os
from collections.abc import Generator

from rich.console import Console

from octshop_rt.core.errors import DomainError, Lang
from octshop_rt.core.mongo_faults import host, reason
from octshop_rt.core.settings import MongoSettings

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class PortBusy(DomainError):
    """Another program listens where we should."""

    code = "cli.port_busy"
    status = 503
    zh = "端口 {port} 已被占用。请停止占用它的程序，或用 {option} 换一个端口"
    en = "Port {port} is in use. Stop the program that holds it, or choose another with {option}"


class PortForbidden(DomainError):
    """The system reserves this port or address."""

    code = "cli.port_forbidden"
    status = 503
    zh = "无法监听 {host}:{port}({why})。请用 {option} 换一个端口"
    en = "Cannot listen on {host}:{port} ({why}). Choose another port with {option}"


class FileTrouble(DomainError):
    """The system refused to read or write something."""

    code = "cli.file_trouble"
    status = 503
    zh = "系统拒绝访问 {path}：{why}"
    en = "The system refused {path}: {why}"


class MongoTrouble(DomainError):
    """MongoDB cannot be reached, or does not let us in."""

    code = "cli.mongo_trouble"
    status = 503
    zh = "无法使用 MongoDB({host}):{why}"
    en = "MongoDB at {host} cannot be used: {why}"


class NoData(DomainError):
    """The folder named holds no installation: a mistyped path must not become a new one."""

    code = "cli.no_data"
    status = 503
    zh = "{path} 中没有数据。请检查 --data，或先运行 octshop-rt run"
    en = "There is no data in {path}. Check --data, or start octshop-rt run first"


class Unbuilt(DomainError):
    """The web pages have not been built."""

    code = "cli.unbuilt"
    status = 503
    zh = "网页尚未构建({path})。请运行 make run"
    en = "The web pages are not built ({path}). Run make run"


class WorkerFailed(DomainError):
    """A further server process did not come up."""

    code = "cli.worker_failed"
    status = 503
    zh = "另一个服务进程没有启动。日志：{log}"
    en = "A further server process did not start. Log: {log}"


def language() -> Lang:
    """zh-CN where the terminal says so, else English."""
    chosen = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    if not chosen:
        chosen = locale.getlocale()[0] or ""
    return "zh-CN" if chosen.lower().startswith("zh") else "en"


def say(zh: str, en: str) -> str:
    """The text in the reader's language."""
    return zh if language() == "zh-CN" else en


def of_system(fault: OSError, path: object = None) -> DomainError:
    """An OSError as a line that a person can act on."""
    if fault.errno in {errno.ENOSPC, errno.EDQUOT}:
        why = say("磁盘已满", "the disk is full")
    else:
        why = fault.strerror or str(fault)
    return FileTrouble(path=str(path or fault.filename or "?"), why=why)


@contextlib.contextmanager
def using(mongo: MongoSettings) -> Generator[None]:
    """Around what asks a MongoDB: its faults become MongoTrouble. What was refused for another reason flies on."""
    try:
        yield
    except Exception as fault:
        why = reason(fault)
        if why is None:
            raise
        hosts = sorted({host(uri) for uri in (mongo.uri, *mongo.apart.values())})
        raise MongoTrouble(host=", ".join(hosts), why=why) from fault


def refuse(refusal: DomainError) -> None:
    """One line on standard error."""
    err.print(f"octshop-rt: {refusal.text(language())}", style="bold red", markup=False)
