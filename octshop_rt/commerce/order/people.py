"""What orders ask about people: where somebody works, and how a phone number is shown to others."""

from __future__ import annotations

from octshop_rt.commerce.member.service import Members
from octshop_rt.commerce.shop.staff import StaffService


class People:
    """Members and staff, as a checkout needs them."""

    def __init__(self, members: Members, staff: StaffService) -> None:
        self._members = members
        self._staff = staff

    async def works_at(self, person_id: str) -> frozenset[str]:
        """Shops this person holds a role at."""
        return frozenset(grant.shop_id for grant in await self._staff.grants(person_id))

    async def masked(self, person_id: str) -> str:
        """`138****1234`; NotFound if there is nobody."""
        return (await self._members.card(person_id)).phone_masked
