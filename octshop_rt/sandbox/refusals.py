"""Every refusal the simulated channel can give: HTTP status, code and message as the real one words them."""

from __future__ import annotations


class Refusal(Exception):
    """An answer `{code, message}` with its HTTP status. `signed` is False where a gateway would answer instead."""

    def __init__(self, status: int, code: str, message: str, *, signed: bool = True) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.signed = signed


def sign_error(why: str) -> Refusal:
    """401: the request is not proven to be the merchant's."""
    return Refusal(401, "SIGN_ERROR", f"错误的签名，验签失败：{why}", signed=False)


def param_error(why: str) -> Refusal:
    """400: a field is missing or out of range."""
    return Refusal(400, "PARAM_ERROR", f"参数错误：{why}")


def no_auth() -> Refusal:
    """403: a merchant asks in another's name."""
    return Refusal(403, "NO_AUTH", "商户号与签名不一致，无权限")


def appid_mchid_not_match() -> Refusal:
    """400: the app does not belong to the merchant."""
    return Refusal(400, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配")


def order_not_exist() -> Refusal:
    """404: no such trade."""
    return Refusal(404, "ORDER_NOT_EXIST", "订单不存在")


def out_trade_no_used() -> Refusal:
    """403, 268498688: the number is taken by an order with other parameters."""
    return Refusal(403, "OUT_TRADE_NO_USED", "268498688 商户订单号重复，请更换单号")


def order_paid() -> Refusal:
    """400: too late to close or to order again."""
    return Refusal(400, "ORDER_PAID", "订单已支付")


def order_closed() -> Refusal:
    """400: the trade is closed for good."""
    return Refusal(400, "ORDER_CLOSED", "订单已关闭")


def use_reverse() -> Refusal:
    """400, 268449641: bar-code trades are reversed, not closed."""
    return Refusal(400, "INVALID_REQUEST", "268449641 付款码订单不支持关单，请使用撤销接口")


def not_a_barcode_order() -> Refusal:
    """400: only bar-code trades are reversed."""
    return Refusal(400, "INVALID_REQUEST", "非付款码订单不支持撤销，请使用关单接口")


def code_invalid() -> Refusal:
    """400: not a payment code, or already used by another order."""
    return Refusal(400, "AUTH_CODE_INVALID", "付款码无效，请刷新付款码后重新扫码")


def code_expired() -> Refusal:
    """400: older than a minute."""
    return Refusal(400, "AUTHCODEEXPIRE", "付款码已过期，请刷新付款码后重新扫码")


def user_paying() -> Refusal:
    """202: accepted, the password is awaited. The HTTP status of this one is our reading; callers go by the code."""
    return Refusal(202, "USERPAYING", "需要用户输入支付密码")


def system_error() -> Refusal:
    """500: the outcome is not told."""
    return Refusal(500, "SYSTEM_ERROR", "系统错误，请用相同参数重新调用")


def gateway_error() -> Refusal:
    """502: nothing reached the channel; unsigned."""
    return Refusal(502, "BAD_GATEWAY", "网关错误", signed=False)


def refund_not_exist() -> Refusal:
    """404: no such refund."""
    return Refusal(404, "RESOURCE_NOT_EXISTS", "退款单不存在")


def refund_repeated() -> Refusal:
    """400: one refund number, two contents."""
    return Refusal(400, "INVALID_REQUEST", "商户退款单号重复，请求参数与原退款单不一致")


def refund_too_much() -> Refusal:
    """400: the sum of refunds would exceed the payment."""
    return Refusal(400, "INVALID_REQUEST", "申请退款金额大于订单可退金额")


def refund_too_often() -> Refusal:
    """400: fifty partial refunds are the limit."""
    return Refusal(400, "INVALID_REQUEST", "超过最大退款次数50")


def trade_not_paid() -> Refusal:
    """403: nothing to refund."""
    return Refusal(403, "TRADE_ERROR", "订单未支付或状态不正确")


def not_enough() -> Refusal:
    """403: the merchant's balance cannot cover the refund; try again later with the same number."""
    return Refusal(403, "NOT_ENOUGH", "基本账户余额不足")
