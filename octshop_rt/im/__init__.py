"""Instant messaging: buyers and shops talk over WebSockets; acked means stored, numbered and findable."""
