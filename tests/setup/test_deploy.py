"""The deployment files parse and agree with each other and with the settings; no engine is needed for that."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import msgspec
import pytest
import yaml

from octshop_rt.commerce.api.channel import notice_path
from octshop_rt.commerce.payment.settle import DEFAULT_ACCOUNT
from octshop_rt.core.http.routes import API
from octshop_rt.core.settings import Settings, SettingsError, load
from tests.house.source import ROOT

DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_every_name_used_is_declared(compose: dict[str, Any]) -> None:  # req 2
    services = compose["services"]
    for name, service in services.items():
        assert "image" in service or "build" in service, name
        for other, how in service.get("depends_on", {}).items():
            assert other in services, f"{name} waits for {other}"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other], f"{name} waits for the health of {other}, which tells none"
        for secret in service.get("secrets", []):
            assert secret in compose["secrets"], f"{name}: {secret}"
        for network in service.get("networks", []):
            assert network in compose["networks"], f"{name}: {network}"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith("./") or source in compose["volumes"], f"{name}: {source}"


def test_the_parts_are_supported_and_shut_in(compose: dict[str, Any]) -> None:
    services = compose["services"]
    mongos = [services[f"mongo-{number}"] for number in (1, 2, 3)]
    for mongo in mongos:
        assert int(mongo["image"].removeprefix("mongo:").split(".")[0]) >= 7
        words = " ".join(mongo["entrypoint"])
        for flag in ("--replSet rs0", "--keyFile", "--noscripting", "transactionLifetimeLimitSeconds=5"):
            assert flag in words
        assert "ports" not in mongo
    assert "ports" not in services["redis"]
    assert compose["networks"]["inside"]["internal"] is True
    for name in ("server-1", "server-2"):
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"])
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]


def test_no_secret_stands_in_the_file(compose: dict[str, Any]) -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    assert not re.search(r"(?i)(password|secret|key)\s*[:=]\s*['\"]?[0-9a-f]{12,}", text)
    assert all(one["file"].startswith("./secrets/") for one in compose["secrets"].values())


def test_the_dockerfile_copies_what_exists() -> None:
    for line in (DEPLOY / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert source.endswith("*") or (ROOT / source).exists(), source
    assert "--require-hashes" in (DEPLOY / "Dockerfile").read_text()


def test_the_example_settings_are_accepted() -> None:
    settings = load(DEPLOY / "production.example.toml", {})
    assert settings.production
    assert settings.http.origin == "https://shop.example.com"


def test_the_example_takes_money_and_hears_of_it() -> None:
    settings = load(DEPLOY / "production.example.toml", {})
    assert all(one.gateway_url.startswith("https://") for one in settings.wechat.values())
    assert DEFAULT_ACCOUNT in settings.wechat, "payments of merchants without an account of their own have none"
    for account_id, one in settings.wechat.items():
        assert one.notify_url == f"{settings.http.origin}{API}{notice_path(account_id)}"


def test_the_example_names_every_group_of_settings() -> None:
    example = tomllib.loads((DEPLOY / "production.example.toml").read_text())
    groups = {field.name for field in msgspec.structs.fields(Settings)}
    assert groups - set(example) == {"sandbox"}, "a simulator has no place in production; everything else is shown"


def test_an_unknown_key_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="prot"):
        load(DEPLOY / "production.example.toml", {"OCTSHOP__HTTP__PROT": "1"})
