"""OpenAPI 3.1, built from the route table and the Structs themselves: it cannot say anything but what the code does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from octshop_rt.core.auth.model import Audience, CsrfRefused, ForeignOrigin, NotSignedIn
from octshop_rt.core.errors import BadInput, Busy, DomainError, Forbidden, NotFound, RateLimited, UnknownOutcome
from octshop_rt.core.http.door import COOKIES, CSRF_HEADER
from octshop_rt.core.http.media import JSON, MSGPACK
from octshop_rt.core.http.problem import PROBLEM_JSON, Problem
from octshop_rt.core.http.refusals import NotAcceptable, TooLarge, TooSlow, UnsupportedMedia, words
from octshop_rt.core.http.routes import API, PATH_VALUE, Raw, Route
from octshop_rt.core.http.streams import Flow, Stream

_REF = "#/components/schemas/{name}"
Tree = dict[str, Any]


def document(routes: Sequence[Route], *, version: str, secure: bool) -> Tree:
    """The whole description."""
    shapes: list[Any] = [Problem]
    for route in routes:
        for shape in (route.body, route.query, route.answer):
            if shape not in {None, bytes, Raw, Stream, Flow} and shape not in shapes:
                shapes.append(shape)
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    _as_ecma(components)
    schema_of = {id(shape): schema for shape, schema in zip(shapes, schemas, strict=True)}
    paths: dict[str, Tree] = {}
    for route in routes:
        operation = _operation(route, schema_of, components)
        paths.setdefault(API + route.path, {})[route.method.lower()] = operation
    prefix = "__Host-" if secure else ""
    schemes: Tree = {
        audience.value: {"type": "apiKey", "in": "cookie", "name": prefix + name} for audience, name in COOKIES.items()
    }
    schemes["bearer"] = {"type": "http", "scheme": "bearer", "description": "for devices; cookies are then ignored"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "octshop-rt",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Money is integer fen, time is UTC milliseconds, ids are strings. Bodies and answers are "
            "JSON or msgpack by Content-Type and Accept; errors are RFC 9457 problems with a stable code. Every change "
            "carries a request_id made by the client and kept over retries.",
        },
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": schemes},
    }


def _as_ecma(tree: Any) -> None:
    """Patterns as ECMA-262 writes them, where a `$` is the very end; Python's also lets a line feed follow."""
    parts: list[Any] = []
    if isinstance(tree, dict):
        branch = cast("Tree", tree)
        if isinstance(pattern := branch.get("pattern"), str):
            branch["pattern"] = pattern.replace(r"$(?!\n)", "$")
        parts = list(branch.values())
    elif isinstance(tree, list):
        parts = cast("list[Any]", tree)
    for part in parts:
        _as_ecma(part)


def refusals_of(route: Route) -> list[type[DomainError]]:
    """What this route may refuse: its own refusals and those every route of its kind has from the edge."""
    found: list[type[DomainError]] = [BadInput, NotAcceptable, RateLimited, Busy]
    if route.permission.audience is not Audience.PUBLIC:
        found.append(NotSignedIn)
        if route.mutating:
            found.append(CsrfRefused)
    if route.permission.right is not None:
        found.append(Forbidden)
    if route.placeholders:
        found.append(NotFound)
    if route.mutating:
        found += [ForeignOrigin, UnknownOutcome]
    if route.body is not None:
        found += [TooLarge, TooSlow, UnsupportedMedia]
    return list(dict.fromkeys([*route.errors, *found]))


def _operation(route: Route, schema_of: dict[int, Tree], components: dict[str, Any]) -> Tree:
    operation: Tree = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "tags": [route.path.strip("/").split("/")[0]],
        "parameters": [*_path_parameters(route), *_query_parameters(route, schema_of, components)],
        "responses": _responses(route, schema_of),
        "x-permission": {
            "audience": route.permission.audience.value,
            "right": route.permission.right,
            "scope": "shop" if route.permission.scoped else None,
        },
    }
    audience = route.permission.audience
    operation["security"] = [] if audience is Audience.PUBLIC else [{audience.value: []}, {"bearer": []}]
    if audience is not Audience.PUBLIC and route.mutating:
        operation["parameters"].append(
            {
                "name": CSRF_HEADER,
                "in": "header",
                "required": False,
                "description": "needed with a cookie, not with a bearer token; given at sign-in",
                "schema": {"type": "string"},
            }
        )
    if route.body in {bytes, Stream}:
        kinds = route.takes or ("application/octet-stream",)
        operation["requestBody"] = {"required": True, "content": {kind: {} for kind in kinds}}
    elif route.body is not None:
        schema = {"schema": schema_of[id(route.body)]}
        operation["requestBody"] = {"required": True, "content": {JSON: schema, MSGPACK: schema}}
    return operation


def _path_parameters(route: Route) -> list[Tree]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{PATH_VALUE.pattern}$"},
        }
        for name in route.placeholders
    ]


def _query_parameters(route: Route, schema_of: dict[int, Tree], components: dict[str, Any]) -> list[Tree]:
    if route.query is None:
        return []
    schema = schema_of[id(route.query)]
    if "$ref" in schema:
        schema = components[str(schema["$ref"]).rsplit("/", 1)[-1]]
    required = set(schema.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _not_null(inner)}
        for name, inner in schema.get("properties", {}).items()
    ]


def _not_null(schema: Tree) -> Tree:
    """A query parameter is given or left out; it cannot be null."""
    kept = {key: value for key, value in schema.items() if not (key == "default" and value is None)}
    choices = [one for one in kept.pop("anyOf", []) if one != {"type": "null"}]
    if len(choices) == 1:
        return {**kept, **choices[0]}
    return {**kept, "anyOf": choices} if choices else kept


def _responses(route: Route, schema_of: dict[int, Tree]) -> Tree:
    good: Tree = {"description": "Done"}
    if route.answer in {Raw, Flow}:
        good["content"] = {"*/*": {}}
    elif route.answer is not None:
        schema = {"schema": schema_of[id(route.answer)]}
        good["content"] = {JSON: schema, MSGPACK: schema}
    responses: Tree = {str(route.status): good}
    if route.answer is Flow:
        responses |= {"206": good, "304": {"description": "You have it"}, "416": {"description": "No such part"}}
    by_status: dict[int, list[type[DomainError]]] = {}
    for refusal in refusals_of(route):
        by_status.setdefault(refusal.status, []).append(refusal)
    problem = {"schema": schema_of[id(Problem)]}
    for status, refusals in sorted(by_status.items()):
        codes = ", ".join(f"`{refusal.code}`" for refusal in refusals)
        responses[str(status)] = {
            "description": f"{words(status).en}: {codes}",
            "content": {PROBLEM_JSON: problem, MSGPACK: problem},
        }
    return responses
