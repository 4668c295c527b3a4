"""Process settings: one frozen Struct from one TOML file and `OCTSHOP__A__B` variables. Unknown keys stop the start."""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast

import msgspec


class SettingsError(Exception):
    """The settings cannot be used; the message says which key and why."""


class MongoSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`apart` may give `im`, `files` or `ads` a cluster of their own by URI."""

    uri: str = ""
    prefix: str = "octshop"
    apart: dict[Literal["im", "files", "ads"], str] = {}


class RedisSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Empty: one process with the in-process twins."""

    url: str = ""


class HttpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`public_url` is the exact origin browsers use; `proxies` are the only peers whose X-Forwarded-For counts."""

    host: str = "127.0.0.1"
    port: int = 8480
    public_url: str = ""
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    web_dir: str = ""

    @property
    def origin(self) -> str:
        """The origin of our own pages."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


class WechatSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One WeChat Pay v3 merchant account. Keys are file paths, never values.

    `platform_key_file` is WeChat's public key (mode `PUB_KEY_ID_…`), `platform_key_id` its id.
    """

    mchid: str
    appid: str
    serial_no: str
    private_key_file: str
    api_v3_key_file: str
    platform_key_id: str
    platform_key_file: str
    gateway_url: str = "https://api.mch.weixin.qq.com"
    notify_url: str = ""
    barcode: Literal["v3", "off"] = "v3"


class SmsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`url` receives POST {phone, code, purpose}; empty uses the demo inbox, which production refuses."""

    url: str = ""
    token_file: str = ""


class S3Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A bucket of an S3-compatible store, addressed by path (`endpoint/bucket/key`). Keys are file paths, never values.

    The bucket must be private and ours alone: `fsck` calls an object without a row a fault.
    """

    endpoint: str
    bucket: str
    region: str = "us-east-1"
    access_key_file: str
    secret_key_file: str


class FilesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where uploads lie: GridFS in the `files` database, or `s3` when it is given."""

    s3: S3Settings | None = None


class SandboxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The payment-channel simulator; `url` empty means none. Refused in production."""

    url: str = ""


class AssistantSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A chat endpoint of OpenAI's shape that may answer buyers' questions where a shop has switched it on; none: ''.

    `url` is what stands before `/chat/completions`; production takes https only. The key is a file path, never a value.
    """

    url: str = ""
    key_file: str = ""
    model: str = ""
    seconds: float = 8
    max_tokens: int = 400
    concurrent: int = 4


class PushSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Web Push. `services`: hosts of push services we call, over https alone; `*.` stands for labels before.

    `contact` (mailto: or https:) is how a push service reaches us, our public address where it is empty. `sandbox_url`
    is the simulator; refused in production. `grace_s`: how long somebody must be away before they are told.
    """

    contact: str = ""
    services: tuple[str, ...] = (
        "fcm.googleapis.com",
        "updates.push.services.mozilla.com",
        "*.notify.windows.com",
        "web.push.apple.com",
    )
    sandbox_url: str = ""
    grace_s: float = 20
    seconds: float = 10


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of it. Business figures (periods, rates, switches) are not here: they are versioned documents."""

    mode: Literal["production", "demo", "test"] = "production"
    data_dir: str = "var"
    secret_file: str = ""
    mongo: MongoSettings = MongoSettings()
    redis: RedisSettings = RedisSettings()
    http: HttpSettings = HttpSettings()
    wechat: dict[str, WechatSettings] = {}
    sms: SmsSettings = SmsSettings()
    sandbox: SandboxSettings = SandboxSettings()
    files: FilesSettings = FilesSettings()
    assistant: AssistantSettings = AssistantSettings()
    push: PushSettings = PushSettings()

    @property
    def production(self) -> bool:
        """Whether simulators, demo senders and test commands are refused."""
        return self.mode == "production"


PREFIX = "OCTSHOP__"


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from `path` (TOML) with variables on top. SettingsError on unknown keys and wrong types."""
    tree: dict[str, Any] = {}
    if path is not None:
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as fault:
            message = f"cannot read settings file {path}: {fault.strerror}"
            raise SettingsError(message) from None
        except tomllib.TOMLDecodeError as fault:
            message = f"settings file {path} is not TOML: {fault}"
            raise SettingsError(message) from None
    _overlay(tree, os.environ if environment is None else environment)
    try:
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as fault:
        message = f"settings: {fault}"
        raise SettingsError(message) from None


def _overlay(tree: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX):
            continue
        *path, last = name[len(PREFIX) :].lower().split("__")
        place = tree
        for part in path:
            below: Any = place.setdefault(part, {})
            if not isinstance(below, dict):
                message = f"settings: {name} goes below {part}, which holds a value"
                raise SettingsError(message)
            place = cast("dict[str, Any]", below)
        place[last] = _told(value)


def _told(value: str) -> object:
    """What a variable holds: a list or table is written as JSON; everything else is text, and the field's type reads
    it.
    """
    if value.startswith(("[", "{")):
        with contextlib.suppress(msgspec.DecodeError):  # "[::1]" is an address
            return msgspec.json.decode(value, type=list[Any] | dict[str, Any])
    return value


def variables(settings: Settings) -> dict[str, str]:
    """The variables from which `load` makes these settings again, wherever nothing else is set."""
    return dict(_variables(msgspec.to_builtins(settings), PREFIX))


def _variables(tree: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and all(_survives(key) for key in cast("Mapping[str, Any]", value)):
            yield from _variables(cast("Mapping[str, Any]", value), f"{path}{name.upper()}__")
        elif value is not None:
            yield f"{path}{name.upper()}", value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _survives(key: str) -> bool:
    """Whether a key is read as it was when it is part of a variable's name: a merchant's id is not."""
    return key == key.upper().lower() and "__" not in key
