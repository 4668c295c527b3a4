"""Private servers for a start without installation: a one-member MongoDB replica set and a Redis, loopback only.

For trial, development and tests. The mongod that comes with the Python wheel is old: whatever listens on a network
needs a supported MongoDB of its own (docs/operations.md).
"""

from octshop_rt.embedded.mongod import EmbeddedMongo
from octshop_rt.embedded.redisd import EmbeddedRedis

__all__ = ["EmbeddedMongo", "EmbeddedRedis"]
