"""Measurements beside a ceiling in the same run. Loopback only, bounded, never part of `make test`."""
