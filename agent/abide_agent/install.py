"""What makes browsers and the system start the agent, and a record of it so that it can be undone exactly."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from abide_agent.browsers.policies import Choices
from abide_agent.config import Config
from abide_agent.files import make_private_dir
from abide_agent.identity import create_key
from abide_agent.platform.base import Browser, Layout
from abide_agent.wanted import Wanted, load_choices, manifest, told_of, wanted, wrapper
from abide_rules.errors import ConfigurationError
from abide_rules.files import write_atomic
from abide_rules.i18n import _
from abide_rules.wire import NATIVE_HOST_NAME

__all__ = ["Installed", "Installer", "Outcome", "Wanted", "installed", "wanted"]

COMMAND_TIMEOUT_S = 20


class Installed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that was written: a file by its hash, or a directory that did not exist (hash empty)."""

    path: str
    sha256: str
    kind: str


class Outcome(msgspec.Struct, frozen=True):
    """What a command did to a path: written, removed, kept (changed by hand), missing, ran, failed, theirs.

    ``theirs``: the file is one for everybody and was there; ``advice`` is what a person must add to it.
    """

    path: str
    action: str
    advice: str = ""


class Installer:
    """Installs for one account and one state directory, or for the whole system."""

    def __init__(self, config: Config, layout: Layout) -> None:
        self._config = config
        self._layout = layout
        self._record = list(_load(config.installed))

    def install(self, browser_dir: Path | None, *, replace: bool, choices: Choices | None = None) -> list[Outcome]:
        """Write what is wanted, or only one manifest below ``browser_dir``. Raises ConfigurationError.

        A system installation makes the device key, because policies name it, and remembers ``choices`` (None: as before).
        """
        make_private_dir(self._config.state)
        if self._config.system:
            create_key(self._config.key)
            write_atomic(self._config.choices, msgspec.json.encode(choices or load_choices(self._config)))
        told = told_of(self._config)
        if browser_dir is not None:
            browser = browser_of(browser_dir.absolute())
            only = (wrapper(self._config), manifest(browser, self._config, told.bundle))
            return [self._write(file, replace) for file in only]
        done = [self._write(file, replace) for file in wanted(self._config, self._layout, told)]
        self._register()
        return [*done, *_shadowed(self._layout), *_run_all(self._layout.service.enable)]

    @property
    def is_installed(self) -> bool:
        """Whether something was written and not removed since."""
        return bool(self._record)

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

    def _register(self) -> None:
        for browser in self._layout.browsers:
            if browser.registry_key:
                path = browser.manifests / f"{NATIVE_HOST_NAME}.json"
                _registry_set(rf"{browser.registry_key}\{NATIVE_HOST_NAME}", str(path), system=self._config.system)

    def _write(self, file: Wanted, replace: bool) -> Outcome:
        path, data = file.path, file.data
        known = next((item for item in self._record if item.path == str(path)), None)
        if path.exists() and path.read_bytes() != data and not _is_unchanged(known):
            if not file.is_ours:
                return Outcome(str(path), "theirs", _("Add to it:") + "\n" + data.decode())
            if not replace:
                raise ConfigurationError(
                    _("{path} is there already and was not written by this installation", path=path),
                    advice=_("Remove it, or add --replace."),
                )
        self._make_dirs(path.parent)
        if not path.exists() or path.read_bytes() != data or path.stat().st_mode & 0o777 != file.mode:
            write_atomic(path, data, file.mode)  # Not without need: browsers act on every change of a policy.
        item = Installed(str(path), hashlib.sha256(data).hexdigest(), file.kind)
        if known is None:
            self._record.append(item)
        else:
            self._record[self._record.index(known)] = item
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
            self._config.choices.unlink(missing_ok=True)


def browser_of(folder: Path) -> Browser:
    """Return the browser that keeps its users' data in ``folder``: Firefox's is ``.mozilla`` (``Mozilla`` on macOS)."""
    if folder.name == ".mozilla":
        return Browser("browser", "firefox", folder / "native-messaging-hosts")
    family: Literal["chromium", "firefox"] = "firefox" if folder.name == "Mozilla" else "chromium"
    return Browser("browser", family, folder / "NativeMessagingHosts")


def installed(config: Config) -> tuple[Installed, ...]:
    """Return what is recorded as written."""
    return _load(config.installed)


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


def _shadowed(layout: Layout) -> list[Outcome]:
    """Find other policy files of the same browser that set what ours sets: of two, the browser takes one and is silent."""
    found = []
    for path in (browser.policy for browser in layout.browsers if browser.family == "chromium"):
        ours = _keys(path) if path is not None and path.exists() else set()
        for other in sorted(path.parent.glob("*.json")) if path is not None and ours else ():
            both = sorted((_keys(other) & ours) - {"3rdparty"})
            if other != path and both:
                advice = _("It sets {keys} too; the browser takes only one of them. Join them.", keys=", ".join(both))
                found.append(Outcome(str(other), "theirs", advice))
    return found


def _keys(path: Path) -> set[str]:
    try:
        return set(msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw]))
    except (OSError, msgspec.MsgspecError):
        return set()


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


def _registry_set(key: str, value: str, *, system: bool) -> None:
    if sys.platform == "win32":
        import winreg

        with winreg.CreateKey(winreg.HKEY_LOCAL_MACHINE if system else winreg.HKEY_CURRENT_USER, key) as handle:
            winreg.SetValueEx(handle, "", 0, winreg.REG_SZ, value)
