"""What makes browsers and the system start the agent, and a record of it so that it can be undone exactly."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from abide_agent.config import Config
from abide_agent.files import make_private_dir
from abide_agent.platform.base import Browser, Layout
from abide_rules.errors import ConfigurationError
from abide_rules.files import write_atomic
from abide_rules.i18n import _
from abide_rules.wire import EXTENSION_ID_CHROMIUM, EXTENSION_ID_FIREFOX, NATIVE_HOST_NAME

COMMAND_TIMEOUT_S = 20


class Installed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that was written: a file by its hash, or a directory that did not exist (hash empty)."""

    path: str
    sha256: str
    kind: str


class Outcome(msgspec.Struct, frozen=True):
    """What a command did to a path: written, removed, kept (changed by hand), missing, ran, failed."""

    path: str
    action: str


class Installer:
    """Installs for one user and one state directory."""

    def __init__(self, config: Config, layout: Layout) -> None:
        self._config = config
        self._layout = layout
        self._record = list(_load(config.installed))

    def install(self, browser_dir: Path | None, *, replace: bool) -> list[Outcome]:
        """Write manifests and service, or only one manifest below ``browser_dir``. Raises ConfigurationError."""
        make_private_dir(self._config.state)
        done = [self._write(self._config.wrapper, _wrapper(self._config), "wrapper", 0o700, replace)]
        if browser_dir is not None:
            folder = browser_dir.absolute() / "NativeMessagingHosts"
            browser = Browser("browser", "chromium", folder)
            return [*done, self._manifest(browser, replace)]
        done += [self._manifest(browser, replace) for browser in self._layout.browsers]
        service = self._layout.service
        text = service.template.format(command=shlex.join(_command(self._config, "run")))
        done.append(self._write(service.path, text.encode(), service.kind, 0o644, replace))
        return [*done, *_run_all(service.enable)]

    def uninstall(self, browser_dir: Path | None) -> list[Outcome]:
        """Remove exactly what was written and not changed since."""
        below = browser_dir.absolute() if browser_dir is not None else None
        wanted = [
            item for item in self._record if below is None or below in (Path(item.path), *Path(item.path).parents)
        ]
        done: list[Outcome] = []
        if any(item.kind == self._layout.service.kind for item in wanted):
            done += _run_all(self._layout.service.disable)
        for item in reversed(wanted):
            outcome = _remove(item)
            done.append(outcome)
            if outcome.action != "kept":
                self._record.remove(item)
        self._save()
        return done

    def _manifest(self, browser: Browser, replace: bool) -> Outcome:
        path = browser.manifests / f"{NATIVE_HOST_NAME}.json"
        outcome = self._write(path, manifest(browser, self._config.wrapper), browser.name, 0o644, replace)
        if browser.registry_key:
            _registry_set(rf"{browser.registry_key}\{NATIVE_HOST_NAME}", str(path))
        return outcome

    def _write(self, path: Path, data: bytes, kind: str, mode: int, replace: bool) -> Outcome:
        known = next((item for item in self._record if item.path == str(path)), None)
        if path.exists() and not replace and path.read_bytes() != data and not _is_unchanged(known):
            raise ConfigurationError(
                _("{path} is there already and was not written by this installation", path=path),
                advice=_("Remove it, or add --replace."),
            )
        self._make_dirs(path.parent)
        write_atomic(path, data, mode)
        self._record = [item for item in self._record if item.path != str(path)]
        self._record.append(Installed(str(path), hashlib.sha256(data).hexdigest(), kind))
        self._save()
        return Outcome(str(path), "written")

    def _make_dirs(self, folder: Path) -> None:
        missing = [p for p in (folder, *folder.parents) if not p.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        self._record += [Installed(str(p), "", "directory") for p in reversed(missing)]

    def _save(self) -> None:
        if self._record:
            write_atomic(self._config.installed, msgspec.json.encode(self._record))
        else:
            self._config.installed.unlink(missing_ok=True)


def manifest(browser: Browser, wrapper: Path) -> bytes:
    """Return a native-messaging manifest: who may start which program."""
    allowed: dict[str, object] = (
        {"allowed_extensions": [EXTENSION_ID_FIREFOX]}
        if browser.family == "firefox"
        else {"allowed_origins": [f"chrome-extension://{EXTENSION_ID_CHROMIUM}/"]}
    )
    common = {"name": NATIVE_HOST_NAME, "description": "Abide agent", "path": str(wrapper), "type": "stdio"}
    return msgspec.json.format(msgspec.json.encode(common | allowed)) + b"\n"


def installed(config: Config) -> tuple[Installed, ...]:
    """Return what is recorded as written."""
    return _load(config.installed)


def _command(config: Config, name: str) -> Sequence[str]:
    start = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "abide_agent"]
    return [*start, name, "--state", str(config.state)]


def _wrapper(config: Config) -> bytes:
    command = _command(config, "native-host")
    if sys.platform == "win32":
        return f"@{subprocess.list2cmdline(command)} %*\r\n".encode()
    return f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'.encode()


def _load(path: Path) -> tuple[Installed, ...]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Installed, ...])
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(
            _("{path} cannot be used: {why}", path=path, why=error),
            advice=_("Remove the files by hand, then this one."),
        ) from error


def _is_unchanged(item: Installed | None) -> bool:
    if item is None:
        return False
    try:
        return hashlib.sha256(Path(item.path).read_bytes()).hexdigest() == item.sha256
    except OSError:
        return False


def _remove(item: Installed) -> Outcome:
    path = Path(item.path)
    try:
        if not path.exists():
            return Outcome(item.path, "missing")
        if item.kind == "directory":
            path.rmdir()
        elif _is_unchanged(item):
            path.unlink()
        else:
            return Outcome(item.path, "kept")
    except OSError:
        return Outcome(item.path, "kept")
    return Outcome(item.path, "removed")


def _run_all(commands: Iterable[Sequence[str]]) -> list[Outcome]:
    done = []
    for command in commands:
        try:
            result = subprocess.run(command, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False)  # noqa: S603
            action = "ran" if result.returncode == 0 else "failed"
        except (OSError, subprocess.TimeoutExpired):
            action = "failed"
        done.append(Outcome(shlex.join(command), action))
    return done


def _registry_set(key: str, value: str) -> None:
    if sys.platform == "win32":
        import winreg

        with winreg.CreateKey(winreg.HKEY_CURRENT_USER, key) as handle:
            winreg.SetValueEx(handle, "", 0, winreg.REG_SZ, value)
