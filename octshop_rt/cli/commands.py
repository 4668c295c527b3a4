"""The commands and their options. What they do is in the files beside this one."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from octshop_rt import __version__
from octshop_rt.cli import doctor as sights
from octshop_rt.cli import product, stopping, upkeep
from octshop_rt.cli.place import DEFAULT_DATA, installation
from octshop_rt.cli.words import err, of_system, out, refuse, say
from octshop_rt.core.crypto import SecretsError
from octshop_rt.core.errors import DomainError
from octshop_rt.core.settings import SettingsError

program = typer.Typer(
    name="octshop-rt",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=say(
        "多商户商城：聊天、下单支付、扫码核销、收银。第一次使用请运行 octshop-rt run。",
        "A multi-merchant shop in real time: chat, checkout, payment, write-off, cashier. Start with: octshop-rt run.",
    ),
)
outbox = typer.Typer(no_args_is_help=False, invoke_without_command=True)
program.add_typer(outbox, name="outbox", help=say("查看待投递与搁置的事件", "Waiting and parked events"))

Config = Annotated[
    Path | None, typer.Option(help=say("TOML 配置文件", "TOML settings file"), dir_okay=False, show_default=False)
]
Data = Annotated[Path, typer.Option(help=say("内置 MongoDB 的数据目录", "data folder of the embedded MongoDB"))]


def go(work: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Run one command; its number is the exit code."""
    raise typer.Exit(stopping.run(work))


@program.command(help=say("在本机启动全部组件并载入演示数据", "The whole product on this machine, with demo data"))
def run(
    data: Data = DEFAULT_DATA,
    port: Annotated[int, typer.Option(min=1, max=65535)] = product.PORT,
    sandbox_port: Annotated[int, typer.Option(min=1, max=65535)] = product.SANDBOX_PORT,
    processes: Annotated[int, typer.Option(min=1, max=8, help=say("服务进程数", "server processes"))] = 1,
    redis: Annotated[str, typer.Option(help="redis://…", show_default=False)] = "",
) -> None:
    """Embedded parts, demo data, one table of what to open."""
    go(partial(product.run, data, port=port, sandbox_port=sandbox_port, processes=processes, redis_url=redis))


@program.command(help=say("按配置文件启动服务", "The server, by a settings file"))
def serve(
    config: Config = None,
    redis: Annotated[str, typer.Option(help="redis://…", show_default=False)] = "",
) -> None:
    """For production and for each further process."""
    go(partial(product.serve, config, redis_url=redis))


@program.command(help=say("单独启动微信支付模拟器", "The WeChat Pay simulator alone"))
def sandbox(
    data: Data = DEFAULT_DATA,
    port: Annotated[int, typer.Option(min=1, max=65535)] = product.SANDBOX_PORT,
) -> None:
    """The same that `run` starts."""
    go(partial(product.sandbox, data, port))


@program.command(help=say("创建缺少的索引", "Create missing indexes"))
def indexes(config: Config = None, data: Data = DEFAULT_DATA) -> None:
    """Once per release."""
    go(partial(upkeep.make_indexes, config, data))


@program.command(
    help=say("检查所有不变量(0 正常,1 有不符,2 无法检查)", "Check every invariant (0 clean, 1 violated, 2 could not)")
)
def fsck(
    config: Config = None,
    data: Data = DEFAULT_DATA,
    only: Annotated[list[str] | None, typer.Option(help="F50 …", show_default=False)] = None,
) -> None:
    """The oracle of operators and of fault tests."""
    go(partial(product.check_all, config, data, only or []))


@outbox.callback()
def outbox_list(context: typer.Context, config: Config = None, data: Data = DEFAULT_DATA) -> None:
    """Counts, and each parked event."""
    context.obj = (config, data)
    if context.invoked_subcommand is None:
        go(partial(upkeep.list_outbox, config, data))


@outbox.command("list", help=say("计数与搁置的事件", "Counts and parked events"))
def outbox_show(context: typer.Context) -> None:
    """Same as without a word."""
    go(partial(upkeep.list_outbox, *context.obj))


@outbox.command("retry", help=say("重新投递一个搁置的事件", "Deliver a parked event again"))
def outbox_retry(context: typer.Context, event_id: str) -> None:
    """After its cause is mended."""
    go(partial(upkeep.retry_event, *context.obj, event_id))


@outbox.command("park", help=say("搁置一个等待中的事件", "Park a waiting event"))
def outbox_park(context: typer.Context, event_id: str, reason: str = "parked by hand") -> None:
    """When it does harm."""
    go(partial(upkeep.park_event, *context.obj, event_id, reason))


@program.command(help=say("检查环境：已有、缺少、不安全的部分", "What is there, what is missing, what is unsafe"))
def doctor(config: Config = None, data: Data = DEFAULT_DATA) -> None:
    """Exit code 1 if anything prevents a start or endangers the installation."""

    async def look() -> int:
        seen = list(sights.machine(data))
        if config is not None:
            async with installation(config, data) as settings:
                seen += await sights.installation(settings)
        return sights.show(seen)

    go(look)


@program.command(help=say("由路由表写出 static/openapi.json", "Write static/openapi.json from the route table"))
def openapi(
    to: Annotated[Path, typer.Option(help=say("目标文件", "target file"))] = Path("static/openapi.json"),
) -> None:
    """The web build makes its types from it."""
    go(partial(product.write_openapi, to))


@program.command(help=say("生成根密钥文件(权限 0600)", "Make a root secret in a 0600 file"))
def secrets(path: Path) -> None:
    """The same file on every node."""
    raise typer.Exit(upkeep.make_secret(path))


@program.command(help=say("版本", "Version"))
def version() -> None:
    """One line."""
    out.print(f"octshop-rt {__version__}")


def main() -> None:
    """Entry point. Turns refusals into one line each; lets our own mistakes show their trace. 2 for both: 1 is fsck's
    word for a violation, 130 a wish to stop at once.
    """
    try:
        program()
    except DomainError as refusal:
        refuse(refusal)
    except (SettingsError, SecretsError) as fault:
        err.print(f"octshop-rt: {fault}", style="bold red", markup=False)
    except OSError as fault:
        refuse(of_system(fault))
    except Exception:  # noqa: BLE001  (it is shown whole)
        traceback.print_exc()
    else:
        return
    sys.exit(2)
