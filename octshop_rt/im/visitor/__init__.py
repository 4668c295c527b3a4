"""Visitors: what they look at while they talk, the widget on a shop's other sites, and who those sites vouch for."""
