"""What the demo's shops answer by themselves, and the quick replies their agents keep at hand."""

from __future__ import annotations

from msgspec import Struct


class DemoFaq(Struct, frozen=True):
    """A question, its answer, other wordings of it, the answer in English."""

    category: str
    question: str
    answer: str
    similar: tuple[str, ...] = ()
    en: str = ""


class DemoKnowledge(Struct, frozen=True, kw_only=True):
    """A shop's. The first questions are offered with the welcome."""

    shop: int
    welcome: str
    welcome_en: str
    of_orders: str
    faqs: tuple[DemoFaq, ...]
    keywords: tuple[tuple[str, str], ...] = ()
    synonyms: tuple[tuple[str, ...], ...] = ()


# The same at every shop of the merchant: how vouchers and refunds work.
EVERYWHERE: tuple[DemoFaq, ...] = (
    DemoFaq(
        "售后",
        "买了券怎么用？",
        "到店后打开“我的 → 卡券”，把二维码给店员扫一下就可以；网络不好时报券码数字也行。",
        ("券码在哪里看", "怎么核销", "到店怎么出示"),
        "Open “Me → Vouchers” in the store and let the clerk scan the code; reading out the digits works too.",
    ),
    DemoFaq(
        "售后",
        "不想要了可以退款吗？",
        "没有用过的券可以在订单里申请退款，原路退回，一般 1 到 3 个工作日到账。标明不可退的活动商品除外。",
        ("怎么申请退款", "退钱多久到账", "券用不了能退吗"),
        "Unused vouchers can be refunded from the order; the money is back within 1 to 3 working days.",
    ),
    DemoFaq(
        "售后",
        "可以开发票吗？",
        "可以，请在会话里留下抬头和税号，当天开好电子发票发到这里。",
        ("怎么开票", "有没有发票"),
        "Yes: send us the title and tax number here and the e-invoice comes the same day.",
    ),
)

KNOWLEDGE: tuple[DemoKnowledge, ...] = (
    DemoKnowledge(
        shop=1,
        welcome="您好，欢迎光临{shop}！想喝点什么，或者想问哪方面？",
        welcome_en="Welcome to {shop}! What would you like to know?",
        of_orders="您好{buyer}，关于“{title}”有什么可以帮您？",
        faqs=(
            DemoFaq(
                "饮品",
                "可以换燕麦奶吗？",
                "可以，下单时“奶”选燕麦奶，加 3 元；店里也有无乳糖牛奶，不加价。",
                ("有没有燕麦奶", "喝牛奶拉肚子怎么办", "有植物奶吗"),
                "Yes, choose oat milk for 3 yuan more; lactose-free milk is free.",
            ),
            DemoFaq(
                "饮品",
                "可以少冰、去冰或者做热的吗？",
                "都可以，到店核销时跟咖啡师说一声就行，热饮免费换。",
                ("不要冰", "能做热的吗", "少放点冰"),
                "Yes, just tell the barista when you pick it up.",
            ),
            DemoFaq(
                "饮品",
                "有没有低因或者不含咖啡因的？",
                "美式和拿铁都能换低因豆，不加价；不含咖啡因的有可可和洋甘菊茶。",
                ("孕妇能喝什么", "喝了睡不着有别的选择吗"),
                "Americano and latte come decaf at no charge; cocoa has none at all.",
            ),
            DemoFaq(
                "门店",
                "几点开门，几点关门？",
                "武林店和钱江新城店都是每天 07:30 到 21:30，节假日不休息。",
                ("营业时间", "周末开门吗", "现在还营业吗"),
                "Both stores are open daily from 7:30 to 21:30.",
            ),
            DemoFaq(
                "门店",
                "店里可以停车吗？",
                "武林店楼下没有固定车位，建议停武林广场地下；钱江新城店停 B1，消费满 30 元免两小时。",
                ("停车收费吗", "开车来停哪里"),
                "At the Qianjiang store two hours are free from 30 yuan up.",
            ),
            DemoFaq(
                "门店",
                "有插座和无线网吗？",
                "有，靠窗的位子都有插座，无线网名是店名，密码在小票底部。",
                ("可以带电脑办公吗",),
            ),
            DemoFaq(
                "套餐", "早餐套餐几点之前有？", "工作日 11 点前，冷萃或美式配可颂；周末不供应。", ("早餐供应到几点",)
            ),
            DemoFaq(
                "套餐",
                "次卡可以几个人一起用吗？",
                "可以，一次可以核销多杯，两年内有效，两家店通用。",
                ("10 次卡能分享吗",),
            ),
        ),
        keywords=(("wifi 密码", "无线网名是店名，密码印在小票底部。"),),
        synonyms=(("可颂", "牛角包"), ("次卡", "10 次卡", "咖啡卡")),
    ),
    DemoKnowledge(
        shop=2,
        welcome="您好，这里是{shop}，吃面、订位、忌口都可以问。",
        welcome_en="Hello from {shop}: ask about noodles, seats, or what you cannot eat.",
        of_orders="您好{buyer}，您买的“{title}”到店出示券码就能下锅。",
        faqs=(
            DemoFaq(
                "堂食",
                "面可以做辣或者不要葱吗？",
                "可以，核销时跟后厨说忌口：不辣、少油、不要葱姜蒜都行。",
                ("有忌口怎么办", "能不放香菜吗"),
            ),
            DemoFaq(
                "堂食",
                "饭点要等多久？",
                "11:30 到 12:30 一般等 10 到 15 分钟，先核销取号可以少等。",
                ("人多吗", "要排队吗"),
            ),
            DemoFaq(
                "堂食",
                "几点开门，几点关门？",
                "每天 06:30 到 20:30，猪肝和鳝片卖完为止。",
                ("营业时间", "早上几点有面"),
            ),
            DemoFaq(
                "堂食", "有孩子坐的椅子吗？", "有两把宝宝椅，先到先用，也可以在这里先跟我们说一声。", ("带小孩方便吗",)
            ),
            DemoFaq(
                "菜品", "双人套餐可以换面吗？", "片儿川可以换成雪菜肉丝面，换虾爆鳝面每碗补 12 元。", ("套餐能换菜吗",)
            ),
        ),
    ),
    DemoKnowledge(
        shop=3,
        welcome="您好，欢迎来到{shop}，预约发型师、问价格都可以。",
        welcome_en="Welcome to {shop}: bookings and prices, just ask.",
        of_orders="您好{buyer}，“{title}”请先预约再到店。",
        faqs=(
            DemoFaq(
                "预约",
                "怎么预约发型师？",
                "把想约的门店、日期和发型师发给我们，客服十分钟内给您确认。",
                ("要提前多久订", "可以指定设计师吗"),
            ),
            DemoFaq(
                "预约",
                "迟到或者来不了怎么办？",
                "晚到 20 分钟以内为您保留；来不了请提前两小时说一声，券不会作废。",
                ("改时间可以吗",),
            ),
            DemoFaq("项目", "长发要加钱吗？", "洗剪吹不加价；染烫过肩加 60 元，过腰加 120 元。", ("头发长怎么收费",)),
            DemoFaq(
                "项目",
                "烫染会很伤头发吗？",
                "先看发质再定方案，用的都是有备案的药水，做完送一次护理。",
                ("烫头发伤不伤",),
            ),
            DemoFaq("门店", "几点开门，几点关门？", "每天 10:00 到 21:00，最后一位 19:30 开始。", ("营业时间",)),
        ),
    ),
    DemoKnowledge(
        shop=4,
        welcome="您好，这里是{shop}。身体有特别情况请先告诉我们。",
        welcome_en="Hello from {shop}. Please tell us first if anything about your health matters.",
        of_orders="您好{buyer}，“{title}”建议提前两小时预约。",
        faqs=(
            DemoFaq(
                "项目",
                "孕期可以按摩吗？",
                "孕期不建议做足底和腰腹，肩颈请先问过医生，并在预约时告诉我们。",
                ("怀孕能做吗",),
            ),
            DemoFaq(
                "项目",
                "第一次来选哪个项目？",
                "久坐选肩颈深层舒缓，走路多选足浴加推拿；力道随时可以调。",
                ("哪个适合我", "推荐一下"),
            ),
            DemoFaq(
                "预约",
                "需要预约吗？",
                "晚上七点后和周末请提前两小时预约，其他时间可以直接来。",
                ("可以直接去吗", "约技师"),
            ),
            DemoFaq(
                "门店", "几点开门，几点关门？", "每天 11:00 到 23:00，22:00 后不再接新客。", ("营业时间", "最晚几点")
            ),
            DemoFaq("门店", "店里可以停车吗？", "楼下停车场报手机号后四位，消费当天免三小时。", ("停车收费吗",)),
        ),
    ),
    DemoKnowledge(
        shop=5,
        welcome="您好，这里是{shop}，送谁、什么场合、什么预算，告诉我就好。",
        welcome_en="Hello from {shop}: tell us for whom, for what, and how much.",
        of_orders="您好{buyer}，“{title}”每天现扎，请提前半天告诉我们取花时间。",
        faqs=(
            DemoFaq("订花", "可以写卡片吗？", "可以，免费手写，把要写的话发在这里，四十个字以内。", ("能附贺卡吗",)),
            DemoFaq(
                "订花",
                "可以指定花材或颜色吗？",
                "可以，主花和色系都能换；当季没有的会先跟您商量，不会自己换掉。",
                ("能换成玫瑰吗",),
            ),
            DemoFaq(
                "订花",
                "要提前多久订？",
                "花束提前半天，节日请提前两天；婚礼和布置请先找人工客服谈方案。",
                ("今天订今天能拿吗",),
            ),
            DemoFaq(
                "养护",
                "花怎么养得久一点？",
                "每天换水、斜剪两厘米，放在没有太阳直晒的地方，一般能看七到十天。",
                ("花蔫了怎么办", "多久换一次水"),
            ),
            DemoFaq(
                "养护",
                "龟背竹多久浇一次水？",
                "土面干了再浇透，冬天半个月一次；叶子发黄多半是水多了。",
                ("绿植怎么养",),
            ),
            DemoFaq("门店", "几点开门，几点关门？", "每天 09:00 到 20:00。", ("营业时间",)),
        ),
    ),
)

# Questions as buttons show them to who reads English.
QUESTIONS_EN: dict[str, str] = {
    "买了券怎么用？": "How do I use a voucher?",
    "不想要了可以退款吗？": "Can I get a refund?",
    "可以开发票吗？": "Can I have an invoice?",
    "可以换燕麦奶吗？": "Can I get oat milk?",
    "可以少冰、去冰或者做热的吗？": "Less ice, no ice, or hot?",
    "有没有低因或者不含咖啡因的？": "Do you have decaf?",
    "几点开门，几点关门？": "When are you open?",
    "店里可以停车吗？": "Is there parking?",
    "面可以做辣或者不要葱吗？": "Can you make it spicy, or without scallions?",
    "饭点要等多久？": "How long is the wait at meal times?",
    "怎么预约发型师？": "How do I book a stylist?",
    "迟到或者来不了怎么办？": "What if I am late or cannot come?",
    "长发要加钱吗？": "Does long hair cost more?",
    "孕期可以按摩吗？": "Is a massage safe in pregnancy?",
    "第一次来选哪个项目？": "What should I choose for a first visit?",
    "需要预约吗？": "Do I need to book?",
    "可以写卡片吗？": "Can you add a card?",
    "可以指定花材或颜色吗？": "Can I choose flowers or colours?",
    "要提前多久订？": "How far ahead should I order?",
}

# category, title, text, code
QUICK: tuple[tuple[str, str, str, str], ...] = (
    ("问候", "您好", "{buyer}您好，我是{agent}，很高兴为您服务，请问有什么可以帮您？", "nh"),
    ("问候", "请稍等", "好的，请稍等，我马上帮您查一下。", "sd"),
    ("问候", "久等了", "抱歉让您久等了，刚才在帮您核对。", "jd"),
    ("订单", "查订单", "您的订单“{title}”({order})已为您核对，券码在“我的 → 卡券”里。", "dd"),
    ("售后", "退款到账时间", "退款已提交，原路退回，一般 1 到 3 个工作日到账，请留意支付渠道的通知。", "tk"),
    ("售后", "核销遇到问题", "请把券码数字发给我，我这边联系门店为您处理，不会影响使用。", "hx"),
    ("结束", "还有其他问题吗", "请问还有其他可以帮您的吗？", "qt"),
    ("结束", "再见", "感谢您的咨询，祝您生活愉快，欢迎再来{shop}！", "zj"),
)
