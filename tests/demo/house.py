"""A whole installation in one folder: a server with a published policy, an enrolled agent, a browser profile."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.demo.programs import Program, StoryError, free_port, tool, tool_json, until


class House:
    """Everything below ``folder``; nothing outside it is touched. ``profile`` is Chromium's data and Firefox's home."""

    def __init__(self, folder: Path, template: str = "strict", *, url: str = "") -> None:
        self.folder = folder
        self.url = url or f"http://127.0.0.1:{free_port()}"
        self.data = folder / "server"
        self.state = folder / "agent"
        self.profile = folder / "profile"
        self.policy = folder / "policy.yaml"
        logs = folder / "logs"
        shutil.rmtree(folder, ignore_errors=True)
        for path in (folder, logs, self.profile):
            path.mkdir(parents=True)
        port = self.url.rpartition(":")[2]
        self.server = Program("abide-server", "serve", "--data", self.data, "--port", port, log=logs / "server.log")
        self.agent = Program("abide-agent", "run", "--state", self.state, log=logs / "agent.log")
        tool("abide-server", "init", "--data", self.data, "--url", self.url)
        write_policy(self.policy, template)
        self.publish()

    def open(self) -> None:
        """Start the server, enrol this device and start its agent."""
        self.start_server()
        token = tool_json("abide-server", "token", "--data", self.data)["token"]
        tool("abide-agent", "enroll", token, "--state", self.state)
        for browser_dir in (self.profile, self.profile / ".mozilla"):
            tool("abide-agent", "install", "--state", self.state, "--browser-dir", browser_dir)
        self.start_agent()

    def start_server(self) -> None:
        """Start the server and wait until it is ready."""
        self.server.start()
        until("the server is ready", lambda: self.server.pid and answers(f"{self.url}/readyz"))

    def start_agent(self) -> None:
        """Start the agent and wait until it holds a policy."""
        self.agent.start()
        until("the agent holds a policy", lambda: self.agent.pid and self.status().get("policy_version"))

    def publish(self) -> int:
        """Publish the policy file; the version that it got."""
        return int(tool_json("abide-server", "publish", self.policy, "--data", self.data)["version"])

    def change_policy(self, old: str, new: str) -> None:
        """Replace a text in the policy file. Raises StoryError when it is not there."""
        text = self.policy.read_text("utf-8")
        if old not in text:
            raise StoryError(f"the policy does not say {old!r}")
        self.policy.write_text(text.replace(old, new), "utf-8")

    def status(self) -> dict[str, Any]:
        """What ``abide-agent status`` says."""
        answer: dict[str, Any] = tool_json("abide-agent", "status", "--state", self.state, accept=(0, 1))
        return answer

    def proven_events(self) -> list[tuple[int, str, str]]:
        """Export what the server has, prove it offline, and return (seq, kind, service) of each event."""
        export = self.folder / "export.ndjson"
        tool("abide-server", "export", "-o", export, "--data", self.data)
        tool("abide-policy", "verify", export)
        lines = [json.loads(line) for line in export.read_text("utf-8").splitlines()]
        batches = [line["batch"] for line in lines if line["type"] == "batch"]
        events = [json.loads(event) for batch in batches for event in batch.split("\n")[1:]]
        return [(event["seq"], event["kind"], event.get("service", "")) for event in events]

    def close(self) -> None:
        """Stop both programs."""
        self.agent.stop()
        self.server.stop()


def write_policy(path: Path, template: str) -> None:
    """Write a template whose working hours are now, whatever the time is."""
    tool("abide-policy", "new", template, "-o", path, "--force")
    now = dt.datetime.now(dt.UTC)
    start, end = (now - dt.timedelta(hours=2)).strftime("%H:%M"), (now + dt.timedelta(hours=6)).strftime("%H:%M")
    text = re.sub(r"zone: .*", "zone: UTC", path.read_text("utf-8"))
    text = re.sub(r"    mon-fri: .*", f'    mon-sun: ["{start}-{end}"]', text)
    text = re.sub(r"  holidays: .*\n", "", text)
    path.write_text(text, "utf-8")


def answers(url: str) -> bool:
    """Whether a GET of ``url`` is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
