"""A document nobody could have written is named by fsck and does not stop it."""

from __future__ import annotations

from octshop_rt.commerce.ledger import checks as ledger_checks
from octshop_rt.commerce.ledger.store import BALANCES, JOURNALS
from octshop_rt.core import checks, mongo
from octshop_rt.core.fsck import examine
from octshop_rt.core.mongo import Database
from octshop_rt.verify.store import VOUCHERS


async def test_a_document_of_another_shape_is_named(db: Database) -> None:
    await db.create_indexes(mongo.declared)
    await db.raw(JOURNALS).insert_one({"_id": "J1", "ref": "payment:A1", "entries": "none"})
    await db.raw(VOUCHERS).insert_one({"_id": "V1", "uses_total": -1})
    report = await examine(db, [*ledger_checks.CHECKS, *checks.CHECKS])
    named = {one.object_id for one in report.findings if one.check == "F81"}
    assert named == {"trading.ledger_journals J1", "trading.vouchers V1"}
    # the checks that stumble over it say so, and those after them still look
    assert "F40" in {one.check for one in report.findings}
    await db.raw(BALANCES).insert_one(
        {"_id": "member_wallet:U1:CNY", "balance_fen": 5, "held_fen": 9, "seq": 0, "changed_at": 0}
    )
    again = await examine(db, [*ledger_checks.CHECKS, *checks.CHECKS])
    assert "F43" in {one.check for one in again.findings}
