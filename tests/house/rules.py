"""The house rules that no linter knows: each takes the parsed tree and returns complaints, empty when kept."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence

from tests.house.source import PROGRAM, Source

Rule = Callable[[Sequence[Source]], list[str]]
MOST_LINES = 400
MOST_FUNCTION_LINES = 70
RULES: list[Rule] = []


def rule(check: Callable[[Source], Iterator[str]]) -> Rule:
    """Make a rule about single files into one about the tree, and register it under its own name."""

    def whole(sources: Sequence[Source]) -> list[str]:
        return [words for source in sources for words in check(source)]

    whole.__name__ = check.__name__
    whole.__doc__ = check.__doc__
    RULES.append(whole)
    return whole


@rule
def says_what_it_is_for(source: Source) -> Iterator[str]:
    """Every file's first line is a docstring."""
    if not source.text.startswith(('"""', 'r"""', "#!")) or not ast.get_docstring(source.tree):
        yield f"{source.place}:1: the first line does not say what the file is for"


@rule
def is_short(source: Source) -> Iterator[str]:
    """At most 400 lines a file, 70 a function. Test functions tell whole stories and are exempt from the second."""
    lines = source.text.count("\n")
    if lines > MOST_LINES:
        yield f"{source.place}:1: {lines} lines; split it by use case"
    for node in source.nodes(ast.FunctionDef, ast.AsyncFunctionDef):
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > MOST_FUNCTION_LINES and not node.name.startswith("test_"):
            yield source.at(node, f"{node.name} has {length} lines; split it")


@rule
def has_a_name(source: Source) -> Iterator[str]:
    """No file is called utils, helpers, common or manager: such a file has no subject."""
    if set(re.split(r"[_.]", source.parts[-1])) & {"util", "utils", "helper", "helpers", "common", "manager"}:
        yield f"{source.place}:1: a name without a subject"


@rule
def is_finished(source: Source) -> Iterator[str]:
    """No left-over marks, no stubs, no error swallowed in silence."""
    marks = re.compile(r"#.*\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")
    for number, line in enumerate(source.text.splitlines(), 1):
        if marks.search(line):
            yield f"{source.place}:{number}: a left-over mark"
    for node in source.nodes(ast.Raise, ast.ExceptHandler):
        if isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.unparse(node.exc):
            yield source.at(node, "a stub")
        if isinstance(node, ast.ExceptHandler) and [type(inside) for inside in node.body] == [ast.Pass]:
            caught = ast.unparse(node.type) if node.type else "everything"
            if caught in {"everything", "Exception", "BaseException"}:
                yield source.at(node, "an error swallowed in silence")


@rule
def skips_nothing(source: Source) -> Iterator[str]:
    """A test whose part is missing fails with the command that brings it; it never skips in silence."""
    if source.parts[0] != "tests":
        return
    for node in source.nodes(ast.Attribute):
        if ast.unparse(node) in {"pytest.skip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.importorskip"}:
            yield source.at(node, "a test that may skip; fail with the command that brings the missing part")


@rule
def store_stays_home(source: Source) -> Iterator[str]:
    """A store is imported only inside its own domain."""
    if not source.ours:
        return
    for node, name in imports(source):
        parts = name.split(".")
        if parts[0] != PROGRAM or "store" not in parts:
            continue
        home = ".".join(parts[: parts.index("store")])
        if home != f"{PROGRAM}.core.auth" and not (source.module == home or source.module.startswith(home + ".")):
            yield source.at(node, f"{name} is used outside its domain {home}")


TIME_TELLERS = re.compile(
    r"time\.(time|monotonic|perf_counter)(_ns)?|(datetime\.)?(datetime|date)\.(now|utcnow|today)",
)


@rule
def tells_no_time(source: Source) -> Iterator[str]:
    """Only core/clock tells time, and only core/ids makes ids."""
    if not source.ours or source.place == f"{PROGRAM}/core/clock.py":
        return
    for node in source.nodes(ast.Attribute):
        words = ast.unparse(node)
        if re.fullmatch(
            r"time\.(time|monotonic|perf_counter)(_ns)?|(datetime\.)?(datetime|date)\.(now|utcnow|today)", words
        ):
            yield source.at(node, f"{words}: ask the clock")
    for node, name in imports(source):
        if name == "uuid" or name.startswith("uuid.") or name in {"time.time", "time.monotonic", "time.time_ns"}:
            yield source.at(node, f"{name}: ids come from core/ids, time from core/clock")


@rule
def fen_is_fen(source: Source) -> Iterator[str]:
    """A name ends in `_fen` if and only if its type is Fen, SignedFen or a narrower one made of them (UnitFen)."""
    if not source.ours:
        return
    for node, name, annotation in annotated(source):
        is_fen = bool(re.search(r"\b\w*Fen\b", annotation))
        plain = re.fullmatch(r"(Signed)?Fen( \| (None|UnsetType|msgspec\.UnsetType))*", annotation)
        if name.endswith("_fen") and not is_fen and annotation != "bool":
            yield source.at(node, f"{name}: {annotation} should be Fen")
        if plain and not re.search(r"(^|_)fen$", name):
            yield source.at(node, f"{name}: {annotation} should end in _fen")


MONEY_CODE = (
    "core/money.py",
    "commerce/pricing/",
    "commerce/ledger/",
    "commerce/payment/",
    "commerce/bill/",
    "commerce/order/",
    "commerce/aftersale/",
)


@rule
def money_is_whole(source: Source) -> Iterator[str]:
    """No `/` and no float where money is counted."""
    if not source.ours or not source.place.removeprefix(PROGRAM + "/").startswith(MONEY_CODE):
        return
    for node in source.nodes(ast.BinOp, ast.AugAssign, ast.Name, ast.Constant):
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield source.at(node, "`/` makes a float of money; use core/money")
        if isinstance(node, ast.Name) and node.id == "float":
            yield source.at(node, "float in money code")
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield source.at(node, f"{node.value} in money code")


@rule
def route_declares_permission(source: Source) -> Iterator[str]:
    """Every Route(...) names its permission."""
    if not source.ours:
        return
    for node in source.nodes(ast.Call):
        assert isinstance(node, ast.Call)
        a_route = isinstance(node.func, ast.Name) and node.func.id == "Route"
        if a_route and not any(keyword.arg == "permission" for keyword in node.keywords):
            yield source.at(node, "a route without a permission")


@rule
def request_is_bounded(source: Source) -> Iterator[str]:
    """A Struct that carries a request_id from a client refuses unknown fields, and bounds every int and str."""
    if not source.ours or "api" not in source.place:
        return
    for node in source.nodes(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        fields = [one for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
        asked = any(ast.unparse(field.annotation) == "RequestId" for field in fields)
        forbids = any(word.arg == "forbid_unknown_fields" for word in node.keywords)
        if asked and not forbids:
            yield source.at(node, f"{node.name} accepts unknown fields")
        if not forbids:
            continue
        for field in fields:
            if _unbounded(field.annotation):
                yield source.at(
                    field, f"{node.name}.{ast.unparse(field.target)}: bound it by Annotated[..., Meta(...)]"
                )


def _unbounded(annotation: ast.expr) -> bool:
    if isinstance(annotation, ast.Name):
        return annotation.id in {"int", "str"}
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) in {"Annotated", "Literal"}:
        return False
    return any(_unbounded(inside) for inside in ast.iter_child_nodes(annotation) if isinstance(inside, ast.expr))


def imports(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Every imported dotted name."""
    for node in source.nodes(ast.Import, ast.ImportFrom):
        if isinstance(node, ast.Import):
            yield from ((node, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node, f"{node.module}.{name.name}") for name in node.names)


def annotated(source: Source) -> Iterator[tuple[ast.AST, str, str]]:
    """Every name that has a written type: fields, variables, arguments, and functions for what they return."""
    for node in source.nodes(ast.AnnAssign, ast.arg):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name | ast.Attribute):
            name = node.target.id if isinstance(node.target, ast.Name) else node.target.attr
            if name not in {"Fen", "SignedFen"}:
                yield node, name, ast.unparse(node.annotation)
        elif isinstance(node, ast.arg) and node.annotation is not None:
            yield node, node.arg, ast.unparse(node.annotation)


# Written in two halves, so that this file does not complain about itself.
_PLACES = "|".join(("wo" + "rk", "ro" + "ot", "tm" + "p", "ho" + "me"))
_REGISTRIES = ("registry\\.npm", "files\\.python" + "hosted", "pypi\\.org/si" + "mple", "deb\\.deb" + "ian\\.org")
ELSEWHERE = re.compile(rf"(?<![\w.])/({_PLACES})/[\w.-]+|" + "|".join(_REGISTRIES))


def stays_on_no_machine(files: Iterator[tuple[str, str]]) -> list[str]:
    """No path of one machine and no address of a package registry in anything committed."""
    return [
        f"{place}:{number}: {found[0]}"
        for place, text in files
        for number, line in enumerate(text.splitlines(), 1)
        if (found := ELSEWHERE.search(line))
    ]
