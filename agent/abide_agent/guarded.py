"""What the tamper guard guards on this laptop: the daemon's own files by name, and what ``install`` wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from abide_agent.config import Config
from abide_agent.identity import load_device
from abide_agent.install import Installed, installed
from abide_agent.vault import Vault, read_plain
from abide_rules.errors import ConfigurationError
from abide_rules.i18n import _
from abide_rules.wire import NATIVE_HOST_NAME

OTHERS_MAY_WRITE = 0o022
MAX_FILE_BYTES = 4 * 1024 * 1024
_KINDS = {
    "wrapper": "native-host", "policy": "browser-policy", "update": "update-manifest",
    "systemd": "service", "autostart": "service", "launchd": "service",
}  # fmt: skip


def names(config: Config) -> dict[Path, str]:
    """Return what the daemon's own files are called in events: never by their path."""
    return {
        config.key: "device-key",
        config.identity: "identity",
        config.policy: "policy",
        config.people: "people",
        config.clock: "clock",
        config.installed: "record",
    }


def open_vault(config: Config) -> Vault:
    """Return a vault that takes the daemon's own files as they are now."""
    vault = Vault(config.state, names(config))
    for path in names(config):
        vault.adopt(path)
    return vault


class Installation:
    """Keeps the vault in step with what a program of ours may change: the installation, and the enrolment."""

    def __init__(self, config: Config, vault: Vault) -> None:
        self._config = config
        self._vault = vault
        self._held: frozenset[Path] = frozenset()

    def take_over(self) -> list[str]:
        """Take what is recorded as installed, and an identity that is sound; return what is not as recorded, and lost.

        Content counts when it has the recorded hash, whether it is found in its place or still in the vault.
        """
        try:
            load_device(self._config)
            self._vault.adopt(self._config.identity)
            items = [item for item in installed(self._config) if item.sha256]
        except ConfigurationError:
            return []  # nothing of this is to be taken over: the guard restores what was there before
        self._vault.adopt(self._config.installed)
        paths = frozenset(Path(item.path) for item in items)
        for gone in self._held - paths:
            self._vault.release(gone)
        self._held = paths
        return [what_is(item) for item in items if not self._hold(item)]

    def _hold(self, item: Installed) -> bool:
        path = Path(item.path)
        data, mode = _read(path)
        if hashlib.sha256(data).hexdigest() == item.sha256:
            self._vault.hold(what_is(item), path, data, mode & ~OTHERS_MAY_WRITE)
            return True
        known = self._vault.data(path)
        if known is not None and hashlib.sha256(known).hexdigest() == item.sha256:
            return True
        self._vault.release(path)
        return False


def what_is(item: Installed) -> str:
    """Return the name of something installed, as in events."""
    if Path(item.path).name == f"{NATIVE_HOST_NAME}.json":
        return "manifest"
    return _KINDS.get(item.kind, item.kind)


def describe(detector: str) -> str:
    """Return what a ``tamper`` event's detector means, for people."""
    return _texts().get(detector, detector)


def _texts() -> Mapping[str, str]:
    return {
        "file:device-key": _("the device key"),
        "file:identity": _("the configuration"),
        "file:policy": _("the held policy"),
        "file:people": _("the held people file"),
        "file:clock": _("the remembered time"),
        "file:record": _("the record of the installation"),
        "file:native-host": _("the native host"),
        "file:manifest": _("a browser's manifest"),
        "file:browser-policy": _("a browser's policy file"),
        "file:update-manifest": _("the extension's update manifest"),
        "file:service": _("the service that starts the agent"),
        "file:spool": _("the recorded events"),
        "file:socket": _("the agent's socket"),
        "file:lock": _("the agent's lock"),
        "file:state": _("the state directory"),
        "clock:forward": _("the clock, set forward"),
        "clock:back": _("the clock, set back"),
        "clock:corrected": _("the clock, corrected"),
        "clock:zone": _("the time zone"),
    }


def _read(path: Path) -> tuple[bytes, int]:
    """Return content and mode of a file; nothing when it cannot be read."""
    try:
        return read_plain(path, MAX_FILE_BYTES)
    except OSError:
        return b"", 0
