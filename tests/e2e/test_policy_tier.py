"""Installed for all accounts and forced by policy: real server, agent and browsers, each story on its own computer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.namespace import needs_root, run_alone
from tests.e2e.policy_stories import STORIES

WITHIN_S = 240.0


@needs_root
@pytest.mark.parametrize("story", STORIES, ids=lambda story: str(story).replace("_", " "))
def test_forced_by_policy(story: str, tmp_path: Path) -> None:
    if "firefox" in story and shutil.which("firefox-esr") is None:
        pytest.skip("needs firefox-esr")
    run_alone("tests.e2e.policy_stories", story, tmp_path, within_s=WITHIN_S, folder=tmp_path)
