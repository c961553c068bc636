"""The stories of test_forced.py: each runs as root in a namespace of its own (``python -m … STORY FOLDER``)."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import struct
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from abide_rules.wire import EXTENSION_ID_CHROMIUM
from tests.demo.browsers import CHROMIUMS, EXTENSION, QUIET, find, sandbox_flags, stop_workers, worker_of
from tests.e2e.desk import Desk, new_desk
from tests.e2e.plans import plan

POLICY = Path("/etc/chromium/policies/managed/abide.json")
NOTICED_AFTER_S = 12
"""A policy file that changes in the first seconds of a browser can go unnoticed by it for ever."""
LEFT_OUT = [
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-extensions-with-background-pages",
]
BLOCKED = re.compile(r"^chrome-extension://[a-p]{32}/pages/block\.html(\?open=\d)?#https://")
UNJUDGED = re.compile(r"^chrome-extension://[a-p]{32}/pages/block\.html\?unjudged#https://")
ENCODED = "https://x.com/i/%67rok"
CHAT = "https://chatgpt.com/"
STORES = "[chrome.storage.local, chrome.storage.session]"
UPDATE = """<?xml version='1.0' encoding='UTF-8'?><gupdate xmlns='http://www.google.com/update2/response' protocol='2.0'>
<app appid='{id}'><updatecheck codebase='file://{crx}' version='{version}'/></app></gupdate>"""


class Forced:
    """A desk whose browser knows the extension by policy alone."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.agent, self.web, self._folder = desk, desk.agent, desk.web, folder
        self.id = self._pack()
        self.context: BrowserContext

    def configure(self, **managed: object) -> None:
        """Write the browser's policy; ``managed`` is the extension's configuration."""
        source = {"installation_mode": "force_installed", "update_url": f"file://{self._folder}/update.xml"}
        policy = {
            "ExtensionSettings": {self.id: source},
            "3rdparty": {"extensions": {self.id: managed}},
            "DeveloperToolsAvailability": 1,
        }
        POLICY.parent.mkdir(parents=True, exist_ok=True)
        POLICY.write_text(json.dumps(policy))

    @contextmanager
    def opened(self) -> Iterator[Page]:
        """Start the agent, and the browser with nothing of ours but the policy."""
        self.agent.start()
        for manifest in (self.desk.profile / "NativeMessagingHosts").iterdir():
            manifest.write_text(manifest.read_text().replace(EXTENSION_ID_CHROMIUM, self.id))
        flags = [*sandbox_flags(), *(flag for flag in QUIET if flag not in LEFT_OUT), *self.web.flags]
        with sync_playwright() as playwright:
            self.context = playwright.chromium.launch_persistent_context(
                self.desk.profile, executable_path=find(CHROMIUMS), headless=False,
                ignore_default_args=LEFT_OUT, args=["--headless=new", *flags],
            )  # fmt: skip
            yield self.context.pages[0]
            self.context.close()

    def _pack(self) -> str:
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        manifest = json.loads((EXTENSION / "manifest.json").read_text("utf-8"))
        manifest["key"] = base64.b64encode(public).decode()
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            for file in sorted(EXTENSION.rglob("*.*")):
                packed.write(file, str(file.relative_to(EXTENSION))) if file.name != "manifest.json" else None
            packed.writestr("manifest.json", json.dumps(manifest))
        digest = hashlib.sha256(public).digest()[:16]
        signed = _field(1, digest)
        proof = key.sign(
            b"CRX3 SignedData\0" + struct.pack("<I", len(signed)) + signed + archive.getvalue(),
            ec.ECDSA(hashes.SHA256()),
        )
        head = _field(3, _field(1, public) + _field(2, proof)) + _field(10_000, signed)
        (self._folder / "abide.crx").write_bytes(b"Cr24" + struct.pack("<II", 3, len(head)) + head + archive.getvalue())
        name = digest.hex().translate(str.maketrans("0123456789abcdef", "abcdefghijklmnop"))
        update = UPDATE.format(id=name, crx=self._folder / "abide.crx", version=manifest["version"])
        (self._folder / "update.xml").write_text(update)
        return name


def _field(number: int, value: bytes) -> bytes:
    """One length-delimited field of a protocol buffer."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


def it_judges_before_the_request_leaves(forced: Forced) -> None:
    """Percent codes, rules that the engine lost, a worker that was asleep."""
    forced.configure(trust_first_agent=True)
    forced.agent.plan = plan(1, "block")
    with forced.opened() as page:
        forced.agent.wait_for("in_force", 60, policy_version=1)
        forced.agent.stop()
        for _ in range(8):  # Both layers stop it; they do not end each other.
            is_stopped(forced, page, ENCODED)
        stop_workers(forced.context)
        is_stopped(forced, page, ENCODED)
        worker_of(forced.context).evaluate(
            "chrome.declarativeNetRequest.getDynamicRules().then((all) => "
            "chrome.declarativeNetRequest.updateDynamicRules({ removeRuleIds: all.map((rule) => rule.id) }))"
        )
        is_stopped(forced, page, CHAT)
        page.goto("https://site.example/")
        page.set_content(f"<iframe id=f src='{CHAT}'></iframe>")
        expect(page.frame_locator("#f").locator("#open")).to_be_visible()
        assert "chatgpt.com" not in forced.desk.hosts_reached()


def is_stopped(forced: Forced, page: Page, url: str) -> None:
    forced.web.hits.clear()
    page.evaluate("to => { location = to }", url)
    expect(page).to_have_url(BLOCKED)
    assert not {"x.com", "chatgpt.com"} & forced.desk.hosts_reached()
    page.goto("about:blank")


def a_judge_that_does_not_answer_stops_and_never_hangs(forced: Forced) -> None:
    """The browser's storage hangs, then fails; ordinary sites open as ever, and trying again works."""
    forced.configure(trust_first_agent=True)
    with forced.opened() as page:
        forced.agent.wait_for("hello", 60)
        page.goto(CHAT)  # Nothing is enforced before the first plan.
        forced.agent.push(plan(1, "block"))
        forced.agent.wait_for("in_force", 60, policy_version=1)
        for broken in ("new Promise(() => undefined)", "Promise.reject(new Error('broken'))"):
            worker = worker_of(forced.context)
            worker.evaluate(f"() => {STORES}.forEach((s) => {{ s.whole = s.get; s.get = () => {broken}; }})")
            forced.web.hits.clear()
            started = time.monotonic()
            page.evaluate("to => { location = to }", ENCODED)
            expect(page).to_have_url(UNJUDGED)
            print(f"answered after {time.monotonic() - started:.1f} s: {broken}")
            assert "x.com" not in forced.desk.hosts_reached()
            ordinary = forced.context.new_page()
            ordinary.goto("https://site.example/")
            ordinary.close()
            worker.evaluate(f"() => {STORES}.forEach((s) => {{ s.get = s.whole; }})")
            page.goto("about:blank")


def it_trusts_no_agent_before_it_is_configured(forced: Forced) -> None:
    """Empty managed configuration means "not yet"; the popup says so, and what comes later counts at once."""
    forced.configure()
    forced.agent.plan = plan(1, "block")
    with forced.opened() as page:
        started = time.monotonic()
        forced.agent.wait_for("hello", 60)
        page.goto(f"chrome-extension://{forced.id}/pages/popup.html")
        expect(page.locator("#managed")).to_contain_text("Waiting for the company's configuration")
        expect(page.locator("#refusal")).to_contain_text("not believed yet")
        expect(page.locator("#policy")).to_have_text("None held")
        time.sleep(max(0.0, NOTICED_AFTER_S - (time.monotonic() - started)))  # A fact about Chromium, no condition.
        forced.configure(trust_first_agent=True)
        forced.agent.wait_for("in_force", 60, policy_version=1)
        expect(page.locator("#managed")).to_contain_text("the first agent key seen is trusted")
        expect(page.locator("#refusal")).to_be_hidden()


STORIES: dict[str, Callable[[Forced], None]] = {
    story.__name__: story
    for story in (
        it_judges_before_the_request_leaves,
        a_judge_that_does_not_answer_stops_and_never_hangs,
        it_trusts_no_agent_before_it_is_configured,
    )
}


def main(name: str, folder: str) -> None:
    """Tell one story. Raises what went wrong."""
    with new_desk(Path(folder)) as desk:
        STORIES[name](Forced(desk, Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
