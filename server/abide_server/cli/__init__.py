"""``abide-server``: one file per command. Exit codes: 0 ok, 1 the answer is no, 2 usage."""

from __future__ import annotations

from abide_server.cli.app import main

__all__ = ["main"]
