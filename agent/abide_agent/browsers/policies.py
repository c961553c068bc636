"""The policy files that make a laptop's browsers install the extension and trust this agent. Pure: path → bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from abide_agent.bundle import Bundle
from abide_agent.platform.base import Browser
from abide_rules.browser_policy import Wish, as_text, chromium_policy, firefox_policy
from abide_rules.extension_update import LATEST_XPI, UPDATE_MANIFEST, offered, update_manifest
from abide_rules.wire import EXTENSION_PATH


class Choices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the administrator chose at ``install --system``: which strict keys are left out (or, the last, added)."""

    private_windows: bool = False
    only_system_hosts: bool = False


class Told(msgspec.Struct, frozen=True):
    """What the policies say: where the extension comes from, whom it trusts, and the administrator's choices.

    ``server`` is the address of the server when enrolled, ``device_key`` base64; ``xpi_signed``: by Mozilla, or not known.
    """

    bundle: Bundle
    server: str = ""
    device_key: str = ""
    xpi_signed: bool = False
    choices: Choices = Choices()


def policy_files(browsers: Iterable[Browser], told: Told, update_file: Path) -> Mapping[Path, bytes]:
    """Return the policies of every browser that has a file for them, and ``update_file`` when a policy names it.

    The extension comes from the files that were installed with the agent, else from its server; with neither there is
    nothing to install and the answer is empty.
    """
    sources = {"chromium": _chromium_source(told, update_file), "firefox": _firefox_source(told)}
    files = {
        browser.policy: as_text(_policy(browser, told, sources[browser.family]))
        for browser in browsers
        if browser.policy is not None and sources[browser.family]
    }
    if told.bundle.crx is not None:
        known = told.bundle
        files[update_file] = update_manifest(offered(known.chromium_id, known.version, told.bundle.crx.as_uri()))
    return files


def _policy(browser: Browser, told: Told, source: str) -> dict[str, object]:
    is_firefox = browser.family == "firefox"
    wish = Wish(
        id=told.bundle.firefox_id if is_firefox else told.bundle.chromium_id,
        source=source,
        device_key=told.device_key,
        private_windows=told.choices.private_windows,
        only_system_hosts=told.choices.only_system_hosts,
        signed=told.xpi_signed,
    )
    if is_firefox or browser.name == "browser":
        return firefox_policy(wish)
    return chromium_policy(wish, browser.name)


def _chromium_source(told: Told, update_file: Path) -> str:
    if told.bundle.crx is not None:
        return update_file.as_uri()
    return told.server and told.server + EXTENSION_PATH + UPDATE_MANIFEST


def _firefox_source(told: Told) -> str:
    if told.bundle.xpi is not None:
        return told.bundle.xpi.as_uri()
    return told.server and told.server + EXTENSION_PATH + LATEST_XPI
