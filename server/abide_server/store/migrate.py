"""Brings a database to the newest schema with Alembic; the migrations lie inside the package."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from abide_server.store.connection import connect

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0003"
"""The newest migration. Commands compare with it first, because loading Alembic takes longer than most of them."""


def migrate(path: Path) -> None:
    """Create or upgrade the SQLite database at ``path``; nothing happens when it is up to date."""
    if path.exists() and _revision(path) == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(f"sqlite:///{path.resolve()}", poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()


def _revision(path: Path) -> str:
    try:
        with closing(connect(path, read_only=True)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:  # no such table
        return ""
    return str(row[0]) if row else ""
