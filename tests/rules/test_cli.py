"""The command line, as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(sys.executable).parent / "abide-policy"


def run(*arguments: str | Path, stdin: str = "", lang: str = "en") -> subprocess.CompletedProcess[str]:
    env = os.environ | {"ABIDE_LANG": lang, "NO_COLOR": "1", "COLUMNS": "100"}
    return subprocess.run([TOOL, *arguments], input=stdin, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    file = tmp_path / "strict.yaml"
    assert run("new", "strict", "-o", file).returncode == 0
    return file


def test_classify_answers_with_the_promised_names() -> None:
    result = run("classify", "--json", stdin="https://chatgpt.com/\nstatus.openai.com\n\nexample.com\n")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"input": "https://chatgpt.com/", "service": "chatgpt", "category": "chat", "vendor": "openai"},
        {"input": "status.openai.com", "service": None, "category": None, "vendor": "openai"},
        {"input": "example.com", "service": None, "category": None, "vendor": None},
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--at", "2026-11-23T10:00+01:00", "--visit", "https://chatgpt.com/"],
         {"verdict": "block", "rule": "working-time", "clause": "BUS-1", "class": "prohibited", "until": "2026-11-23T12:30:00+01:00"}),
        (["--at", "2026-11-23T10:00", "--visit", "https://chatgpt.com/"], {"verdict": "block", "until": "2026-11-23T12:30:00+01:00"}),
        (["--at", "2026-11-23T20:00", "--visit", "https://chatgpt.com/", "--purpose", "business"],
         {"verdict": "block", "rule": "business-purpose", "until": None}),
        (["--at", "2026-11-23T20:00", "--visit", "https://chatgpt.com/", "--person", "p", "--groups", "a,b"],
         {"verdict": "inform", "rule": "personal-time", "class": "allowed"}),
        (["--at", "2026-11-23T10:00", "--visit", "https://example.com/"], {"verdict": "allow", "rule": None, "clause": None}),
    ],
)  # fmt: skip
def test_explain_answers_with_the_promised_names(strict: Path, arguments: list[str], expected: dict[str, Any]) -> None:
    answer = json.loads(run("explain", strict, *arguments, "--json").stdout)
    assert {key: answer[key] for key in expected} == expected
    assert {"reason", "instead", "evidence"} <= answer.keys()
    assert {"en", "zh"} == answer["reason"].keys()


def test_check_tells_each_mistake_where_it_stands(strict: Path) -> None:
    assert run("check", strict).returncode == 0
    strict.write_text(strict.read_text().replace("verdict: block", "verdict: blok", 1))
    result = run("check", strict)
    assert result.returncode == 1
    assert f"{strict}:21:14: “blok” is not possible here Did you mean block?" in result.stdout
    assert json.loads(run("check", strict, "--json").stdout)["mistakes"][0]["line"] == 21


def test_diff_says_what_is_different(strict: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(strict.read_text().replace("verdict: block", "verdict: warn", 1))
    assert run("diff", strict, strict).returncode == 0
    result = run("diff", strict, other)
    assert result.returncode == 1
    assert "rule working-time, verdict: block → warn" in result.stdout
    change = {"rule": "working-time", "change": "changed", "key": "verdict", "old": "block", "new": "warn"}
    assert json.loads(run("diff", strict, other, "--json").stdout)["changes"] == [change]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["new", "strickt", "-o", "x"], 1, "Did you mean strict?"),
        (["check", "no-such-file.yaml"], 1, "cannot read"),
        (["explain", "no-such-file.yaml"], 2, "--at"),
        (["verify", "no-such-file"], 1, "cannot read"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_a_wrong_call_says_what_to_do(arguments: list[str], code: int, text: str) -> None:
    result = run(*arguments)
    assert result.returncode == code
    assert text in result.stderr
    assert "Traceback" not in result.stderr


def test_the_same_in_chinese(strict: Path) -> None:
    at = ["--at", "2026-11-23T10:00", "--visit", "https://chatgpt.com/"]
    assert "工作时间内使用第三方人工智能服务" in run("explain", strict, *at, lang="zh").stdout
    assert "无法读取" in run("check", "no-such-file.yaml", lang="zh").stderr
