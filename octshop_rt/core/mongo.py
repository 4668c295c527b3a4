"""MongoDB: the one file that speaks it by pymongo. Databases, transactions, collections of Structs, indexes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

import msgspec
import pymongo
from pymongo import AsyncMongoClient, ReturnDocument, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError, ConfigurationError, DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from octshop_rt.core.clock import Millis, from_datetime
from octshop_rt.core.indexes import Doc, Index, index  # noqa: F401 # pyright: ignore[reportUnusedImport]  (stores use it)
from octshop_rt.core.mongo_faults import outcome, senseless
from octshop_rt.core.settings import MongoSettings

Row = TypeVar("Row", bound=msgspec.Struct)
T = TypeVar("T")

Logical = Literal["channel", "trading", "mall", "care", "common", "ads", "files", "im"]
# These five share one deployment and its transactions; the others may be given a cluster of their own by URI.
TOGETHER: Final[tuple[Logical, ...]] = ("channel", "trading", "mall", "care", "common")
APART: Final[tuple[Logical, ...]] = ("ads", "files", "im")

TRANSACTION_SECONDS = 5
_BUILTINS = (bytes, datetime)


class DuplicateKey(Exception):
    """A unique index refused a row. `key` names the fields of that index. Never swallow it inside a transaction."""

    def __init__(self, key: tuple[str, ...], position: int = 0) -> None:
        super().__init__(", ".join(key))
        self.key = key
        self.position = position


class Transaction:
    """An open transaction: pass it explicitly to every store call that belongs to it."""

    def __init__(self, database: Database, session: AsyncClientSession) -> None:
        self.database = database
        self.session = session
        self.wrote_events = False


# Where a store function reads or writes: on its own, or inside an open transaction.
Place: TypeAlias = "Database | Transaction"


class Database:
    """The eight logical databases of one installation."""

    def __init__(self, clients: Mapping[Logical, AsyncMongoClient[dict[str, Any]]], prefix: str) -> None:
        self._clients = clients
        self._prefix = prefix
        self._raw: dict[Collection[Any], AsyncCollection[dict[str, Any]]] = {}
        self._on_events: Callable[[], None] | None = None
        self._open: set[asyncio.Task[Any]] = set()

    @classmethod
    def connect(cls, settings: MongoSettings, listeners: Sequence[Any] = ()) -> Database:
        """Clients for every URI named in `settings`; connects lazily. SettingsError for a URI without sense."""
        clients: dict[str, AsyncMongoClient[dict[str, Any]]] = {}

        def client(uri: str) -> AsyncMongoClient[dict[str, Any]]:
            if uri not in clients:
                try:
                    clients[uri] = _client(uri, listeners)
                except (ConfigurationError, ValueError) as fault:
                    raise senseless(fault) from None
            return clients[uri]

        together = client(settings.uri)
        places: dict[Logical, AsyncMongoClient[dict[str, Any]]] = dict.fromkeys(TOGETHER, together)
        for name in APART:
            places[name] = client(settings.apart.get(name, settings.uri))
        return cls(places, settings.prefix)

    def on_events(self, callback: Callable[[], None]) -> None:
        """Called after each commit that wrote outbox events: wakes the dispatcher."""
        self._on_events = callback

    async def transact(self, work: Callable[[Transaction], Awaitable[T]], *, unit: Logical = "common") -> T:
        """Run `work(tx)` in a transaction, again from the start on a transient conflict.

        `work` touches MongoDB and nothing else; ids and time are made outside. Five seconds in all, then
        UnknownOutcome. DuplicateKey and DomainErrors abort and fly out. Majority read and write. A caller that is
        cancelled leaves it running: PyMongo takes a cancelled commit for done, without retry or abort.
        """
        task = asyncio.get_running_loop().create_task(self._transact(work, unit))
        self._open.add(task)
        task.add_done_callback(self._closed)
        return await asyncio.shield(task)

    def _closed(self, task: asyncio.Task[Any]) -> None:
        self._open.discard(task)
        if not task.cancelled():
            task.exception()  # whoever still waits gets it; nobody is told twice

    async def _transact(self, work: Callable[[Transaction], Awaitable[T]], unit: Logical) -> T:
        last: list[Transaction] = []

        async def body(session: AsyncClientSession) -> T:
            last[:] = [Transaction(self, session)]
            return await work(last[0])

        try:
            with pymongo.timeout(TRANSACTION_SECONDS):
                async with self._clients[unit].start_session() as session:
                    result = await session.with_transaction(
                        body,
                        read_concern=ReadConcern("snapshot"),
                        write_concern=WriteConcern("majority", j=True),
                        read_preference=ReadPreference.PRIMARY,
                    )
        except PyMongoError as fault:
            if (ours := outcome(fault, write=True)) is None:
                raise
            raise ours from fault
        if last[0].wrote_events and self._on_events is not None:
            self._on_events()
        return result

    async def ping(self) -> None:
        """Busy if any deployment does not answer."""
        for client in set(self._clients.values()):
            with _faults(write=False):
                await client.admin.command("ping")

    async def time(self) -> Millis:
        """What the main deployment's primary holds for the time. Busy if it does not answer."""
        with _faults(write=False):
            told = await self._clients["common"].admin.command("hello")
        return from_datetime(told["localTime"].replace(tzinfo=UTC))

    async def close(self) -> None:
        """Let open transactions end, then close every client."""
        if self._open:
            await asyncio.wait(set(self._open), timeout=TRANSACTION_SECONDS + 1)
        for client in set(self._clients.values()):
            await client.close()

    async def create_indexes(self, collections: Sequence[Collection[Any]]) -> int:
        """Create what is missing; how many are declared. Only `octshop-rt indexes` and the embedded start call it."""
        declared = 0
        for collection in collections:
            raw = self.raw(collection)
            for one in collection.indexes:
                options: dict[str, Any] = {"unique": one.unique}
                if one.partial is not None:
                    options["partialFilterExpression"] = one.partial
                if one.expire_after_s is not None:
                    options["expireAfterSeconds"] = one.expire_after_s
                await raw.create_index(one.keys(), **options)
                declared += 1
            if not collection.indexes:
                with contextlib.suppress(PyMongoError):  # it exists already: fine, this only creates it early
                    await raw.database.create_collection(raw.name)
        return declared

    async def index_keys(self, collection: Collection[Any]) -> list[tuple[list[tuple[str, Any]], bool]]:
        """What the server has for `collection`: (keys, unique) per index. For fsck."""
        return [
            (list(one["key"].items()), bool(one.get("unique", False)))
            async for one in await self.raw(collection).list_indexes()
        ]

    async def wipe(self, collections: Sequence[Collection[Any]]) -> None:
        """Delete every row. For tests and `demo reset`; refused nowhere, so call it nowhere else."""
        for collection in collections:
            await self.raw(collection).delete_many({})

    async def drop(self) -> None:
        """Drop the databases of this prefix. For tests."""
        for logical, client in self._clients.items():
            await client.drop_database(f"{self._prefix}_{logical}")

    async def server_info(self) -> dict[str, Any]:
        """Version and replica set of the main deployment."""
        info, hello = [await self._clients["common"].admin.command(name) for name in ("buildInfo", "hello")]
        return {"version": info["version"], "replica_set": hello.get("setName")}

    def raw(self, collection: Collection[Any]) -> AsyncCollection[dict[str, Any]]:
        """The driver's collection, made at the first question: making one costs as much as a tenth of asking it."""
        found = self._raw.get(collection)
        if found is None:
            database = self._clients[collection.database][f"{self._prefix}_{collection.database}"]
            found = self._raw[collection] = database[collection.name]
        return found


declared: list[Collection[Any]] = []


class Collection(Generic[Row]):
    """Rows of one Struct. Its `id` field is the document's `_id`; queries use MongoDB's own language and `_id`."""

    def __init__(
        self,
        database: Logical,
        name: str,
        shape: type[Row],
        *,
        indexes: Sequence[Index] = (),
        shard_key: tuple[str, ...],
        bulk: bool = False,
    ) -> None:
        self.database: Logical = database
        self.name = name
        self.shape = shape
        self.indexes = tuple(indexes)
        self.shard_key = shard_key
        self.bulk = bulk  # holds what people uploaded: no check reads it whole
        declared.append(self)

    async def one(
        self, at: Database | Transaction, query: Doc, *, sort: Sequence[tuple[str, int]] | None = None
    ) -> Row | None:
        """The first match or None."""
        raw, session = self._bind(at)
        with _faults(write=False, inside=session):
            return self._row(await raw.find_one(query, sort=sort, session=session))

    async def many(
        self,
        at: Database | Transaction,
        query: Doc,
        *,
        sort: Sequence[tuple[str, int]] | None = None,
        limit: int = 0,
        hint: str | None = None,
    ) -> list[Row]:
        """All matches, at most `limit` if given. `hint` names the index where the planner is known to choose badly."""
        raw, session = self._bind(at)
        with _faults(write=False, inside=session):
            cursor = raw.find(query, sort=sort, limit=limit, session=session, hint=hint)
            return [self.of(doc) for doc in await cursor.to_list()]

    async def scan(
        self, at: Database | Transaction, query: Doc, *, sort: Sequence[tuple[str, int]] | None = None
    ) -> AsyncIterator[Row]:
        """Stream all matches in constant memory."""
        raw, session = self._bind(at)
        with _faults(write=False, inside=session):
            async for doc in raw.find(query, sort=sort, session=session):
                yield self.of(doc)

    async def insert(self, at: Database | Transaction, row: Row) -> None:
        """Store a new row. DuplicateKey if a unique index refuses it."""
        raw, session = self._bind(at)
        with _faults(write=True, inside=session):
            await raw.insert_one(document(row), session=session)

    async def insert_many(self, at: Database | Transaction, rows: Sequence[Row]) -> None:
        """Store new rows in order; DuplicateKey stops at the first refused one (`position` says which)."""
        if not rows:
            return
        raw, session = self._bind(at)
        with _faults(write=True, inside=session):
            await raw.insert_many([document(row) for row in rows], ordered=True, session=session)

    async def update(
        self,
        at: Database | Transaction,
        query: Doc,
        change: Doc | Sequence[Doc],
        *,
        upsert: bool = False,
        array_filters: Sequence[Doc] | None = None,
    ) -> int:
        """Change at most one row; 1 if a row was changed or made, else 0."""
        raw, session = self._bind(at)
        with _faults(write=True, inside=session):
            result = await raw.update_one(query, change, upsert=upsert, array_filters=array_filters, session=session)
        return result.modified_count or (1 if result.upserted_id is not None else 0)

    async def update_many(self, at: Database | Transaction, query: Doc, change: Doc, *, hint: str | None = None) -> int:
        """Change all matches; how many were changed. Not retried by the driver: guard it so that it may run again."""
        raw, session = self._bind(at)
        with _faults(write=True, inside=session):
            return (await raw.update_many(query, change, session=session, hint=hint)).modified_count

    async def update_each(self, at: Database | Transaction, changes: Sequence[tuple[Doc, Doc | Sequence[Doc]]]) -> int:
        """For each (query, change) change at most one row, all in one command and in no order; how many were changed.
        Each is atomic, the whole is not: after UnknownOutcome any of them may have happened.
        """
        raw, session = self._bind(at)
        wanted = [UpdateOne(query, change) for query, change in changes]
        with _faults(write=True, inside=session):
            return (await raw.bulk_write(wanted, ordered=False, session=session)).modified_count

    async def change(
        self,
        at: Database | Transaction,
        query: Doc,
        change: Doc | Sequence[Doc],
        *,
        upsert: bool = False,
        sort: Sequence[tuple[str, int]] | None = None,
    ) -> Row | None:
        """Change one row and return it as it is afterwards, None if nothing matched."""
        raw, session = self._bind(at)
        with _faults(write=True, inside=session):
            doc = await raw.find_one_and_update(
                query, change, upsert=upsert, sort=sort, return_document=ReturnDocument.AFTER, session=session
            )
        return self._row(doc)

    async def count(self, at: Database | Transaction, query: Doc, *, limit: int | None = None) -> int:
        """How many match."""
        raw, session = self._bind(at)
        options: dict[str, Any] = {} if limit is None else {"limit": limit}
        with _faults(write=False, inside=session):
            return await raw.count_documents(query, session=session, **options)

    async def delete(self, at: Database | Transaction, query: Doc) -> int:
        """Delete all matches; how many."""
        raw, session = self._bind(at)
        with _faults(write=True, inside=session):
            return (await raw.delete_many(query, session=session)).deleted_count

    async def aggregate(self, at: Database | Transaction, pipeline: Sequence[Doc]) -> list[dict[str, Any]]:
        """Run a pipeline, plain documents back."""
        raw, session = self._bind(at)
        with _faults(write=False, inside=session):
            cursor = await raw.aggregate(list(pipeline), session=session)
            return await cursor.to_list()

    def _bind(self, at: Database | Transaction) -> tuple[AsyncCollection[dict[str, Any]], AsyncClientSession | None]:
        if isinstance(at, Transaction):
            return at.database.raw(self), at.session
        return at.raw(self), None

    def _row(self, doc: dict[str, Any] | None) -> Row | None:
        return None if doc is None else self.of(doc)

    def of(self, doc: dict[str, Any]) -> Row:
        """The row of a document. msgspec.ValidationError if it is none."""
        doc["id"] = doc.pop("_id")
        return msgspec.convert(doc, self.shape, builtin_types=_BUILTINS)


def document(row: msgspec.Struct) -> dict[str, Any]:
    """A row as MongoDB stores it."""
    doc: dict[str, Any] = msgspec.to_builtins(row, builtin_types=_BUILTINS)
    return {"_id": doc.pop("id"), **doc}


def _client(uri: str, listeners: Sequence[Any]) -> AsyncMongoClient[dict[str, Any]]:
    # Each figure guards against a hang seen with the driver's own defaults (20 to 30 s and unlimited waits).
    return AsyncMongoClient(
        uri,
        w="majority",
        journal=True,
        readConcernLevel="majority",
        retryWrites=True,
        timeoutMS=5000,
        serverSelectionTimeoutMS=3000,
        connectTimeoutMS=2000,
        heartbeatFrequencyMS=2000,
        waitQueueTimeoutMS=1000,
        maxPoolSize=64,
        appname="octshop-rt",
        event_listeners=list(listeners),
    )


@contextlib.contextmanager
def _faults(*, write: bool, inside: AsyncClientSession | None = None) -> Generator[None]:
    """Turn driver faults into ours. Inside a transaction only duplicates: the others carry retry labels."""
    try:
        yield
    except DuplicateKeyError as fault:
        raise _duplicate(fault.details or {}) from None
    except BulkWriteError as fault:
        errors: list[dict[str, Any]] = (fault.details or {}).get("writeErrors", [])
        if errors and errors[0].get("code") in {11000, 11001}:
            raise _duplicate(errors[0]) from None
        if inside is not None or (ours := outcome(fault, write=write)) is None:
            raise
        raise ours from fault
    except PyMongoError as fault:
        if inside is not None or (ours := outcome(fault, write=write)) is None:
            raise
        raise ours from fault


def _duplicate(details: Mapping[str, Any]) -> DuplicateKey:
    return DuplicateKey(tuple(details.get("keyPattern", {})), details.get("index", 0))
