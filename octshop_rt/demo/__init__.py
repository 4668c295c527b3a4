"""Demo data: a merchant with five certified shops in Hangzhou, their goods and staff, two buyers, an administrator."""

from __future__ import annotations

from octshop_rt.demo.people import ACCOUNTS, PASSWORD, Account
from octshop_rt.demo.seed import seed

__all__ = ["ACCOUNTS", "PASSWORD", "Account", "seed"]
