"""Adapters: one per payment channel, each fulfilling the protocol in payment/channel.py."""
