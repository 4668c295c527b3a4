"""What production refuses at the start: simulators, codes that reach nobody, plain HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from octshop_rt import app as product
from octshop_rt.core.crypto import Secrets
from octshop_rt.core.settings import (
    HttpSettings,
    MongoSettings,
    PushSettings,
    SandboxSettings,
    Settings,
    SettingsError,
    SmsSettings,
)


def safe(folder: Path) -> Settings:
    secret = folder / "secret"
    Secrets.load(secret, create=True)
    return Settings(
        mode="production",
        secret_file=str(secret),
        mongo=MongoSettings(uri="mongodb://127.0.0.1:9/"),
        http=HttpSettings(public_url="https://mall.example"),
        sms=SmsSettings(url="https://sms.example/send"),
    )


async def test_a_safe_production_is_built(tmp_path: Path) -> None:
    app = await product.build(safe(tmp_path))
    paths = {route.resource.canonical for route in app.web.router.routes() if route.resource is not None}
    assert not any(path.startswith("/sandbox") for path in paths)
    await app.stop()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"sandbox": SandboxSettings(url="http://127.0.0.1:1")}, "simulator"),
        ({"push": PushSettings(sandbox_url="http://127.0.0.1:1")}, "push service"),
        ({"sms": SmsSettings()}, "sms"),
        ({"http": HttpSettings(public_url="http://mall.example")}, "https"),
    ],
)
async def test_an_unsafe_production_is_refused(tmp_path: Path, change: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        await product.build(msgspec.structs.replace(safe(tmp_path), **change))
