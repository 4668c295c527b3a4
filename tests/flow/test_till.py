"""The till over HTTP: asking after a lost answer charges nobody; a wrong sale goes back, but not at every hand."""

from __future__ import annotations

import asyncio

from tests.flow.house import House, fresh
from tests.flow.test_main_job import until

OWNER, MANAGER, CASHIER = "13900000001", "13900000002", "13900000004"


async def test_a_lost_request_is_asked_about_and_called_off_on_any_node(two_nodes: House):
    # req issue 13, finding 3
    till = f"/shop/{two_nodes.shop_id}/tills/{two_nodes.till_id}"
    async with two_nodes.client(0) as here, two_nodes.client(1) as there:
        for one in (here, there):
            await one.sign_in("staff", CASHIER)
        request_id = fresh()
        assert await here.get(f"{till}/requests/{request_id}") == {"standing": "absent"}
        assert await here.post(f"{till}/requests/{request_id}/reverse") == {"standing": "void"}
        code = (await two_nodes.phone_api("POST", "/payment-codes"))["auth_code"]
        late = {"request_id": request_id, "amount_fen": 1250, "auth_code": code}
        refused = await there.post(f"{till}/charges", late, expect=409)
        assert refused["code"] == "payment.request_forbidden"
        assert (await there.get(f"{till}/takings"))["open"] == []
        # The code was never used.
        paid = await there.post(f"{till}/charges", late | {"request_id": fresh()})
        assert paid["state"] == "paid"
        # Both at once, many times: whoever is first, the buyer never ends up charged.
        for _ in range(8):
            wish = {"request_id": fresh(), "amount_fen": 700}
            (status, charged), off = await asyncio.gather(
                there.ask("POST", f"{till}/charges", wish),
                here.post(f"{till}/requests/{wish['request_id']}/reverse"),
            )
            assert (status == 409) is (off["standing"] == "void"), charged
        after = await until(lambda: here.get(f"{till}/takings"), lambda seen: seen["open"] == [])
        assert after["total_fen"] == 1250
    assert await two_nodes.findings() == []


async def test_a_sale_goes_back_by_its_cashier_or_a_manager(one_node: House):
    # req issue 13, finding 7
    till = f"/shop/{one_node.shop_id}/tills/{one_node.till_id}"
    async with one_node.client() as cashier, one_node.client() as manager:
        await cashier.sign_in("staff", CASHIER)
        await manager.sign_in("staff", MANAGER)

        async def sale(by: object) -> str:
            code = (await one_node.phone_api("POST", "/payment-codes"))["auth_code"]
            wish = {"request_id": fresh(), "amount_fen": 500, "auth_code": code}
            charge = await (manager if by is manager else cashier).post(f"{till}/charges", wish)
            assert charge["state"] == "paid"
            return str(charge["id"])

        theirs, mine = await sale(manager), await sale(cashier)
        await until(lambda: cashier.get(f"{till}/takings"), lambda seen: seen["count"] == 2)
        offered = {one["id"]: one.get("returnable", False) for one in (await cashier.get(f"{till}/takings"))["last"]}
        assert offered == {theirs: False, mine: True}
        refused = await cashier.post(f"{till}/charges/{theirs}/reverse", expect=403)
        assert (refused["code"], "10" in refused["detail"]) == ("bill.not_yours_to_give_back", True)
        assert all(one["returnable"] for one in (await manager.get(f"{till}/takings"))["last"])
        for who, charge_id in ((cashier, mine), (manager, theirs)):
            assert (await who.post(f"{till}/charges/{charge_id}/reverse"))["state"] == "reversed"
        assert (await manager.get(f"{till}/takings"))["total_fen"] == 0
    assert await one_node.findings() == []
