"""What the bot says of its own, and which words are only a greeting."""

from __future__ import annotations

from typing import Final

from octshop_rt.im.answer.rules import normal

CHOOSE: Final = {
    "zh-CN": "您想问的是下面哪一个？也可以换个说法再问一次。",
    "en": "Which of these do you mean? You can also ask again in other words.",
}
NOT_KNOWN: Final = {
    "zh-CN": "抱歉，这个问题我还答不上来。您可以换个说法，或者找人工客服。",
    "en": "Sorry, I have no answer to that yet. Try other words, or talk to a person.",
}
PASSED_ON: Final = {
    "zh-CN": "抱歉，还是没能帮到您，正在为您转接人工客服。",
    "en": "Sorry that I could not help; a person will take over now.",
}
GREETED: Final = {
    "zh-CN": "您好，我是自动客服，请直接说您的问题。",
    "en": "Hello! I answer automatically; please just ask.",
}
A_PERSON: Final = {"zh-CN": "转人工客服", "en": "Talk to a person"}
_ZH: Final = (
    "你好，您好，在吗，在么，在不在，有人吗，有人在吗，亲，亲在吗，哈喽，嗨，早，早上好，上午好，中午好，下午好，晚上好，你好呀，你好啊，"
    "您好在吗，你好在吗"
)
_EN: Final = "hi，hello，hey，hi there，good morning，good afternoon，good evening"
_GREETINGS: Final = frozenset(f"{_ZH}，{_EN}".split("，"))


def is_greeting(text: str) -> bool:
    """Whether it asks nothing yet."""
    return normal(text) in _GREETINGS
