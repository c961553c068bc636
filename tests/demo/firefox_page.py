"""Tabs of Firefox, over Marionette, with the part of Playwright's interface that the stories use."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.demo.marionette import Marionette, MarionetteError
from tests.demo.page import WAIT_MS, Text

BLANK = "about:blank"
"""A new tab's first page, which the browser may replace by another such page."""
KEYS = {"Enter": "\ue007", "Tab": "\ue004"}
ROLES = {"row": "tr", "heading": "h1, h2, h3"}
PASSING = {
    "no such window", "stale element reference", "no such element", "javascript error", "unknown error",
    "element not interactable", "element click intercepted",
}  # fmt: skip
FIND = """
const [selector, wanted, innermost] = arguments;
const plain = (element) => element.textContent.replace(/\\s+/g, " ").trim();
const pattern = wanted === null ? /^/ : new RegExp(wanted, "i");
const fits = (element) => pattern.test(plain(element));
const found = [...document.querySelectorAll(selector)].filter(fits);
const element = innermost ? found.find((one) => ![...one.children].some(fits)) : found[0];
"""
STATE = (
    FIND
    + """
if (!element) return null;
return { text: plain(element), visible: element.checkVisibility({ visibilityProperty: true }),
  focused: document.activeElement === element };
"""
)
RUN = "const value = (%s); return typeof value === 'function' ? value(...arguments) : value;"


def wait(what: str, seen: Callable[[], Any], timeout: float) -> Any:
    """Ask until the answer is true; a page that is just being replaced is asked again. Raises AssertionError."""
    deadline = time.monotonic() + timeout / 1000
    last: object = None
    while True:
        try:
            last = seen()
            if last:
                return last
        except MarionetteError as error:
            if error.code not in PASSING:
                raise
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout / 1000:.0f} s, but not: {what} (last: {last})")
        time.sleep(0.03)


class FirefoxPage:
    """A tab."""

    def __init__(self, marionette: Marionette, handle: str) -> None:
        self._marionette, self._handle = marionette, handle
        self.keyboard = FirefoxKeyboard(self)

    def command(self, name: str, **parameters: Any) -> Any:
        """Send a command that is about this tab."""
        self._marionette("WebDriver:SwitchToWindow", handle=self._handle)
        return self._marionette(name, **parameters)

    @property
    def url(self) -> str:
        """The address of what is shown."""
        return str(self.command("WebDriver:GetCurrentURL"))

    def goto(self, url: str, *, wait_until: Any = "load") -> None:
        """Go there as from the address bar, and wait until another document, or the same anew, is there."""
        self._leave(lambda: self.command("WebDriver:Navigate", url=url), wait_until)
        wait(f"{url} or where it leads", lambda: url == BLANK or self.evaluate("location.href") != BLANK, WAIT_MS)

    def reload(self) -> None:
        """Load the same address again."""
        self._leave(lambda: self.command("WebDriver:Refresh"), "load")

    def close(self) -> None:
        """Close the tab, and look at another."""
        remaining = self.command("WebDriver:CloseWindow")
        self._marionette("WebDriver:SwitchToWindow", handle=remaining[0])

    def evaluate(self, expression: str, arg: Any = None) -> Any:
        """Run an expression, or a function with ``arg``, in the page."""
        return self.command("WebDriver:ExecuteScript", script=RUN % expression, args=[arg])

    def wait_for_function(self, expression: str) -> None:
        """Wait until an expression is true."""
        wait(expression, lambda: self.evaluate(expression), WAIT_MS)

    def arrives(self, url: Text, timeout: float) -> None:
        """Wait until the address is, or matches, ``url``. Raises AssertionError."""
        shown = ""

        def is_there() -> bool:
            nonlocal shown
            shown = self.url
            return bool(url.match(shown)) if isinstance(url, re.Pattern) else url == shown

        try:
            wait(f"the address {url}", is_there, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {shown}") from None

    def locator(self, selector: str) -> FirefoxLocator:
        """The first element that a CSS selector names."""
        return FirefoxLocator(self, selector, None)

    def get_by_text(self, text: str) -> FirefoxLocator:
        """The first innermost element with this text in it."""
        return FirefoxLocator(self, "body *", re.escape(text), innermost=True)

    def get_by_role(self, role: str, *, name: Text) -> FirefoxLocator:
        """The first element of this role with this text in it."""
        return FirefoxLocator(self, ROLES[role], name.pattern if isinstance(name, re.Pattern) else re.escape(name))

    def screenshot(self, *, path: Path) -> bytes:
        """Save what is visible."""
        png = base64.b64decode(self.command("WebDriver:TakeScreenshot", full=False))
        path.write_bytes(png)
        return png

    def set_viewport_size(self, viewport_size: dict[str, int]) -> None:
        """Make the window so large that the page has this size."""
        frame = self.evaluate("[outerWidth - innerWidth, outerHeight - innerHeight]")
        width, height = viewport_size["width"] + frame[0], viewport_size["height"] + frame[1]
        self.command("WebDriver:SetWindowRect", width=width, height=height)

    def _leave(self, go: Callable[[], object], wait_until: str) -> None:
        mark = "abideLeft" + str(time.monotonic_ns())
        self.evaluate(f"() => {{ document.{mark} = true; }}")
        go()
        states = '["interactive", "complete"]' if wait_until == "commit" else '["complete"]'
        gone = f"!document.{mark} && {states}.includes(document.readyState)"
        wait("the page is left", lambda: self.evaluate(gone), WAIT_MS)


class FirefoxKeyboard:
    """The keyboard, typing into whatever has the focus."""

    def __init__(self, page: FirefoxPage) -> None:
        self._page = page

    def press(self, key: str) -> None:
        """Press and release a key."""
        strokes = [{"type": kind, "value": KEYS.get(key, key)} for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": strokes}
        self._page.command("WebDriver:PerformActions", actions=[keyboard])


class FirefoxLocator:
    """An element, looked for anew whenever it is used."""

    def __init__(self, page: FirefoxPage, selector: str, wanted: str | None, *, innermost: bool = False) -> None:
        self._page = page
        self._arguments = [selector, wanted, innermost]

    @property
    def first(self) -> FirefoxLocator:
        """Itself: it is the first already."""
        return self

    def click(self) -> None:
        """Click it as a person does, as soon as it can be clicked."""
        wait(f"a click on {self}", self._click, WAIT_MS)

    def state(self) -> dict[str, Any]:
        """Text, visible, focused; empty when it is not there."""
        return self._page.command("WebDriver:ExecuteScript", script=STATE, args=self._arguments) or {}

    def __str__(self) -> str:
        return json.dumps(self._arguments[:2], ensure_ascii=False)

    def _click(self) -> bool:
        script = FIND + "return document.readyState === 'complete' && element ? element : null;"
        element = self._page.command("WebDriver:ExecuteScript", script=script, args=self._arguments)
        if element:
            self._page.command("WebDriver:ElementClick", id=next(iter(element.values())))
        return bool(element)


class FirefoxExpectation:
    """Playwright's ``expect`` for the classes above."""

    def __init__(self, page: FirefoxPage | None = None, locator: FirefoxLocator | None = None) -> None:
        self._page, self._locator = page, locator

    def to_have_url(self, url: Text, *, timeout: float = WAIT_MS) -> None:
        """The address becomes, or comes to match, ``url``."""
        assert self._page
        self._page.arrives(url, timeout)

    def to_be_visible(self, *, timeout: float = WAIT_MS) -> None:
        """It comes into view."""
        self._becomes("visible", lambda state: state["visible"], timeout)

    def to_be_focused(self, *, timeout: float = WAIT_MS) -> None:
        """It gets the focus."""
        self._becomes("focused", lambda state: state["focused"], timeout)

    def to_have_text(self, expected: str, *, timeout: float = WAIT_MS) -> None:
        """Its text becomes this one."""
        self._becomes(expected, lambda state: state["text"] == expected, timeout)

    def to_contain_text(self, expected: str, *, timeout: float = WAIT_MS) -> None:
        """Its text comes to contain this one."""
        self._becomes(expected, lambda state: expected in state["text"], timeout)

    def _becomes(self, what: str, holds: Callable[[dict[str, Any]], bool], timeout: float) -> None:
        locator = self._locator
        assert locator
        wait(f"{locator} is {what}", lambda: (state := locator.state()) and holds(state), timeout)
