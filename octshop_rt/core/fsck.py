"""fsck: each domain registers its checks; one run names every violation. The oracle of fault tests and operators."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from octshop_rt.core.mongo import Database


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One violated invariant: which check, which object, what should be, what is."""

    check: str
    object_id: str
    expected: str
    found: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """`run(db)` streams findings in constant memory and changes nothing. `text` says what always holds."""

    id: str
    text: str
    run: Callable[[Database], AsyncIterator[Finding]]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a run saw."""

    checks: int
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Whether every invariant holds."""
        return not self.findings


async def examine(
    db: Database, checks: Sequence[Check], *, progress: Callable[[Check, int], None] | None = None
) -> Report:
    """Run `checks` in order; `progress(check, findings so far)` is told before each."""
    findings: list[Finding] = []
    for check in checks:
        if progress is not None:
            progress(check, len(findings))
        try:
            async for finding in check.run(db):
                findings.append(finding)  # noqa: PERF401  (the length is told while it grows)
        except msgspec.ValidationError as fault:
            # F81 names the document; the checks after this one still get their turn.
            findings.append(Finding(check=check.id, object_id="", expected="readable rows", found=str(fault)))
    return Report(checks=len(checks), findings=tuple(findings))
