"""Proves what the API says of itself: OpenAPI 3.1 that matches the table, and a page anybody can read."""

from __future__ import annotations

import json
import re
from typing import Any

from octshop_rt.core.http import openapi
from octshop_rt.core.http.routes import API
from tests.http.city import City, Town


def _references(tree: Any) -> set[str]:
    if isinstance(tree, dict):
        own = {tree["$ref"]} if isinstance(tree.get("$ref"), str) else set()
        return own.union(*(_references(value) for value in tree.values()))
    if isinstance(tree, list):
        return set().union(*(_references(value) for value in tree))
    return set()


async def test_the_description_is_whole(city: City) -> None:  # issue 8
    async with city.client.get(f"{city.url}/api/openapi.json") as answer:
        assert answer.content_type == "application/json"
        tree = await answer.json()
    assert tree["openapi"].startswith("3.1.")
    routes = Town().routes()
    described = {(method.upper(), path) for path, item in tree["paths"].items() for method in item}
    assert described == {(route.method, API + route.path) for route in routes}
    for reference in _references(tree):
        assert reference.removeprefix("#/components/schemas/") in tree["components"]["schemas"]
    ids = [one["operationId"] for item in tree["paths"].values() for one in item.values()]
    assert len(ids) == len(set(ids))
    for path, item in tree["paths"].items():
        names = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        for one in item.values():
            assert {given["name"] for given in one["parameters"] if given["in"] == "path"} == names
            for status, answer in one["responses"].items():
                if int(status) >= 400:
                    assert answer["content"]["application/problem+json"]["schema"] == {
                        "$ref": "#/components/schemas/Problem"
                    }


async def test_bodies_and_queries_are_described_as_they_are_checked(city: City) -> None:
    async with city.client.get(f"{city.url}/api/openapi.json") as answer:
        tree = await answer.json()
    word = tree["components"]["schemas"]["Word"]
    assert word["properties"]["text"] == {"type": "string", "minLength": 1, "maxLength": 20}
    assert word["properties"]["count"] == {"type": "integer", "minimum": 0, "maximum": 100, "default": 1}
    assert word["additionalProperties"] is False
    assert word["required"] == ["text"]
    page = {one["name"]: one for one in tree["paths"][f"{API}/echo"]["get"]["parameters"]}
    assert page["cursor"] == {
        "name": "cursor", "in": "query", "required": False, "schema": {"type": "string", "maxLength": 10},
    }  # fmt: skip
    assert page["most"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 50, "default": 20}


async def test_refusals_and_permissions_are_described(city: City) -> None:
    async with city.client.get(f"{city.url}/api/openapi.json") as answer:
        tree = await answer.json()
    money = tree["paths"][f"{API}/shop/{{shop_id}}/money"]["put"]
    assert set(money["responses"]) == {
        "200", "400", "401", "403", "404", "406", "408", "413", "415", "429", "503",
    }  # fmt: skip
    assert money["x-permission"] == {"audience": "staff", "right": "finance.read", "scope": "shop"}
    assert money["security"] == [{"staff": []}, {"bearer": []}]
    assert "`town.sold_out`" in tree["paths"][f"{API}/fault/{{kind}}"]["get"]["responses"]["409"]["description"]
    assert tree["paths"][f"{API}/echo"]["post"]["security"] == []
    assert tree["components"]["securitySchemes"]["staff"]["name"] == "oct_staff"


async def test_the_page_is_readable_and_needs_nothing_foreign(city: City) -> None:
    for lang, title in (("zh-CN", "接口文档"), ("en", "octshop-rt API")):
        async with city.client.get(f"{city.url}/api/docs?lang={lang}") as answer:
            assert answer.content_type == "text/html"
            policy = answer.headers["Content-Security-Policy"]
            text = await answer.text()
        assert title in text
        assert "script" not in policy
        assert "unsafe" not in policy
        assert "<script" not in text
        assert not re.search(r"https?://", text)
        for route in Town().routes():
            assert f"{API}{route.path}".replace("{", "{") in text
        assert "town.sold_out" in text
        for code in {one.code for route in Town().routes() for one in openapi.refusals_of(route)}:
            assert f'id="{code}"' in text


def test_the_description_is_json() -> None:
    assert json.loads(json.dumps(openapi.document(Town().routes(), version="1", secure=True)))
