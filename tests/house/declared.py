"""What the running program declares: errors, collections, events. Judged after importing every module of it."""

from __future__ import annotations

import importlib
import pkgutil
import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args, get_type_hints

import msgspec

import octshop_rt
from octshop_rt.core.dispatcher import Subscription
from octshop_rt.core.errors import DomainError
from octshop_rt.core.mongo import Collection


def import_everything() -> None:
    """Import each module of the product, so that everything it declares is declared."""
    for module in pkgutil.walk_packages(octshop_rt.__path__, "octshop_rt."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def below(base: type) -> list[type]:
    """All classes below `base`, however deep."""
    found: list[type] = []
    for one in base.__subclasses__():
        found += [one, *below(one)]
    return found


def of_the_product(classes: Iterable[type]) -> list[type]:
    """Without those that tests made."""
    return [one for one in classes if one.__module__.startswith("octshop_rt.")]


def error_complaints(errors: Sequence[type[DomainError]]) -> list[str]:
    """Codes are dotted and unique; both languages are there and fill in the same fields."""
    complaints: list[str] = []
    own = [error for error in errors if "code" in vars(error)]
    for error in errors:
        name = f"{error.__module__}.{error.__name__}"
        if error not in own and not error.__subclasses__():
            complaints.append(f"{name}: no code of its own")
        if not re.fullmatch(r"[a-z_]+\.[a-z0-9_]+", error.code):
            complaints.append(f"{name}: {error.code} is not domain.problem")
        if not re.search(r"[\u4e00-\u9fff]", error.zh) or re.search(r"[\u4e00-\u9fff]", error.en) or not error.en:
            complaints.append(f"{name}: needs words in zh and in en")
        if error in own and error is not DomainError and (error.zh == DomainError.zh or error.en == DomainError.en):
            complaints.append(f"{name}: has the words of its base class")
        if _fields(error.zh) != _fields(error.en):
            complaints.append(f"{name}: zh and en fill in different fields")
    counted = Counter(error.code for error in own)
    return complaints + [f"{code} is used by {count} classes" for code, count in counted.items() if count > 1]


def _fields(text: str) -> set[str]:
    """Names filled in; `label_zh` and `label_en` are one field in two languages."""
    return {re.sub("_(zh|en)$", "", field) for _, field, _, _ in string.Formatter().parse(text) if field}


def index_complaints(collections: Sequence[Collection[Any]]) -> list[str]:
    """A unique index starts with the collection's shard key, else no sharded cluster could keep it."""
    return [
        f"{collection.database}.{collection.name}: unique {index.fields} does not start with {collection.shard_key}"
        for collection in collections
        for index in collection.indexes
        if index.unique and not _leads(collection.shard_key, index.fields)
    ]


def _leads(shard_key: tuple[str, ...], fields: tuple[str, ...]) -> bool:
    return tuple(field.lstrip("-") for field in fields[: len(shard_key)]) == shard_key


def name_complaints(collections: Sequence[Collection[Any]]) -> list[str]:
    """One schema owner a collection."""
    counted = Counter((collection.database, collection.name) for collection in collections)
    return [f"{database}.{name} is declared {count} times" for (database, name), count in counted.items() if count > 1]


def event_complaints(events: Iterable[type], heard: Iterable[type], unheard: Mapping[type, str]) -> list[str]:
    """Every event has a handler, or a reason why nobody listens; never both."""
    heard = set(heard)
    silent = [event for event in events if event not in heard and event not in unheard]
    complaints = [f"{event.__name__}: nobody hears it and nobody says why" for event in silent]
    complaints += [f"{event.__name__}: heard after all" for event in unheard if event in heard]
    return complaints + [f"{event.__name__}: an empty reason" for event, reason in unheard.items() if len(reason) < 20]


def subscription_complaints(subscriptions: Sequence[Subscription]) -> list[str]:
    """A subscription is known by event and name: the dedupe mark depends on it."""
    counted = Counter((one.event.__name__, one.name) for one in subscriptions)
    return [f"{event}/{name} is there {count} times" for (event, name), count in counted.items() if count > 1]


def text_patterns(structs: Iterable[type[msgspec.Struct]]) -> dict[str, str]:
    """Each pattern a field of text must match -> the fields' names."""
    found: dict[str, str] = {}
    for struct in structs:
        for name, hint in get_type_hints(struct, include_extras=True).items():
            for pattern in _patterns(hint):
                found[pattern] = f"{found[pattern]}, " if pattern in found else ""
                found[pattern] += f"{struct.__name__}.{name}"
    return found


def _patterns(hint: Any) -> list[str]:
    """Those of a type and of all its parts."""
    own = [one.pattern for one in getattr(hint, "__metadata__", ()) if isinstance(one, msgspec.Meta) and one.pattern]
    parts = [getattr(hint, "__origin__", None), *get_args(hint)] if get_args(hint) else []
    return own + [pattern for part in parts for pattern in _patterns(part)]


def pattern_complaints(patterns: Mapping[str, str]) -> list[str]:
    """A bare `$` also matches before a line feed at the end: "13800000001\\n" would be another person."""
    return [f"{pattern} of {fields}: end it with $(?!\\n)" for pattern, fields in patterns.items()
            if not (pattern.startswith("^") and pattern.endswith(r"$(?!\n)"))]  # fmt: skip
