"""The direction of the house: abide_agent → abide_rules ← abide_server, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = {"abide_rules": ROOT / "rules", "abide_agent": ROOT / "agent", "abide_server": ROOT / "server"}
MAY_IMPORT = {
    "abide_rules": {"abide_rules"},
    "abide_agent": {"abide_agent", "abide_rules"},
    "abide_server": {"abide_server", "abide_rules"},
}
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
NOT_IN_RULES = {"asyncio", "aiohttp", "socket", "sqlite3", "requests", "urllib.request", "http", "threading"}


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            yield node.module or ""


@pytest.mark.parametrize("package", SOURCES)
def test_imports_follow_the_direction_of_the_house(package: str) -> None:
    files = list(SOURCES[package].rglob("*.py"))
    assert files
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files
        for name in imports(file)
        if name.startswith("abide_") and name.split(".")[0] not in MAY_IMPORT[package]
    ]
    assert wrong == []


def test_the_rules_do_no_input_or_output_of_their_own() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in SOURCES["abide_rules"].rglob("*.py")
        for name in imports(file)
        if name in NOT_IN_RULES or name.split(".")[0] in NOT_IN_RULES
    ]
    assert wrong == []


def test_handlers_contain_no_sql_and_no_cryptography() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in (ROOT / "server/abide_server/handlers").glob("*.py")
        for name in imports(file)
        if name.split(".")[0] in {"sqlite3", "sqlalchemy", "asyncpg", "cryptography", "nacl", "securesystemslib"}
    ]
    assert wrong == []


def test_nothing_imports_the_packaging() -> None:
    assert not (ROOT / "build/__init__.py").exists()
    for folder in SOURCES.values():
        assert all(name.split(".")[0] != "build" for file in folder.rglob("*.py") for name in imports(file))


def test_the_extension_touches_the_browser_in_one_file_only() -> None:
    users = {
        file.name
        for file in (ROOT / "extension").rglob("*.js")
        if re.search(r"\b(?:chrome|browser)\.\w+\.\w+\(", COMMENT.sub("", file.read_text("utf-8")))
    }
    assert users <= {"browser.js"}
