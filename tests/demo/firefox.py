"""Firefox: a profile with the extension in it, and the Firefox that is driven unattended."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from abide_rules.wire import EXTENSION_ID_FIREFOX
from tests.demo.browsers import EXTENSION, find
from tests.demo.firefox_page import FirefoxPage, wait
from tests.demo.marionette import Marionette
from tests.demo.programs import StoryError, free_port
from tests.demo.stand_in import StandIn

Preferences = dict[str, bool | int | str]
FIREFOXES = ("firefox-esr",)
BY_HAND: Preferences = {
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.firstRunURL": "",
    "trailhead.firstrun.didSeeAboutWelcome": True,
}
ORIGIN = uuid.uuid5(uuid.NAMESPACE_URL, EXTENSION_ID_FIREFOX)
QUIET: Preferences = BY_HAND | {
    "app.normandy.enabled": False,
    "browser.newtabpage.activity-stream.feeds.topsites": False,
    "browser.region.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.connection.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "signon.rememberSignons": False,
    "toolkit.telemetry.enabled": False,
}
UNSIGNED: Preferences = {
    "xpinstall.signatures.required": False,  # Only ESR and developer editions heed this.
    "extensions.autoDisableScopes": 0,
    "extensions.webextensions.uuids": json.dumps({EXTENSION_ID_FIREFOX: str(ORIGIN)}),
}


def firefox_profile(home: Path) -> Path:
    """Where the profile lies below a private home directory, in which Firefox also looks for native hosts."""
    return home / ".mozilla" / "firefox" / "abide"


def pack(xpi: Path) -> None:
    """Write the extension's files as one, unsigned."""
    xpi.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(xpi, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(EXTENSION.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(EXTENSION))


def prepare(home: Path, preferences: Preferences, *, extension: bool = True) -> Path:
    """Make or renew the profile of this home, with the extension installed in it, and return it."""
    profile = firefox_profile(home)
    profile.mkdir(parents=True, exist_ok=True)
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items()]
    (profile / "user.js").write_text("".join(lines), "utf-8")
    if extension:
        pack(profile / "extensions" / f"{EXTENSION_ID_FIREFOX}.xpi")
    return profile


def launch(home: Path, arguments: Sequence[str], before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start Firefox on this home's profile, ``before`` being a command that starts it. Raises StoryError without it."""
    firefox = find(FIREFOXES)
    if not firefox:
        raise StoryError("Firefox ESR is not installed. Run: sudo apt-get install firefox-esr")
    own = Path.home() / ".Xauthority"
    env = {"XAUTHORITY": str(own), **os.environ, "HOME": str(home), "MOZ_CRASHREPORTER_DISABLE": "1"}
    command = [*before, firefox, "--no-remote", "--profile", str(firefox_profile(home)), *arguments]
    with (home / "firefox.log").open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True
        )


class Firefox:
    """An open Firefox, driven unattended."""

    name = "firefox"

    def __init__(
        self, home: Path, web: StandIn, *, locale: str = "en-US", dark: bool = False, extension: bool = True,
        before: Sequence[str] = (),
    ) -> None:  # fmt: skip
        port = free_port()
        own: Preferences = {
            "marionette.port": port,
            "intl.locale.requested": locale,
            "ui.systemUsesDarkTheme": int(dark),
        }
        prepare(home, QUIET | UNSIGNED | web.preferences | own, extension=extension)
        driven = ["--headless", "--marionette", "--remote-allow-system-access"]
        self._process = launch(home, driven, before)
        self.marionette = Marionette(port)
        self.marionette.in_browser(TRUST, web.authority)
        self.marionette("WebDriver:SetWindowRect", width=1000, height=945)
        if extension:
            self._wait_for_background()

    @property
    def version(self) -> str:
        return str(self.marionette.capabilities["browserVersion"])

    @property
    def extension(self) -> str:
        return f"moz-extension://{ORIGIN}"

    @property
    def pages(self) -> Sequence[FirefoxPage]:
        return [FirefoxPage(self.marionette, handle) for handle in self.marionette("WebDriver:GetWindowHandles")]

    def new_page(self, *, private: bool = False) -> FirefoxPage:
        kind = "window" if private else "tab"
        opened = self.marionette("WebDriver:NewWindow", type=kind, private=private, focus=True)
        return FirefoxPage(self.marionette, opened["handle"])

    def stop_background(self) -> None:
        self._wait_for_background()
        self.ask("extension.terminateBackground({ disableResetIdleForTest: true }).then(() => true)")

    def ask(self, expression: str) -> Any:
        """What the browser itself says of the extension; None while it is not installed."""
        script = f"return WebExtensionPolicy.getByID(arguments[0])?.{expression}"
        return self.marionette.in_browser(script, EXTENSION_ID_FIREFOX)

    def _wait_for_background(self) -> None:
        """Firefox opens pages some tenths of a second before its extensions and their rules are there."""
        wait("the background runs", lambda: self.ask("extension.backgroundState") == "running", 20_000)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Quit as a person does; one that was killed has ended already."""
        try:
            if self._process.poll() is None:
                self.marionette("Marionette:Quit", flags=["eForceQuit"])
                self._process.wait(timeout=30)
        finally:
            self.marionette.close()
            if self._process.poll() is None:
                self.kill()


TRUST = """
const store = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
store.addCertFromBase64(arguments[0], "C,,");
"""
