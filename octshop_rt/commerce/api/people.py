"""Tells the doors who is who: members for all, grants for staff, the admin's mark for the platform."""

from __future__ import annotations

from octshop_rt.commerce.member.service import Members
from octshop_rt.commerce.shop.staff import StaffService
from octshop_rt.core.auth.model import Audience, Person


class CommercePeople:
    """People as core/auth asks for them."""

    def __init__(self, members: Members, staff: StaffService) -> None:
        self._members = members
        self._staff = staff

    async def person(self, audience: Audience, person_id: str) -> Person | None:
        """Nobody for the disabled, for staff without a grant, for admins who are none."""
        row = await self._members.person(person_id)
        if row is None or row.disabled or audience is Audience.PUBLIC:
            return None
        if audience is Audience.PLATFORM and not row.admin:
            return None
        grants = await self._staff.grants(person_id) if audience is Audience.STAFF else ()
        if audience is Audience.STAFF and not grants:
            return None
        if row.member_id is not None:  # a guest who has signed in since: come back as the member
            return None
        return Person(id=row.id, name=row.nickname, grants=grants, admin=row.admin, guest=row.guest, was=row.guests)
