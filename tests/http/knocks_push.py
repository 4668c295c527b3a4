"""How the routes of notices on devices are knocked at."""

from __future__ import annotations

from octshop_rt.im.push import rules, store
from tests.http.knocking import MISSING, Knock, Make, at
from tests.http.parcels import browser
from tests.http.world import NATIVE, World


def _put(folder: str) -> Make:
    async def make(world: World, who: str) -> Knock:
        return Knock(path=f"/{folder}/push", body=browser(f"{who}-put"))

    return make


def _drop(folder: str, whose: str) -> Make:
    """The browser of somebody; `self` is another one of the asking person. Made again where it has been removed."""

    async def make(world: World, who: str) -> Knock:
        owner = who if whose == "self" else whose
        if NATIVE.get(owner) != folder or owner in {"expired", "revoked", "disabled"}:
            return Knock(path=f"/{folder}/push/{MISSING}")
        body = browser(f"{who}-own" if whose == "self" else owner)
        one = rules.fingerprint(body["endpoint"])
        if await store.subscription(world.db, one) is None:
            await world.must(owner, "PUT", f"/{folder}/push", body)
        return Knock(path=f"/{folder}/push/{one}")

    return make


def _door(folder: str, own: str, other: str) -> dict[str, dict[str, Make]]:
    return {
        f"GET /{folder}/push": {"own": at(f"/{folder}/push")},
        f"PUT /{folder}/push": {
            "own": _put(folder),
            "unknown_service": at(f"/{folder}/push", **browser("x", "https://10.0.0.1/")),
        },
        f"DELETE /{folder}/push/{{subscription_id}}": {
            "own": _drop(folder, own),
            "other": _drop(folder, other),
            "missing": at(f"/{folder}/push/@missing"),
        },
    }


KNOCKS: dict[str, dict[str, Make]] = {**_door("buyer", "buyer_a", "buyer_b"), **_door("staff", "self", "owner_m2")}
