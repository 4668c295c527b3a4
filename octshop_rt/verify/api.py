"""The face of the verify wing: a buyer looks at his vouchers and shows codes; a clerk scans and writes off."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from octshop_rt.core.auth.model import BUYER, Buyer, Right, ShopStaff, at_shop
from octshop_rt.core.clock import MINUTE, Clock, Millis, business_day, business_day_bounds
from octshop_rt.core.errors import BadInput, Busy, NotFound, RequestConflict
from octshop_rt.core.http.routes import Call, Limit, Route
from octshop_rt.core.ids import Id, RequestId
from octshop_rt.core.money import Fen
from octshop_rt.core.mongo import Database
from octshop_rt.core.uploads import (
    CONTENT_TYPES,
    MOST_BYTES,
    NotAPicture,
    PicturePool,
    TooManyPixels,
    UploadTooLarge,
)
from octshop_rt.verify import decode, rules, store
from octshop_rt.verify.codes import Code, Codes
from octshop_rt.verify.model import (
    REFUSALS,
    FullyUsed,
    Redemption,
    TooManyAttempts,
    TypedCode,
    Uses,
    Voucher,
    VoucherFrozen,
    VoucherOutdated,
    VoucherRefunded,
    VoucherState,
)
from octshop_rt.verify.scan import Scan, Scanner
from octshop_rt.verify.service import Redeemer, Wish

PAGE = 50
ScannedText = Annotated[str, Meta(min_length=1, max_length=rules.LONGEST_TEXT)]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)", description="business day in Asia/Shanghai")]

_SCANS = Limit(name="voucher.scan", burst=60, per_ms=MINUTE)
_PHOTOS = Limit(name="voucher.photo", burst=20, per_ms=MINUTE)


class VoucherView(Struct, frozen=True, kw_only=True):
    """A voucher as its buyer sees it."""

    id: Id
    order_id: Id
    shop_id: Id
    shop_name: str
    title: str
    spec: str
    quantity: int
    uses_total: Uses
    uses_left: Uses
    uses_used: Uses
    uses_frozen: Uses
    valid_from: Millis
    valid_until: Millis
    state: VoucherState
    typed_code: TypedCode
    branches: tuple[Id, ...]
    rev: int


class Vouchers(Struct, frozen=True, kw_only=True):
    """One page of vouchers."""

    items: list[VoucherView]
    next: str | None


class VoucherQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which vouchers."""

    order_id: Id | None = None
    state: VoucherState | None = None
    cursor: Id | None = None


class FreshCodes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make new codes; the old ones are void at once."""

    request_id: RequestId


class ScanBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the scanner read or the clerk typed."""

    text: ScannedText


class RedemptionBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Write off `uses` of what was scanned (`scan_token`) or of what `text` names: exactly one of the two."""

    request_id: RequestId
    uses: Annotated[int, Meta(ge=1, le=1000)] = 1
    text: ScannedText | None = None
    scan_token: Id | None = None
    branch_id: Id | None = None


class RedemptionView(Struct, frozen=True, kw_only=True):
    """A write-off as staff see it."""

    id: Id
    voucher_id: Id
    order_id: Id
    title: str
    spec: str
    uses: Uses
    uses_left: Uses
    used_at: Millis
    by: str
    branch_id: Id | None
    amount_fen: Fen


class Redemptions(Struct, frozen=True, kw_only=True):
    """One page of a day's write-offs."""

    items: list[RedemptionView]
    next: str | None


class RedemptionQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which day; today if not told."""

    day: Day | None = None
    cursor: Id | None = None


class PhotoTexts(Struct, frozen=True, kw_only=True):
    """What is written in the codes of a photo."""

    texts: list[str]


class BuyerVouchers:
    """Routes of the buyer."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes

    def routes(self) -> list[Route]:
        """What a buyer may ask."""
        shown = (NotFound, VoucherRefunded, VoucherOutdated, VoucherFrozen, FullyUsed)
        return [
            Route("GET", "/buyer/vouchers", self.vouchers, permission=BUYER, query=VoucherQuery, answer=Vouchers,
                  summary="My vouchers, newest first"),
            Route("GET", "/buyer/vouchers/{voucher_id}", self.voucher, permission=BUYER, answer=VoucherView,
                  errors=(NotFound,), summary="One of my vouchers"),
            Route("GET", "/buyer/vouchers/{voucher_id}/code", self.code, permission=BUYER, answer=Code, errors=shown,
                  summary="The QR of this moment; fetch again at next_at"),
            Route("POST", "/buyer/vouchers/{voucher_id}/code", self.fresh, permission=BUYER, body=FreshCodes,
                  answer=Code, errors=(*shown, Busy), summary="New codes; the old ones are void at once"),
        ]  # fmt: skip

    async def vouchers(self, call: Call[Buyer]) -> Vouchers:
        """GET /buyer/vouchers."""
        query: VoucherQuery = call.query
        found = await self._codes.of_buyer(
            call.who, order_id=query.order_id, state=query.state, after=query.cursor, limit=PAGE + 1
        )
        return Vouchers(items=[_voucher_view(one) for one in found[:PAGE]], next=_next([one.id for one in found]))

    async def voucher(self, call: Call[Buyer]) -> VoucherView:
        """GET /buyer/vouchers/{voucher_id}."""
        return _voucher_view(await self._codes.one(call.who, call.path["voucher_id"]))

    async def code(self, call: Call[Buyer]) -> Code:
        """GET /buyer/vouchers/{voucher_id}/code."""
        return await self._codes.code(call.who, call.path["voucher_id"])

    async def fresh(self, call: Call[Buyer], body: FreshCodes) -> Code:
        """POST /buyer/vouchers/{voucher_id}/code."""
        return await self._codes.refresh(call.who, call.path["voucher_id"], body.request_id)


class ClerkDesk:
    """Routes of a shop's clerks."""

    def __init__(
        self, db: Database, *, clock: Clock, scanner: Scanner, redeemer: Redeemer, pictures: PicturePool
    ) -> None:
        self._db = db
        self._clock = clock
        self._scanner = scanner
        self._redeemer = redeemer
        self._pictures = pictures

    def routes(self) -> list[Route]:
        """What a clerk may ask."""
        refusals = (*REFUSALS.values(), TooManyAttempts)
        may = at_shop(Right.REDEEM)
        return [
            Route("POST", "/shop/{shop_id}/scans", self.scan, permission=may, body=ScanBody, answer=Scan,
                  errors=refusals, limit=_SCANS, summary="What a scanned or typed text is"),
            Route("POST", "/shop/{shop_id}/redemptions", self.redeem, permission=may, body=RedemptionBody,
                  answer=RedemptionView, status=201, errors=(*refusals, RequestConflict, Busy, BadInput), limit=_SCANS,
                  summary="Write a voucher off, once per request_id"),
            Route("GET", "/shop/{shop_id}/redemptions", self.redemptions, permission=may, query=RedemptionQuery,
                  answer=Redemptions, errors=(BadInput,), summary="Write-offs of a day, newest first"),
            Route("POST", "/shop/{shop_id}/scan-photos", self.photo, permission=may, body=bytes, answer=PhotoTexts,
                  errors=(NotAPicture, TooManyPixels, UploadTooLarge, Busy), max_body=MOST_BYTES, takes=CONTENT_TYPES,
                  limit=_PHOTOS, summary="The texts of all codes in a photo, which is not kept"),
        ]  # fmt: skip

    async def scan(self, call: Call[ShopStaff], body: ScanBody) -> Scan:
        """POST /shop/{shop_id}/scans."""
        return await self._scanner.scan(call.who, body.text)

    async def redeem(self, call: Call[ShopStaff], body: RedemptionBody) -> RedemptionView:
        """POST /shop/{shop_id}/redemptions."""
        if (body.text is None) == (body.scan_token is None):
            raise BadInput(reason="exactly one of text and scan_token is needed")
        wish = Wish(
            request_id=body.request_id,
            uses=body.uses,
            text=body.text or "",
            scan_token=body.scan_token or "",
            branch_id=body.branch_id,
        )
        return _redemption_view(await self._redeemer.redeem(call.who, wish))

    async def redemptions(self, call: Call[ShopStaff]) -> Redemptions:
        """GET /shop/{shop_id}/redemptions."""
        query: RedemptionQuery = call.query
        day = query.day or business_day(self._clock.now())
        try:
            business_day_bounds(day)
        except ValueError:
            raise BadInput(reason=f"no such day: {day}") from None
        found = await store.redemptions_of_day(
            self._db,
            call.who.shop_id,
            day,
            branch_ids=call.who.branch_ids,
            after=query.cursor,
            limit=PAGE + 1,
        )
        return Redemptions(items=[_redemption_view(one) for one in found[:PAGE]], next=_next([one.id for one in found]))

    async def photo(self, call: Call[ShopStaff], body: bytes) -> PhotoTexts:
        """POST /shop/{shop_id}/scan-photos."""
        return PhotoTexts(texts=await decode.read_photo(self._pictures, body))


def _next(ids: list[str]) -> str | None:
    return ids[PAGE - 1] if len(ids) > PAGE else None


def _voucher_view(voucher: Voucher) -> VoucherView:
    return VoucherView(
        id=voucher.id,
        order_id=voucher.order_id,
        shop_id=voucher.shop_id,
        shop_name=voucher.shop_name,
        title=voucher.title,
        spec=voucher.spec,
        quantity=voucher.quantity,
        uses_total=voucher.uses_total,
        uses_left=voucher.uses_left,
        uses_used=voucher.uses_used,
        uses_frozen=voucher.uses_frozen,
        valid_from=voucher.valid_from,
        valid_until=voucher.valid_until,
        state=voucher.state,
        typed_code=voucher.typed_code,
        branches=voucher.branch_ids,
        rev=voucher.rev,
    )


def _redemption_view(redemption: Redemption) -> RedemptionView:
    return RedemptionView(
        id=redemption.id,
        voucher_id=redemption.voucher_id,
        order_id=redemption.order_id,
        title=redemption.title,
        spec=redemption.spec,
        uses=redemption.uses,
        uses_left=redemption.uses_left,
        used_at=redemption.used_at,
        by=redemption.clerk_name,
        branch_id=redemption.branch_id,
        amount_fen=redemption.amount_fen,
    )
