"""The demo's goods: used in store, with two specs, stock, and times cards among them."""

from __future__ import annotations

from msgspec import Struct

from octshop_rt.core.money import Fen


class DemoGoods(Struct, frozen=True, kw_only=True):
    """A product. Its SKUs are all combinations of the specs; each value adds its surcharge to the price."""

    number: int
    shop: int
    title: str
    subtitle: str
    description: str
    tags: tuple[str, ...]
    hue: int
    price_fen: Fen
    market_price_fen: Fen | None = None
    specs: tuple[tuple[str, tuple[tuple[str, Fen], ...]], ...]
    stock: int = 200
    uses_each: int = 1
    valid_days: int | None = None
    refundable: bool = True


GOODS: tuple[DemoGoods, ...] = (
    DemoGoods(
        number=1,
        shop=1,
        title="云南日晒拿铁",
        subtitle="保山小粒咖啡，双份浓缩",
        description="云南保山高海拔日晒豆，双份浓缩配冷藏鲜奶，入口有莓果与红糖的甜。到店出示券码，现点现做。",
        tags=("咖啡", "招牌"),
        hue=28,
        price_fen=2200,
        market_price_fen=2800,
        specs=(
            ("杯型", (("中杯", 0), ("大杯", 400))),
            ("奶", (("鲜奶", 0), ("燕麦奶", 300))),
        ),
    ),
    DemoGoods(
        number=2,
        shop=2,
        title="虾爆鳝面",
        subtitle="鳝片现爆，虾仁手剥",
        description="老杭州的一碗面：素油爆、荤油炒、麻油浇。鳝片外脆里嫩，虾仁每日手剥，汤头用鱼骨熬足三小时。",
        tags=("杭帮面", "招牌"),
        hue=14,
        price_fen=3800,
        market_price_fen=4600,
        specs=(
            ("份量", (("一两半", 0), ("二两", 300))),
            ("吃法", (("汤面", 0), ("拌川", 200))),
        ),
    ),
    DemoGoods(
        number=3,
        shop=3,
        title="设计师洗剪吹",
        subtitle="含洗护、修剪、造型，约 60 分钟",
        description="发型师先看发质与脸型再动剪刀。含两次洗发、头皮按摩、修剪与吹风造型。",
        tags=("美发", "洗剪吹"),
        hue=160,
        price_fen=9800,
        market_price_fen=15800,
        specs=(
            ("发型师", (("资深发型师", 0), ("首席发型师", 6000))),
            ("发长", (("短发", 0), ("中长发", 2000))),
        ),
    ),
    DemoGoods(
        number=4,
        shop=4,
        title="肩颈深层舒缓",
        subtitle="伏案一族，一对一推拿",
        description="针对久坐的肩、颈、肩胛缝，先热敷再推揉，力度随时可调。独立房间，含茶点。",
        tags=("推拿", "肩颈"),
        hue=255,
        price_fen=16800,
        market_price_fen=23800,
        specs=(
            ("时长", (("60 分钟", 0), ("90 分钟", 7000))),
            ("技师", (("资深技师", 0), ("首席技师", 4000))),
        ),
        stock=80,
    ),
    DemoGoods(
        number=5,
        shop=5,
        title="当季花束·晚风",
        subtitle="洋桔梗、绣球与尤加利",
        description="花艺师按当天到货搭配，附手写卡片与保鲜营养包。到店自取，可现场换包装纸。",
        tags=("鲜花", "自取"),
        hue=335,
        price_fen=12900,
        market_price_fen=16800,
        specs=(
            ("大小", (("小束", 0), ("大束", 8000))),
            ("色系", (("奶油白", 0), ("雾粉", 0))),
        ),
        stock=30,
        valid_days=14,
    ),
    DemoGoods(
        number=6,
        shop=1,
        title="美式咖啡 10 次卡",
        subtitle="一次买好，慢慢喝",
        description="美式咖啡十杯，每次核销一杯，两家门店通用。未用完的次数可退。",
        tags=("咖啡", "次卡"),
        hue=34,
        price_fen=13800,
        market_price_fen=18000,
        specs=(
            ("杯型", (("中杯", 0), ("大杯", 3000))),
            ("豆子", (("拼配", 0), ("单品", 2000))),
        ),
        uses_each=10,
        valid_days=180,
    ),
    DemoGoods(
        number=7,
        shop=2,
        title="片儿川双人套餐",
        subtitle="两碗片儿川，一碟酱鸭",
        description="雪菜、笋片、里脊三样现炒盖浇，配一碟酱鸭与两杯酸梅汤。",
        tags=("杭帮面", "双人餐"),
        hue=42,
        price_fen=5600,
        market_price_fen=6800,
        specs=(
            ("面条", (("细面", 0), ("宽面", 0))),
            ("加料", (("不加", 0), ("加煎蛋两个", 400))),
        ),
    ),
    DemoGoods(
        number=8,
        shop=3,
        title="洗吹 5 次卡",
        subtitle="每次 40 分钟，全店通用",
        description="洗发、头皮护理与吹风造型共五次，湖滨、西溪两店通用，不限本人使用。",
        tags=("美发", "次卡"),
        hue=140,
        price_fen=20000,
        market_price_fen=29000,
        specs=(
            ("发长", (("短发", 0), ("中长发", 5000))),
            ("护理", (("基础", 0), ("修护", 4000))),
        ),
        uses_each=5,
        valid_days=365,
    ),
    DemoGoods(
        number=9,
        shop=4,
        title="足浴加推拿套餐",
        subtitle="草本足浴 30 分钟，足底推拿 40 分钟",
        description="艾草与老姜煎水，足浴后按足底反射区推拿，适合下班后的双脚。",
        tags=("足浴", "推拿"),
        hue=280,
        price_fen=13800,
        specs=(
            ("人数", (("单人", 0), ("双人", 11800))),
            ("药包", (("艾草", 0), ("藏红花", 2000))),
        ),
        stock=60,
    ),
    DemoGoods(
        number=10,
        shop=5,
        title="桌面绿植·龟背竹",
        subtitle="含陶盆，限量",
        description="三至四片成叶，已换配方土，到店自取时讲解养护。数量不多，卖完等下一批。",
        tags=("绿植", "限量"),
        hue=120,
        price_fen=8800,
        specs=(
            ("盆色", (("陶土红", 0), ("水泥灰", 0))),
            ("托盘", (("不要", 0), ("带托盘", 1000))),
        ),
        stock=1,
        refundable=False,
    ),
    DemoGoods(
        number=11,
        shop=1,
        title="冷萃与可颂早餐",
        subtitle="每天 11 点前",
        description="十二小时冷萃配当日现烤可颂。工作日 11 点前到店核销。",
        tags=("咖啡", "早餐"),
        hue=44,
        price_fen=2900,
        market_price_fen=3800,
        specs=(
            ("可颂", (("原味", 0), ("火腿芝士", 500))),
            ("冷萃", (("经典", 0), ("桂花", 200))),
        ),
    ),
)
