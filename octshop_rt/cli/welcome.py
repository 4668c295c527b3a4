"""The table that `octshop-rt run` prints: what to open, who to be, how to stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from octshop_rt import demo
from octshop_rt.cli.words import language, out, say

PAGES: Sequence[tuple[str, str, str]] = (
    ("shop", "买家商城", "buyer shop"),
    ("agent", "客服工作台", "agent desk"),
    ("clerk", "店员核销", "clerk: write-off"),
    ("pos", "收银台", "POS: cashier"),
    ("phone", "沙箱手机(扮演微信)", "sandbox phone (plays WeChat)"),
)


def welcome(origins: Sequence[str], *, data: str, seconds: float) -> None:
    """One table. Plain addresses, the buyer shop first, so that scripts and people find it."""
    table = Table(title="octshop-rt", show_header=False, title_justify="left", pad_edge=False)
    for page, zh, en in PAGES:
        table.add_row(say(zh, en), f"{origins[0]}/{page}/")
    for number, origin in enumerate(origins[1:], 2):
        table.add_row(say(f"第 {number} 个进程", f"process {number}"), f"{origin}/shop/")
    table.add_row(say("接口文档", "API"), f"{origins[0]}/api/docs")
    table.add_section()
    for name, phone in accounts():
        table.add_row(name, phone)
    table.add_row(say("所有账号的密码", "password of all"), demo.PASSWORD)
    table.add_section()
    table.add_row(say("停止", "stop"), "Ctrl-C")
    table.add_row(say("数据", "data"), data)
    out.print(table)
    out.print(say(f"{seconds:.1f} 秒后就绪", f"ready after {seconds:.1f} s"))


def accounts() -> Iterator[tuple[str, str]]:
    """Role and phone number of each demo account."""
    for account in demo.ACCOUNTS:
        role = account.zh if language() == "zh-CN" else account.en
        yield f"{role} {account.name}", account.phone
