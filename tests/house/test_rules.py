"""The tree keeps every house rule, and each rule is seen red on a file that breaks it."""

from __future__ import annotations

import pytest

from tests.house import rules
from tests.house.source import Source, python_files, text_files

BROKEN: dict[str, list[tuple[str, str]]] = {
    "says_what_it_is_for": [
        ("octshop_rt/core/new.py", "import os\n"),
        ("octshop_rt/core/new.py", '\n"""Too late."""\n'),
    ],
    "is_short": [
        ("octshop_rt/core/new.py", '"""Long."""\n' + "x = 1\n" * 400),
        ("octshop_rt/core/new.py", '"""Long."""\ndef f():\n' + "    x = 1\n" * 70),
    ],
    "has_a_name": [
        ("octshop_rt/commerce/order/utils.py", '"""Things."""\n'),
        ("octshop_rt/im/socket_manager.py", '"""Things."""\n'),
    ],
    "is_finished": [
        ("octshop_rt/core/new.py", '"""."""\nx = 1  # TO' + "DO: later\n"),
        ("octshop_rt/core/new.py", '"""."""\ndef f():\n    raise NotImplementedError\n'),
        ("octshop_rt/core/new.py", '"""."""\ntry:\n    f()\nexcept Exception:\n    pass\n'),
    ],
    "skips_nothing": [
        (
            "tests/web/test_new.py",
            '"""."""\nimport pytest\n\n@pytest.mark.skipif(True, reason="")\ndef test_a(): ...\n',
        ),
        ("tests/web/test_new.py", '"""."""\nimport pytest\n\ndef test_a():\n    pytest.skip("no browser")\n'),
    ],
    "store_stays_home": [
        ("octshop_rt/commerce/order/service.py", '"""."""\nfrom octshop_rt.commerce.catalog import store\n'),
        ("octshop_rt/commerce/order/service.py", '"""."""\nimport octshop_rt.commerce.catalog.store as goods\n'),
        ("octshop_rt/im/ws/socket.py", '"""."""\nfrom octshop_rt.im.conversation.store import append\n'),
    ],
    "tells_no_time": [
        ("octshop_rt/commerce/order/service.py", '"""."""\nimport time\nnow = time.time()\n'),
        ("octshop_rt/commerce/order/service.py", '"""."""\nfrom time import time\n'),
        ("octshop_rt/verify/token.py", '"""."""\nfrom datetime import datetime\nnow = datetime.now()\n'),
        ("octshop_rt/im/session.py", '"""."""\nimport uuid\n'),
    ],
    "fen_is_fen": [
        ("octshop_rt/commerce/order/model.py", '"""."""\nclass A:\n    total_fen: int\n'),
        ("octshop_rt/commerce/order/model.py", '"""."""\nclass A:\n    total: Fen | None = None\n'),
        ("octshop_rt/commerce/order/rules.py", '"""."""\ndef f(price: Fen): ...\n'),
    ],
    "money_is_whole": [
        ("octshop_rt/commerce/pricing/split.py", '"""."""\nx = a / b\n'),
        ("octshop_rt/commerce/ledger/rules.py", '"""."""\nx = float(a)\n'),
        ("octshop_rt/commerce/payment/rules.py", '"""."""\nx = a * 0.006\n'),
    ],
    "route_declares_permission": [
        ("octshop_rt/commerce/api/buyer.py", '"""."""\nr = Route("GET", "/buyer/orders", handler)\n'),
    ],
    "request_is_bounded": [
        ("octshop_rt/commerce/api/buyer.py", '"""."""\nclass A(Struct, frozen=True):\n    request_id: RequestId\n'),
        (
            "octshop_rt/commerce/api/buyer.py",
            '"""."""\nclass A(Struct, forbid_unknown_fields=True):\n    quantity: int\n',
        ),
        (
            "octshop_rt/verify/api.py",
            '"""."""\nclass A(Struct, forbid_unknown_fields=True):\n    text: str | None = None\n',
        ),
    ],
}

BY_NAME = {check.__name__: check for check in rules.RULES}


@pytest.fixture(scope="module")
def tree() -> list[Source]:
    return python_files()


@pytest.mark.parametrize("name", BY_NAME)
def test_the_tree_keeps_the_rule(name: str, tree: list[Source]) -> None:
    complaints = BY_NAME[name](tree)
    assert not complaints, f"{BY_NAME[name].__doc__}\n" + "\n".join(complaints)


@pytest.mark.parametrize(("name", "place", "text"), [(name, *case) for name, cases in BROKEN.items() for case in cases])
def test_the_rule_is_red_when_broken(name: str, place: str, text: str) -> None:
    assert BY_NAME[name]([Source(place, text)])


def test_every_rule_has_been_broken_on_purpose() -> None:
    assert set(BROKEN) == set(BY_NAME)


def test_nothing_names_one_machine_or_a_registry() -> None:
    complaints = rules.stays_on_no_machine(iter(text_files()))
    assert not complaints, "\n".join(complaints)


def test_a_machine_path_is_seen() -> None:
    bad = [
        "cd /wo" + "rk/main",
        '"resolved": "https://registry' + '.npmjs.org/vue"',
        "--index-url https://pypi.org/si" + "mple",
    ]
    for line in bad:
        assert rules.stays_on_no_machine(iter([("docs/x.md", line)])), line
