"""PostgreSQL: one engine per process, and transactions that carry their organisation.

The only place that commits, and the only one that translates the driver's failures. The SQL is in `schema/store`.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.pool.base import _ConnectionRecord

from infra.settings import Settings
from schema.errors import StorageUnavailable
from schema.store.direct import Connection

CONNECT_TIMEOUT_S = 5.0
IDLE_IN_TRANSACTION_TIMEOUT_S = 60.0
ANSWER_GRACE_S = 5.0
"""How much later than the server should have answered it is taken for silent: one that hangs ends no statement."""

_AGAIN = (
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "55P03",  # lock_not_available
)
"""States after which the same transaction, run again, may succeed."""
_AWAY = ("08", "53", "57P", "58")
"""Classes of connection failure, exhausted resources, shutdown and crash, and system error (PostgreSQL, appendix A).

57014 (a statement ran longer than its limit) is in none of them: running it again would only repeat it.
"""


def async_url(url: str) -> str:
    """Return the URL with the driver that SQLAlchemy shall use."""
    scheme, separator, rest = url.partition("://")
    if scheme not in ("postgres", "postgresql", "postgresql+asyncpg"):
        raise ValueError(f"not a PostgreSQL URL: {scheme}{separator}...")
    return f"postgresql+asyncpg://{rest}"


def plain_url(url: str) -> str:
    """Return the URL as psql, asyncpg and other tools read it."""
    return "postgresql://" + async_url(url).partition("://")[2]


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that opens a transaction and names its organisation in one round trip."""

    _organisation = ""
    _begins_within_s: float | None = None

    def assume(self, organisation: str, begins_within_s: float | None = None) -> None:
        """Say whom row-level security lets through in the transactions that follow; nobody until it is said."""
        self._organisation, self._begins_within_s = organisation, begins_within_s

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Send a statement; to the one that asyncpg opens a transaction with, the organisation is added."""
        if query.startswith("BEGIN"):
            # No parameters in a message of several statements. Quotes are doubled, and a backslash means itself
            # (standard_conforming_strings, see below). is_local = true: the setting ends with the transaction, so a
            # pooled connection never keeps it.
            literal = self._organisation.replace("'", "''")
            query = f"{query} SELECT set_config('app.org_id', '{literal}', true);"
            timeout = timeout or self._begins_within_s
        return str(await super().execute(query, *args, timeout=timeout))


class _Pool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, where an opening that fails or is cancelled lets the next in.

    SQLAlchemy counts it out without a word to those who wait, and they wait for the whole of the pool's time-out. Here
    the place is made first and opened by who takes it, so a failed opening returns it to the queue.
    """

    def _create_connection(self) -> ConnectionPoolEntry:
        return _ConnectionRecord(self, connect=False)


class _DirectPool:
    """asyncpg's own pool, made at its first use: a Database is made outside of any event loop."""

    def __init__(self, url: str, size: int, timeout_s: float, options: dict[str, Any]) -> None:
        async def leave(_connection: Any) -> None:
            """Reset nothing: a transaction leaves nothing behind that outlives it, and the round trip costs."""

        self._pool: Any = None
        self._timeout_s = timeout_s
        self._options = {**options, "dsn": plain_url(url), "min_size": 0, "max_size": size, "reset": leave}

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Lend a connection that is open."""
        if self._pool is None:
            self._pool = asyncpg.create_pool(**self._options)
        await self._pool  # Returns at once when it is initialised.
        async with self._pool.acquire(timeout=self._timeout_s) as connection:
            yield connection

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()


class Database:
    """A pool of connections to PostgreSQL.

    Made without connecting: a process starts while PostgreSQL is down, and says so at its first query.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        pool_overflow: int = 10,
        pool_timeout_s: float = 10.0,
        statement_timeout_s: float = 30.0,
        application_name: str = "swissbrain",
    ) -> None:
        """Prepare the pool.

        Args:
            url: `postgresql://role:password@host:port/database`.
            statement_timeout_s: PostgreSQL ends a longer statement; 0 means never.
            application_name: shown in pg_stat_activity.
        """
        options = {
            "connection_class": _Connection,
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": statement_timeout_s + ANSWER_GRACE_S if statement_timeout_s else None,
            "server_settings": {
                "application_name": application_name,
                "timezone": "UTC",
                "standard_conforming_strings": "on",
                "statement_timeout": str(int(statement_timeout_s * 1000)),
                "idle_in_transaction_session_timeout": str(int(IDLE_IN_TRANSACTION_TIMEOUT_S * 1000)),
            },
        }
        self.engine: AsyncEngine = create_async_engine(
            async_url(url),
            poolclass=_Pool,
            pool_size=pool_size,
            max_overflow=pool_overflow,
            pool_timeout=pool_timeout_s,
            pool_recycle=1800,
            json_serializer=lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
            connect_args=options,
        )
        event.listen(self.engine.sync_engine, "checkout", _check_out)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._begins_within_s = pool_timeout_s + ANSWER_GRACE_S
        self._direct = _DirectPool(url, pool_size, pool_timeout_s, options)

    @classmethod
    def from_settings(cls, settings: Settings, *, application_name: str = "swissbrain") -> "Database":
        """Return the application role's pool."""
        return cls(
            settings.database_url.get_secret_value(),
            pool_size=settings.database_pool_size,
            pool_overflow=settings.database_pool_overflow,
            pool_timeout_s=settings.database_pool_timeout_s,
            statement_timeout_s=settings.database_statement_timeout_s,
            application_name=application_name,
        )

    @asynccontextmanager
    async def transaction(self, org_id: str | None) -> AsyncIterator[AsyncSession]:
        """Run one transaction: commit at the end of the block, roll back on any exception.

        Args:
            org_id: the organisation that row-level security lets through (`app.org_id`, for this transaction only);
                None for the few acts that belong to none, such as looking up an API key.

        Raises:
            StorageUnavailable: PostgreSQL did not answer, or asks to try again (deadlock, serialization). When the
                failure came with the commit, the transaction may have landed: only work that is keyed
                (idempotency key, operation key, upsert) may be repeated after it, and all of ours is.
        """
        async with translated(), self._sessions() as session, session.begin():
            try:
                async with asyncio.timeout(self._begins_within_s):
                    connection = await session.connection()
            except TimeoutError as error:  # A server that hangs accepts no new connection.
                raise StorageUnavailable("The database does not answer.") from error
            # BEGIN is sent with the block's first statement, and this with it.
            driver: Any = (await connection.get_raw_connection()).driver_connection
            driver.assume(org_id or "", self._begins_within_s)
            yield session
            await session.flush()
            # From here the commit may land, whether or not we hear of it.

    @asynccontextmanager
    async def direct(self, org_id: str) -> AsyncIterator[Connection]:
        """Run one transaction as `transaction` does, without SQLAlchemy between: for what every step of an agent sends.

        The connections are a second pool of at most `pool_size`, opened as they are needed.

        Raises:
            StorageUnavailable: as `transaction` does.
        """
        async with translated(), self._direct.connection() as connection:
            connection.assume(org_id, self._begins_within_s)
            async with connection.transaction():
                yield connection
                # From here the commit may land, whether or not we hear of it.

    async def ping(self) -> None:
        """Run a query; raise StorageUnavailable where PostgreSQL does not answer."""
        async with translated(), self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self._direct.close()
        await self.engine.dispose()


def _check_out(adapted: Any, _record: Any, _proxy: Any) -> None:
    """Hand out no connection that was lost while it was idle, and none that still names an organisation.

    Costs no round trip: a server that ends, or ends the connection, says so. One that hangs does not; the time that
    a transaction may take to begin is for those.
    """
    driver = adapted.driver_connection
    if driver.is_closed():
        raise InvalidatePoolError("the server has closed this connection, and most likely every other")
    driver.assume("")


async def driver_of(session: AsyncSession) -> Connection:
    """Return the driver's connection below a session, for a `Statement` in the session's own transaction.

    SQLAlchemy sends BEGIN with its first statement: where none was sent, one is, lest the driver's own statements each
    be a transaction of their own, without locks that last and without an organisation.
    """
    connection: Any = (await (await session.connection()).get_raw_connection()).driver_connection
    if not connection.is_in_transaction():
        await session.execute(text("SELECT 1"))
    opened: Connection = connection
    return opened


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Turn the driver's and the pool's failures into StorageUnavailable; let every other exception through.

    A violated constraint is not among them: it says something about the data, and its store function knows what.
    """
    try:
        yield
    except PoolTimeout as error:
        raise StorageUnavailable("Every database connection is busy.", retry_after_s=1.0) from error
    except DBAPIError as error:
        if (unavailable := _unavailable(error)) is not None:
            raise unavailable from error
        raise
    except asyncpg.PostgresError as error:
        if (unavailable := _unavailable_state(error.sqlstate or "")) is not None:
            raise unavailable from error
        raise
    except asyncpg.InterfaceError as error:
        raise StorageUnavailable("The database does not answer.") from error
    except (OSError, TimeoutError) as error:
        if not _from_driver(error):
            raise
        raise StorageUnavailable("The database does not answer.") from error


def _unavailable(error: DBAPIError) -> StorageUnavailable | None:
    state = getattr(error.orig, "sqlstate", None) or ""
    if not state and (error.connection_invalidated or isinstance(error, InterfaceError | OperationalError)):
        return StorageUnavailable("The database does not answer.")
    return _unavailable_state(state)


def _unavailable_state(state: str) -> StorageUnavailable | None:
    if state in _AGAIN:
        return StorageUnavailable("The database asks to try again.", retry_after_s=0.1, sqlstate=state)
    if state.startswith(_AWAY) and state != "57014":
        return StorageUnavailable("The database does not answer.", sqlstate=state)
    return None


def _from_driver(error: BaseException) -> bool:
    """Tell whether the exception rose in the driver: the block of a transaction may open files and sockets too."""
    trace: Any = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith(("asyncpg.", "sqlalchemy.")):
            return True
        trace = trace.tb_next
    return False
