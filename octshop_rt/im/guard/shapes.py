"""The shapes of links, phone numbers and invitations to other messengers, over folded text."""

from __future__ import annotations

import re
from typing import Final

# Endings that chat spam uses; a longer list finds "readme.md" and "v2.so" in honest sentences.
_ENDINGS = (
    r"(?:com|cn|net|org|top|xyz|vip|shop|store|site|online|club|cc|co|me|io|app|link|live|icu|info|biz|tv|fun|wang|ltd|"
    r"group|hk|tw|ru|ly|gg)"
)
_DOT = r"(?:\.|。|\s?[\(\[（【]?(?:点|dot)[\)\]）】]?\s?)"
LINK: Final = re.compile(
    r"(?:https?\s?:\s?//|www\.)[^\s一-鿿，。！？；、“”]{3,300}"
    rf"|(?<![a-z0-9@.-])[a-z0-9](?:[a-z0-9-]{{0,62}})(?:{_DOT}[a-z0-9-]{{1,63}}){{0,4}}?{_DOT}{_ENDINGS}"
    r"(?![a-z0-9-])(?:/[^\s一-鿿，。！？；、“”]{0,300})?"
)
_HAN, _DIGITS = "零〇一二三四五六七八九幺壹贰叁肆伍陆柒捌玖", "001234567891123456789"
HAN_DIGITS: Final[dict[str, str]] = dict(zip(_HAN, _DIGITS, strict=True))
MOBILE: Final = re.compile(r"(?<![a-z0-9])(?:\+?86|0086)?1[3-9][0-9]{9}(?![a-z0-9])")
LANDLINE: Final = re.compile(r"(?<![a-z0-9+])0(?:10|2[0-9]|[3-9][0-9]{2})[2-9][0-9]{6,7}(?![a-z0-9])")
CONTACT: Final = re.compile(
    r"(?:微\s?信|薇\s?信|威\s?信|[v微薇]\s?x|wx|we\s?chat|[加➕+]\s?[v微薇]|q\s?q|扣\s?扣|企鹅号|telegram|tg|whats\s?app|line\s?id)"
    r"\s?(?:号|id|群)?\s?[:：=是为]?\s?[a-z0-9_-]{5,20}(?![a-z0-9])"
)


def host_of(link: str) -> str:
    """The host a link leads to, with the dots that were words."""
    dotted = re.sub(_DOT, ".", re.sub(r"\s", "", link))
    return re.sub(r"^https?://", "", dotted).split("/")[0].split("?")[0].split(":")[0]
