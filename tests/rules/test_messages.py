"""Every text for people can be translated, and has a Chinese translation that fills in the same places."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]
PACKAGES = ("rules", "agent", "server")
CHINESE = ROOT / "rules/abide_rules/locale/zh/LC_MESSAGES/abide.po"


def catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every text that “make messages” collects."""
    template = tmp_path_factory.mktemp("messages") / "abide.pot"
    pybabel = [sys.executable, "-m", "babel.messages.frontend", "-q"]
    extract = ["extract", "-F", "build/babel.cfg", "--no-location", "-o", str(template), *PACKAGES]
    subprocess.run([*pybabel, *extract], cwd=ROOT, check=True)
    return {str(message.id) for message in catalogue(template) if message.id}


def calls(*folders: str) -> Iterator[tuple[str, ast.Call]]:
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call):
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def holes(text: str) -> set[str]:
    return {name for _text, name, _format, _conversion in Formatter().parse(text) if name is not None}


def test_every_text_has_a_chinese_translation(english: set[str]) -> None:
    translated = {str(message.id) for message in catalogue(CHINESE) if message.string and not message.fuzzy}
    assert sorted(english - translated) == []


def test_every_translation_is_still_used(english: set[str]) -> None:
    assert sorted({str(message.id) for message in catalogue(CHINESE) if message.id} - english) == []


def test_every_translation_fills_in_the_same_places() -> None:
    wrong = [str(m.id) for m in catalogue(CHINESE) if m.id and holes(str(m.id)) != holes(str(m.string))]
    assert wrong == []


def test_the_catalogue_says_how_it_is_encoded() -> None:
    headers = dict(catalogue(CHINESE).mime_headers)
    assert (headers["Language"], headers["Content-Type"]) == ("zh", "text/plain; charset=utf-8")


def test_nothing_inside_an_underscore_escapes_the_extraction(english: set[str]) -> None:
    marked = [
        (where, call.args[0])
        for where, call in calls(*PACKAGES)
        if isinstance(call.func, ast.Name) and call.func.id == "_"
    ]
    assert len(marked) > 200
    assert [where for where, text in marked if not (isinstance(text, ast.Constant) and text.value in english)] == []


def test_templates_are_extracted_too(english: set[str]) -> None:
    assert {"Skip to the devices", "No events yet.", "policy in force"} <= english


def test_commands_say_nothing_in_plain_english() -> None:
    folders = [f"{package}/abide_{package}/cli" for package in PACKAGES]
    found = list(calls(*folders))
    plain = [
        f"{where} {keyword.arg}"
        for where, call in found
        for keyword in call.keywords
        if keyword.arg in ("help", "advice") and isinstance(keyword.value, (ast.Constant, ast.JoinedStr))
    ]
    bare = [
        where
        for where, call in found
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "command"
        and "help" not in {keyword.arg for keyword in call.keywords}
    ]
    assert (plain, bare) == ([], [])
