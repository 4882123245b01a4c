"""Runs migrations on the connection that todo.migrate hands over."""

from typing import Any, Literal

from alembic import context
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

import todo.modules  # noqa: F401 -- knows every room, and with it every table
from todo.database import metadata
from todo.migrate import is_ours


def include_name(name: str | None, kind: str, _: Any) -> bool:
    return kind != "table" or is_ours(name or "")


def render_item(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """SQLModel's own types as plain SQLAlchemy ones, so that a migration needs nothing but SQLAlchemy."""
    if kind == "type" and isinstance(item, AutoString):
        length = getattr(item.impl_instance, "length", None)
        return f"sa.String({length})" if length else "sa.String()"
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


# Either for a connection, or for writing SQL.
IS_WRITTEN = context.is_offline_mode()
DIALECT: dict[str, Any] = {"dialect_name": "postgresql", "literal_binds": True, "dialect_opts": {"paramstyle": "named"}}
context.configure(
    connection=context.config.attributes["connection"],
    **(DIALECT if IS_WRITTEN else {}),
    transactional_ddl=not IS_WRITTEN,  # all migrations run in one transaction, which is not written for each
    target_metadata=metadata,
    include_name=include_name,
    render_item=render_item,
    compare_type=True,
    compare_server_default=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
