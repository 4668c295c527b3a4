"""Which devices of which persons are connected to this node: replaces a device's old link and caps links per person."""

from __future__ import annotations


class Presence:
    """Links of this node by person and device. Other nodes learn of an arrival over the bus (see routing)."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, tuple[str, int]]] = {}  # {person: {link: (device, when it was opened)}}

    def arrive(self, person_id: str, device: str, link_id: str, opened_at: int) -> list[str] | None:
        """Note a link and return those it replaces: older ones of the same device. None: it is itself the older one,
        whose HELLO was slower than that of the link its client opened next. `opened_at` is monotonic: the links of one
        node are told apart even if the clock, which made their ids, was set back between them.
        """
        links = self._of.setdefault(person_id, {})
        same = {other: at for other, (its, at) in links.items() if its == device}
        if any(at > opened_at for at in same.values()):
            return None
        links[link_id] = (device, opened_at)
        return list(same)

    def elsewhere(self, person_id: str, device: str, link_id: str) -> list[str]:
        """Links here that a link on another node replaces. Link ids sort by birth: older ones give way."""
        links = self._of.get(person_id, {})
        return [other for other, (its, _) in links.items() if its == device and other < link_id]

    def depart(self, person_id: str, link_id: str) -> None:
        """The link is gone."""
        links = self._of.get(person_id)
        if links is not None:
            links.pop(link_id, None)
            if not links:
                del self._of[person_id]

    def links(self, person_id: str) -> list[str]:
        """The person's links here."""
        return list(self._of.get(person_id, ()))

    def staff(self) -> set[str]:
        """Ids of the staff with a link here."""
        return {key.removeprefix("staff:") for key in self._of if key.startswith("staff:")}
