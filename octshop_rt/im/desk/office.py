"""How a desk is set up: settings in versions, groups, and what its manager arranges of each agent."""

from __future__ import annotations

from octshop_rt.core.clock import Clock, monotonic_ms
from octshop_rt.core.errors import Busy
from octshop_rt.core.ids import Ids
from octshop_rt.core.mongo import Database, DuplicateKey
from octshop_rt.im.desk import office_store, settings, store
from octshop_rt.im.desk.model import Agent, Group, NoSuchAgent, NoSuchGroup
from octshop_rt.im.desk.settings import (
    PLATFORM_SCOPE,
    DeskPatch,
    DeskSettings,
    Deviating,
    Layers,
    SettingsDocument,
    over,
    resolve,
)

_KEEP_MS = 1_000  # every word of every buyer asks for the settings of a shop; a change shows within a second
_MOST_KEPT = 10_000
PAGE = 200


class Office:
    """Settings are kept for a second in this process."""

    def __init__(self, db: Database, clock: Clock, ids: Ids) -> None:
        self._db = db
        self._clock = clock
        self._ids = ids
        self._kept: dict[str, tuple[int, DeskSettings]] = {}

    async def settings(self, shop_id: str) -> DeskSettings:
        """What holds at the shop's desk now."""
        kept = self._kept.get(shop_id)
        if kept is not None and monotonic_ms() - kept[0] < _KEEP_MS:
            return kept[1]
        found = resolve(
            await office_store.newest_settings(self._db, PLATFORM_SCOPE),
            await office_store.newest_settings(self._db, shop_id),
        )
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[shop_id] = (monotonic_ms(), found)
        return found

    async def platform_settings(self) -> DeskSettings:
        """What holds where a shop has set nothing."""
        return resolve(await office_store.newest_settings(self._db, PLATFORM_SCOPE), None)

    async def layers(self, shop_id: str) -> Layers:
        """The same with where each value comes from, read anew."""
        platform = await office_store.newest_settings(self._db, PLATFORM_SCOPE)
        return settings.layers(platform, await office_store.newest_settings(self._db, shop_id))

    async def platform_layers(self) -> Layers:
        """What the platform has set over the product's defaults, read anew."""
        return settings.platform_layers(await office_store.newest_settings(self._db, PLATFORM_SCOPE))

    async def deviating(self, beyond: str | None) -> tuple[list[Deviating], str | None]:
        """Shops with values of their own, by id, above `beyond`; and where the next page begins."""
        rows = await office_store.newest_of_all(self._db, beyond or "", PAGE + 1)
        found = [
            Deviating(shop_id=one.scope, fields=fields, at=one.created_at)
            for one in rows[:PAGE]
            if one.scope != PLATFORM_SCOPE and (fields := settings.fields_of(one))
        ]
        return found, rows[PAGE - 1].scope if len(rows) > PAGE else None

    async def set(self, scope: str, patch: DeskPatch, by: str) -> DeskSettings:
        """Add the next version of a scope's settings: the last one under `patch`. Busy if another was faster, and
        settings.SENSELESS.
        """
        settings.check(patch, {one.id for one in await self.groups(scope)} if patch.rules else ())
        newest = await office_store.newest_settings(self._db, scope)
        document = SettingsDocument(
            id=self._ids.new("Z"),
            scope=scope,
            version=newest.version + 1 if newest else 1,
            patch=over(patch, newest.patch if newest else None),
            by=by,
            created_at=self._clock.now(),
        )
        try:
            await office_store.add_settings(self._db, document)
        except DuplicateKey:
            raise Busy from None
        self._kept.clear()
        return await (self.platform_settings() if scope == PLATFORM_SCOPE else self.settings(scope))

    # --- groups -------------------------------------------------------------------------------------------------------

    async def groups(self, shop_id: str) -> list[Group]:
        """Those of a shop."""
        return await office_store.groups(self._db, shop_id)

    async def group(self, shop_id: str, group_id: str) -> Group:
        """NoSuchGroup."""
        for one in await office_store.groups(self._db, shop_id):
            if one.id == group_id:
                return one
        raise NoSuchGroup

    async def add_group(self, shop_id: str, name: str, group_id: str | None = None) -> Group:
        """A new group; with `group_id` the one of that id, made if it is not there."""
        if group_id is not None:
            for one in await office_store.groups(self._db, shop_id):
                if one.id == group_id:
                    return one
        row = Group(id=group_id or self._ids.new("Z"), shop_id=shop_id, name=name, created_at=self._clock.now())
        await office_store.add_group(self._db, row)
        return row

    async def rename_group(self, shop_id: str, group_id: str, name: str) -> Group:
        """NoSuchGroup."""
        found = await office_store.change_group(self._db, shop_id, group_id, {"name": name})
        if found is None or found.gone:
            raise NoSuchGroup
        return found

    async def drop_group(self, shop_id: str, group_id: str) -> None:
        """Cases that wait for it are served by anybody after the overflow time; its name stays on old ones."""
        if await office_store.change_group(self._db, shop_id, group_id, {"gone": True}) is None:
            raise NoSuchGroup

    # --- agents -------------------------------------------------------------------------------------------------------

    async def ensure(self, shop_id: str, person_id: str, name: str) -> Agent:
        """The person's row at this desk, made (offline) if it is not there: everybody who may answer is an agent,
        nobody has to be entered first (I2).
        """
        agent_id = f"{shop_id}:{person_id}"
        found = await store.agent(self._db, agent_id)
        if found is not None:
            return found
        row = await self.draft(shop_id, person_id, name)
        try:
            await store.add_agent(self._db, row)
        except DuplicateKey:
            found = await store.agent(self._db, agent_id)
            assert found is not None, "agents are never deleted"
            return found
        return row

    async def draft(self, shop_id: str, person_id: str, name: str) -> Agent:
        """An agent's row before the first day."""
        holds = await self.settings(shop_id)
        return Agent(
            id=f"{shop_id}:{person_id}", shop_id=shop_id, person_id=person_id, name=name, status="offline",
            status_at=self._clock.now(), seen_at=0, cap=holds.cap,
        )  # fmt: skip

    async def agent(self, shop_id: str, agent_id: str) -> Agent:
        """NoSuchAgent."""
        found = await store.agent(self._db, agent_id)
        if found is None or found.shop_id != shop_id:
            raise NoSuchAgent
        return found

    async def agents(self, shop_id: str) -> list[Agent]:
        """Everybody who has sat at this desk, by name."""
        return sorted(await store.agents(self._db, shop_id), key=lambda one: (one.name, one.id))

    async def arrange(
        self, shop_id: str, agent_id: str, *, cap: int | None, groups: tuple[str, ...] | None,
        skills: tuple[str, ...] | None,
    ) -> Agent:  # fmt: skip
        """Cap, groups and skills of an agent. A lower cap ends nothing: the agent is given nobody new until there is
        room again.
        """
        await self.agent(shop_id, agent_id)
        for group_id in groups or ():
            await self.group(shop_id, group_id)
        put = {
            "cap": cap,
            "groups": None if groups is None else list(groups),
            "skills": None if skills is None else list(skills),
        }
        done = await store.arrange(
            self._db, agent_id, {name: value for name, value in put.items() if value is not None}
        )
        assert done is not None, "agents are never deleted"
        return done
