"""The demonstration itself: what the README promises is what happens."""

from __future__ import annotations

import json
from pathlib import Path

from tests.demo.story import Story


def test_the_whole_story_is_seen_in_the_browser(tmp_path: Path, browser: str) -> None:
    summary = Story(tmp_path / "demo", tmp_path / "screenshots", print, browser).tell()
    assert summary.ok, summary.error
    written = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert written.keys() >= {"ok", "steps", "push_to_enforced_ms", "versions"}
    assert all(step["seen"] for step in written["steps"])
    assert 0 < written["push_to_enforced_ms"] < 1000
    assert {"block.png", "warn.png", "server.png", "popup.png"} <= {
        p.name for p in (tmp_path / "screenshots").iterdir()
    }
    for log in (tmp_path / "demo" / "logs").iterdir():
        assert "Traceback" not in log.read_text("utf-8"), log.name
