"""Time, ids, money, lives, codecs, settings and secrets: pure, in milliseconds."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from octshop_rt.core import money, settings
from octshop_rt.core.clock import DAY, TestClock, as_datetime, business_day, business_day_bounds, from_datetime
from octshop_rt.core.codec import Codec
from octshop_rt.core.crypto import Secrets, SecretsError
from octshop_rt.core.errors import BadInput, DomainError
from octshop_rt.core.ids import Ids
from octshop_rt.core.settings import SettingsError
from octshop_rt.core.statemachine import Life


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any))
def test_a_split_closes_to_the_fen_and_is_fair(total: int, weights: list[int]) -> None:  # req M1, M3
    shares = money.split(total, weights)
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * sum(weights) - total * weight) < sum(weights)


@given(st.integers(0, 10**12), st.integers(0, 10_000))
def test_a_share_is_rounded_half_up(amount: int, rate: int) -> None:
    share = money.share_half_up(amount, rate)
    assert -5_000 <= amount * rate - share * 10_000 < 5_000 or amount * rate - share * 10_000 == -5_000


def test_nothing_is_split_over_no_weight() -> None:
    assert money.split(0, [0, 0]) == [0, 0]
    for weights in ([0, 0], [], [2, -1]):
        with pytest.raises(ValueError, match="weights"):
            money.split(5, weights)


def test_ids_sort_by_birth_and_fit_a_channels_number(clock: TestClock) -> None:
    ids = Ids(clock)
    born: list[str] = []
    for _ in range(50):
        born.append(ids.new("A"))
        clock.advance(1)
    assert born == sorted(born)
    assert all(len(one) == 27 and one.isalnum() and one[0] == "A" for one in born)
    assert len({ids.new("O") for _ in range(1000)}) == 1000


def test_the_business_day_is_shanghais() -> None:
    start, end = business_day_bounds("2026-11-22")
    assert end - start == DAY
    assert business_day(start) == business_day(end - 1) == "2026-11-22"
    assert business_day(start - 1) == "2026-11-21"
    assert from_datetime(as_datetime(start + 7)) == start + 7


def test_a_life_refuses_what_its_table_does_not_say() -> None:  # req 2.3.1
    life = Life("lamp", {"off": ("on",), "on": ("off", "broken"), "broken": ()})
    assert life.may("off", "on")
    assert not life.may("broken", "on")
    assert life.sources("off") == ["on"]
    assert life.final("broken")
    with pytest.raises(ValueError, match="undeclared"):
        Life("lamp", {"off": ("on",)})


class Small(msgspec.Struct, forbid_unknown_fields=True):
    """For the codec."""

    number: int


@pytest.mark.parametrize(
    "data",
    [b"", b"[", b'{"number": "1"}', b'{"number": 1, "more": 2}', b'{"number": {"$gt": 0}}', b"\xff", b"[" * 100_000],
)
def test_bad_json_is_bad_input(data: bytes) -> None:
    with pytest.raises(BadInput):
        Codec(Small).from_json(data)


@pytest.mark.parametrize(
    "data", [b"", b"\x81", b"\xdd\xff\xff\xff\xff", b"\x81\xa1\xff\x01", b"\x91" * 100_000, b"\x81\xa6number\x01\x00"]
)
def test_bad_msgpack_is_bad_input(data: bytes) -> None:
    with pytest.raises(BadInput):
        Codec(Small).from_msgpack(data)


def test_both_codecs_carry_the_same() -> None:
    codec = Codec(Small)
    assert codec.from_json(codec.json(Small(3))) == codec.from_msgpack(codec.msgpack(Small(3))) == Small(3)


def test_settings_come_from_a_file_and_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "octshop.toml"
    file.write_text('mode = "demo"\n[http]\nport = 9000\n')
    loaded = settings.load(file, {"OCTSHOP__HTTP__HOST": "0.0.0.0", "OCTSHOP__MONGO__PREFIX": "x", "PATH": "y"})
    assert (loaded.mode, loaded.http.port, loaded.http.host, loaded.mongo.prefix) == ("demo", 9000, "0.0.0.0", "x")
    assert settings.load(None, {"OCTSHOP__HTTP__PORT": "81"}).http.port == 81
    assert settings.load(None, {}).production


def test_settings_pass_through_variables_whole() -> None:
    """To further processes: lists, what was emptied, numbers that are zero, merchants' ids as they are written, and
    words that only look like a list.
    """
    names = ("mchid", "appid", "serial_no", "private_key_file", "api_v3_key_file", "platform_key_id")
    account = dict.fromkeys((*names, "platform_key_file"), "x")
    tree = {
        "wechat": {"default": account, "M01HZ": account | {"mchid": "y"}},
        "mode": "demo",
        "http": {"host": "[::1]", "port": 81, "origins": ["https://a.example", "https://b.example"], "proxies": []},
        "mongo": {"apart": {"im": "mongodb://x/?a=b"}},
        "push": {"services": [], "grace_s": 0, "contact": "[ops"},
        "assistant": {"concurrent": 0},
    }
    one = msgspec.convert(tree, settings.Settings)
    assert settings.load(None, settings.variables(one)) == one
    assert settings.load(None, settings.variables(settings.Settings())) == settings.Settings()


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("colour = 1", {}),
        ("[http]\nprot = 1", {}),
        ("mode = 'fast'", {}),
        ("mode = [", {}),
        ("", {"OCTSHOP__HTTP__PROT": "1"}),
        ("", {"OCTSHOP__MODE__X": "1", "OCTSHOP__MODE": "demo"}),
    ],
)
def test_unknown_settings_stop_the_start(tmp_path: Path, text: str, environment: dict[str, str]) -> None:
    file = tmp_path / "octshop.toml"
    file.write_text(text)
    with pytest.raises(SettingsError):
        settings.load(file, environment)
    with pytest.raises(SettingsError, match="cannot read"):
        settings.load(tmp_path / "none.toml", {})


def test_secrets_are_made_once_kept_private_and_derived_by_purpose(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "secret"
    with pytest.raises(SecretsError, match="no secret file"):
        Secrets.load(file, create=False)
    first = Secrets.load(file, create=True)
    assert file.stat().st_mode & 0o777 == 0o600
    assert Secrets.load(file, create=False).key("a.1") == first.key("a.1") != first.key("a.2")
    assert "…" in repr(first)
    file.chmod(0o644)
    with pytest.raises(SecretsError, match="chmod 600"):
        Secrets.load(file, create=False)


def test_a_refusal_speaks_two_languages() -> None:
    class Gone(DomainError):
        code = "test.gone"
        zh = "只剩 {left} 件"
        en = "Only {left} left"

    fault = Gone(left=3)
    assert (fault.text("zh-CN"), fault.text("en"), fault.data) == ("只剩 3 件", "Only 3 left", {"left": 3})
