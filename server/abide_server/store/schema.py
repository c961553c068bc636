"""The tables, as SQLAlchemy Core sees them. Migrations make them; a test compares the two.

Times are milliseconds since 1970-01-01 UTC. A device's row carries the head of its chain, which is what makes each event
count exactly once.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, MetaData, PrimaryKeyConstraint, Table, Text

metadata = MetaData()

devices = Table(
    "devices",
    metadata,
    Column("device", Text, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("name", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("grouping", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("proof", LargeBinary, nullable=False),
    Column("enrolled", Integer, nullable=False),
    Column("revoked", Integer),
    Column("agent_version", Text, nullable=False),
    Column("next_seq", Integer, nullable=False, server_default="1"),
    Column("head", Text, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("stale", Integer, nullable=False, server_default="0"),
    Column("spooled", Integer, nullable=False, server_default="0"),
    Column("problems", Text, nullable=False, server_default=""),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token", Text, primary_key=True),
    Column("secret_sha256", LargeBinary, nullable=False),
    Column("grouping", Text, nullable=False),
    Column("uses_left", Integer, nullable=False),
    Column("expires", Integer, nullable=False),
    Column("root_version", Integer, nullable=False),
    Column("created", Integer, nullable=False),
)

batches = Table(
    "batches",
    metadata,
    Column("device", Text, ForeignKey("devices.device"), nullable=False),
    Column("first_seq", Integer, nullable=False),
    Column("last_seq", Integer, nullable=False),
    Column("head", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("received", Integer, nullable=False),
    PrimaryKeyConstraint("device", "first_seq"),
)

events = Table(
    "events",
    metadata,
    Column("device", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("clause", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("period", Text, nullable=False),
    PrimaryKeyConstraint("device", "seq"),
    Index("events_by_time", "at"),
)

releases = Table(
    "releases",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("made", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("published", Integer),
    Column("timestamp_version", Integer),
)

in_force = Table(
    "in_force",
    metadata,
    Column("device", Text, ForeignKey("devices.device"), nullable=False),
    Column("browser", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("since", Integer, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("guarded", Integer, nullable=False),
    Column("browser_version", Text, nullable=False, server_default=""),
    Column("extension_version", Text, nullable=False, server_default=""),
    Column("forced", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("device", "browser"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("note", Text, nullable=False),
)
