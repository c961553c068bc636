"""Which files an installation consists of: one list, for writing them and for noticing that somebody touched them."""

from __future__ import annotations

import base64
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from abide_agent.browsers.policies import Choices, Told, policy_files
from abide_agent.bundle import Bundle, bundle
from abide_agent.config import Config
from abide_agent.identity import is_enrolled, load_identity, load_key
from abide_agent.platform.base import Browser, Layout
from abide_rules.errors import ConfigurationError
from abide_rules.extension_package import read_xpi
from abide_rules.i18n import _
from abide_rules.wire import NATIVE_HOST_NAME


@dataclass(frozen=True)
class Wanted:
    """One file as it must be. ``kind`` is ``wrapper``, a browser's name (its manifest), ``policy``, ``update`` or the
    service's kind. ``is_ours``: false for a file that is one for everybody, so that another's is left as it is.
    """

    path: Path
    data: bytes
    kind: str
    mode: int
    is_ours: bool = True


def wanted(config: Config, layout: Layout, told: Told) -> tuple[Wanted, ...]:
    """Return every file of the installation that ``config`` and ``layout`` describe, each path once. Pure."""
    files = [wrapper(config), *(manifest(browser, config, told.bundle) for browser in layout.browsers)]
    if config.system:
        shared_by_all = {browser.policy for browser in layout.browsers if browser.family == "firefox"}
        for path, data in policy_files(layout.browsers, told, config.update_manifest).items():
            kind = "update" if path == config.update_manifest else "policy"
            files.append(Wanted(path, data, kind, 0o644, is_ours=path not in shared_by_all))
    files.append(_service(config, layout, tuple(dict.fromkeys(str(file.path.parent) for file in files))))
    unique: dict[Path, Wanted] = {}
    for file in files:
        unique.setdefault(file.path, file)  # Brave looks for manifests where Chromium does.
    return tuple(unique.values())


def told_of(config: Config) -> Told:
    """Return what this installation's policies say, from its state. Raises ConfigurationError."""
    known = bundle()
    if not config.system:
        return Told(known)
    key = load_key(config.key).public_key().public_bytes_raw() if config.key.exists() else b""
    return Told(
        known,
        server=load_identity(config).server if is_enrolled(config) else "",
        device_key=base64.b64encode(key).decode(),
        xpi_signed=known.xpi is None or read_xpi(known.xpi.read_bytes()).signed,
        choices=load_choices(config),
    )


def load_choices(config: Config) -> Choices:
    """Return what ``install --system`` was told last. Raises ConfigurationError."""
    try:
        return msgspec.json.decode(config.choices.read_bytes(), type=Choices)
    except FileNotFoundError:
        return Choices()
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(
            _("{path} cannot be used: {why}", path=config.choices, why=error),
            advice=_("Run: abide-agent install --system"),
        ) from error


def manifest(browser: Browser, config: Config, known: Bundle) -> Wanted:
    """Return a native-messaging manifest: who may start which program."""
    allowed: dict[str, object] = (
        {"allowed_extensions": [known.firefox_id]}
        if browser.family == "firefox"
        else {"allowed_origins": [known.chromium_origin]}
    )
    common = {"name": NATIVE_HOST_NAME, "description": "Abide agent", "path": str(config.wrapper), "type": "stdio"}
    data = msgspec.json.format(msgspec.json.encode(common | allowed)) + b"\n"
    return Wanted(browser.manifests / f"{NATIVE_HOST_NAME}.json", data, browser.name, 0o644)


def wrapper(config: Config) -> Wanted:
    """Return the script that browsers start."""
    command = _command(config, "native-host")
    if sys.platform == "win32":
        data = f"@{subprocess.list2cmdline(command)} %*\r\n"
    else:
        data = f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'
    return Wanted(config.wrapper, data.encode(), "wrapper", 0o755 if config.system else 0o700)


def _service(config: Config, layout: Layout, writable: Sequence[str]) -> Wanted:
    folder = os.environ.get("ABIDE_EXTENSION_DIR", "")
    text = layout.service.template.format(
        command=shlex.join(_command(config, "run")),
        writable=" ".join(
            shlex.quote(f"-{path}") for path in writable
        ),  # "-": one that is gone keeps nothing from starting
        environment=f"Environment=ABIDE_EXTENSION_DIR={shlex.quote(folder)}\n" if folder else "",
    )
    return Wanted(layout.service.path, text.encode(), layout.service.kind, 0o644)


def _command(config: Config, name: str) -> Sequence[str]:
    start = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "abide_agent"]
    return [*start, name, *(["--system"] if config.system else ["--state", str(config.state)])]
