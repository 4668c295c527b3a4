"""The demo's shops with their stores on the map of Hangzhou (WGS-84) and their counters."""

from __future__ import annotations

from msgspec import Struct

MERCHANT = "八爪鱼生活"
CITY = "杭州"


class Place(Struct, frozen=True, kw_only=True):
    """A store: where it is and how many counters it has."""

    name: str
    address: str
    lng: float
    lat: float
    tills: tuple[str, ...] = ("1 号收银台",)


class DemoShop(Struct, frozen=True, kw_only=True):
    """A shop; its first store is its address."""

    number: int
    name: str
    hours: str
    phone: str
    notice: str
    score_tenths: int
    hue: int
    places: tuple[Place, ...]
    self_run: bool = False


SHOPS: tuple[DemoShop, ...] = (
    DemoShop(
        number=1,
        name="豆芽咖啡",
        hours="07:30-21:30",
        phone="0571-85060101",
        notice="工作日 11 点前供应早餐套餐",
        score_tenths=49,
        hue=24,
        self_run=True,
        places=(
            Place(
                name="武林店",
                address="拱墅区武林路 278 号一楼",
                lng=120.15702,
                lat=30.27134,
                tills=("1 号收银台", "2 号收银台"),
            ),
            Place(name="钱江新城店", address="上城区民心路 100 号 B1-07", lng=120.20938, lat=30.24562),
        ),
    ),
    DemoShop(
        number=2,
        name="巷口面馆",
        hours="06:30-20:30",
        phone="0571-85060202",
        notice="猪肝现切现炒，卖完为止",
        score_tenths=47,
        hue=8,
        places=(Place(name="中山北路店", address="拱墅区中山北路 415 号", lng=120.16458, lat=30.26871),),
    ),
    DemoShop(
        number=3,
        name="松间造型",
        hours="10:00-21:00",
        phone="0571-85060303",
        notice="到店前请电话预约发型师",
        score_tenths=48,
        hue=150,
        places=(
            Place(name="湖滨店", address="上城区学士路 29 号二楼", lng=120.16047, lat=30.25483),
            Place(name="西溪店", address="西湖区文二西路 551 号", lng=120.08694, lat=30.28112),
        ),
    ),
    DemoShop(
        number=4,
        name="云栖推拿",
        hours="11:00-23:00",
        phone="0571-85060404",
        notice="孕期及骨伤未愈的顾客请先告知技师",
        score_tenths=48,
        hue=265,
        places=(Place(name="黄龙店", address="西湖区曙光路 122 号 3 层", lng=120.13365, lat=30.26507),),
    ),
    DemoShop(
        number=5,
        name="拾光花房",
        hours="09:00-20:00",
        phone="0571-85060505",
        notice="花材随季节略有调整，品质与支数不变",
        score_tenths=50,
        hue=330,
        places=(Place(name="滨江店", address="滨江区江南大道 228 号星光大道一期", lng=120.20853, lat=30.20741),),
    ),
)
