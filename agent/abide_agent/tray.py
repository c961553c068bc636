"""The tray: an icon in a process of its own, which asks the daemon for its snapshot at times.

pystray needs a display when it is *imported* and raises errors of several libraries there, so it is imported late and
every error counts as "no tray here". GTK's Python bindings (``gi``) belong to the system's Python; a virtualenv does not
see them, so that one package is taken from the place where Debian keeps it, if the Python versions fit. Without it the
X11 backend is used, which shows an icon with its text but no menu.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import threading
import time
import webbrowser
from importlib.machinery import PathFinder
from typing import Any

from abide_agent.config import Config
from abide_agent.health import ask_daemon
from abide_agent.tray_icon import draw
from abide_agent.tray_view import STATES, View, view

POLL_S = 5.0
SYSTEM_PACKAGES = "/usr/lib/python3/dist-packages"


class NoTrayError(Exception):
    """There is no display, or nothing on it that shows icons."""


def load_pystray(wait_s: float) -> Any:
    """Return pystray, as soon as there is a tray. Raises NoTrayError when there is none within ``wait_s``."""
    _use_system_gi()
    deadline = time.monotonic() + wait_s
    while not has_tray():
        if time.monotonic() >= deadline:
            raise NoTrayError("no tray shows icons on this display")
        time.sleep(1)
    try:
        import pystray
    except Exception as error:  # each backend raises what its own library raises
        raise NoTrayError(f"{type(error).__name__}: {error}") from error
    return pystray


def has_tray() -> bool:
    """Say whether something shows icons: an X11 tray, or a StatusNotifier host. Raises NoTrayError without a display."""
    if sys.platform in ("win32", "darwin"):
        return True
    return _has_notifier_host() or _has_x11_tray()


def _has_x11_tray() -> bool:
    try:
        from Xlib import display

        connection = display.Display()
    except Exception as error:  # no DISPLAY, no server, or one that refuses
        raise NoTrayError(f"no display: {error}") from error
    try:
        name = f"_NET_SYSTEM_TRAY_S{connection.get_default_screen()}"
        return bool(connection.get_selection_owner(connection.intern_atom(name)))
    finally:
        connection.close()


def _has_notifier_host() -> bool:
    """KDE, and GNOME with its extension, show icons that register over D-Bus."""
    try:
        from gi.repository import Gio, GLib

        bus = Gio.bus_get_sync(Gio.BusType.SESSION, None)
        call = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner")
        name = GLib.Variant("(s)", ("org.kde.StatusNotifierWatcher",))
        return bool(bus.call_sync(*call, name, None, Gio.DBusCallFlags.NONE, 1_000, None).unpack()[0])
    except Exception:  # no bindings, no bus
        return False


def _use_system_gi() -> None:
    """Make ``gi``, and nothing else, of the system's Python importable here."""
    if importlib.util.find_spec("gi") is not None:
        return
    spec = PathFinder.find_spec("gi", [SYSTEM_PACKAGES])
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["gi"] = module
    try:
        spec.loader.exec_module(module)
    except ImportError:  # built for another version of Python
        for name in [name for name in sys.modules if name == "gi" or name.startswith("gi.")]:
            del sys.modules[name]


class Tray:
    """One icon and what it shows."""

    def __init__(self, config: Config, pystray: Any, texts: tuple[str, str]) -> None:
        self._config = config
        self._pystray = pystray
        self._mine, self._quit = texts
        self._pictures = {state: draw(state) for state in STATES}
        self._shown = self._look()
        self._icon = pystray.Icon(
            "abide", self._pictures[self._shown.state], self._shown.title, pystray.Menu(self._items)
        )

    def run(self) -> None:
        """Show the icon until the person quits; the process ends here."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: os._exit(0))
        self._icon.run(setup=self._start)

    def _start(self, icon: Any) -> None:
        icon.visible = True
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        while True:
            time.sleep(POLL_S)
            self._show(self._look())

    def _look(self) -> View:
        return view(ask_daemon(self._config.socket))

    def _show(self, new: View) -> None:
        old, self._shown = self._shown, new
        if new.state != old.state:
            self._icon.icon = self._pictures[new.state]
        if new.title != old.title:
            self._icon.title = new.title
        if new != old:
            self._icon.update_menu()

    def _items(self) -> list[Any]:
        item, separator = self._pystray.MenuItem, self._pystray.Menu.SEPARATOR
        lines = [item(line, None, enabled=False) for line in self._shown.lines]
        page = self._shown.page
        mine = [item(self._mine, lambda: webbrowser.open(page))] if page else []
        # os._exit: stopping pystray from its own menu can hang, and nothing here needs an orderly end
        return [*lines, separator, *mine, item(self._quit, lambda: os._exit(0))]
