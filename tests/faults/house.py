"""A house whose programs are put under faults, and the one oracle of what must hold afterwards."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from abide_agent.health import Snapshot, ask_daemon
from tests.demo.house import House, answers
from tests.demo.programs import Program, StoryError, free_port, tool, tool_json, until
from tests.faults.browser import Browser, GoneError
from tests.faults.steps import Step, Traced
from tests.server.house import run

__all__ = ["FaultyHouse", "answers"]


class FaultyHouse(House):
    """Server, agent and one browser; ``url`` may be answered by something that stands before the server."""

    def __init__(self, folder: Path, *, behind: str = "") -> None:
        super().__init__(folder, url=behind)
        if behind:
            port = str(free_port())
            self.server_url = f"http://127.0.0.1:{port}"
            self.server = Program("abide-server", "serve", "--data", self.data, "--port", port, log=self.server.log)
        self.browser = Browser(self.state / "agent.sock")
        self.published = 1

    def enrol(self) -> None:
        """Start the server and enrol this device."""
        self.start_server()
        token = tool_json("abide-server", "token", "--data", self.data)["token"]
        tool("abide-agent", "enroll", token, "--state", self.state)

    def meet(self, agent: Program | None = None) -> bool:
        """Start an agent (ours, or one that is put under a fault); False when it ended before it served the browser."""
        program = agent or self.agent
        program.start()

        def met() -> bool:
            try:
                self.browser.meet()
            except GoneError:
                return False
            return True

        until("the agent serves the browser, or ended", lambda: met() or not program.runs)
        return program.runs

    def publish(self) -> int:
        """Publish the policy file, in this process."""
        done = run("publish", str(self.policy), "--data", str(self.data), "--json")
        if done.returncode:
            raise StoryError(done.stderr)
        self.published = int(json.loads(done.stdout)["version"])
        return self.published

    def traced(self, program: Program, step: Step | None = None, *, error: str = "") -> Traced:
        """The same program, under strace."""
        return Traced(program, self.folder / f"{program.name}.trace", step, error=error)

    def prove(self) -> int:
        """The oracle, with every fault lifted: the newest policy is in force, what was confirmed is on the server once.

        Returns the number of events that proved themselves.
        """
        browser = self.browser
        browser.meet()
        browser.wait_for_version(self.published)
        browser.observe(1)
        browser.deliver()
        until("nothing waits on the laptop", lambda: self.waiting() == 0, 60)
        events = self.exported()
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        hosts = Counter(str(event["host"]) for event in events if event["kind"] == "visit")
        assert max(hosts.values()) == 1, "an observation is there twice"
        assert len(browser.confirmed) == len(set(browser.confirmed))
        lost = set(browser.confirmed) - set(hosts)
        assert len(lost) <= sum(int(str(event.get("dropped", 0))) for event in events), f"lost: {lost}"
        return len(events)

    def exported(self) -> list[dict[str, object]]:
        """The events of an export that proved itself offline."""
        export = self.folder / "export.ndjson"
        self.export(export)
        tool("abide-policy", "verify", export)
        lines = [json.loads(line) for line in export.read_text("utf-8").splitlines()]
        return [
            json.loads(event) for line in lines if line["type"] == "batch" for event in line["batch"].split("\n")[1:]
        ]

    def export(self, file: Path) -> None:
        """Let the server write everything it has into a file."""
        tool("abide-server", "export", "-o", file, "--data", self.data)

    def leftovers(self) -> list[str]:
        """Temporary files that a crash left behind in the agent's state."""
        return [path.name for path in self.state.rglob("*") if re.match(r"\.|tmp", path.name)]

    def waiting(self) -> int | None:
        """How many events wait for a receipt; None when no agent answers."""
        snapshot = ask_daemon(self.state / "agent.sock")
        return snapshot.spooled if isinstance(snapshot, Snapshot) else None

    def close(self) -> None:
        """Hang up and stop both programs."""
        self.browser.leave()
        super().close()
