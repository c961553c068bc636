"""Renders the page and its sections, in the language that is asked for."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from abide_rules.i18n import LANGUAGES, translations
from abide_rules.problems import advise, kind_of
from abide_server.clock import Clock, as_text
from abide_server.console.view import MAX_EVENTS_SHOWN, View, make_view
from abide_server.push import Hub
from abide_server.store.base import Store

FOLDER = Path(__file__).parent
SECTIONS = ("summary", "devices", "releases", "events")
ASSETS = {"live.js": "text/javascript", "page.css": "text/css", "icon.svg": "image/svg+xml"}
LOOK_INTERVAL_S = 0.25
KEEP_ALIVE_LOOKS = 60


class Console:
    """The page's content, and its changes as they happen."""

    def __init__(self, store: Store, hub: Hub, clock: Clock) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._closing = asyncio.Event()
        _load_all()

    def close(self) -> None:
        """End every live feed."""
        self._closing.set()

    async def view(self) -> View:
        """Read what the page shows now."""
        return make_view(
            await self._store.devices(),
            await self._store.in_force(),
            await self._store.releases(),
            await self._store.latest_events(MAX_EVENTS_SHOWN),
            self._hub.connected(),
        )

    async def page(self, lang: str) -> str:
        """Return the whole page as HTML."""
        template = environment(lang).get_template("page.html.j2")
        return template.render(view=await self.view(), lang=lang, now=as_text(self._clock()))

    async def sections(self, lang: str) -> dict[str, str]:
        """Return the parts of the page that change, as HTML."""
        view = await self.view()
        made = environment(lang)
        return {name: made.get_template(f"{name}.html.j2").render(view=view, lang=lang) for name in SECTIONS}

    async def changes(self, lang: str) -> AsyncIterator[dict[str, str]]:
        """Yield the sections that differ from what was yielded before; nothing at times, as a sign of life."""
        shown: dict[str, str] = {}
        key: tuple[int, frozenset[str]] | None = None
        looks = 0
        while not self._closing.is_set():
            now = (await self._store.changes(), self._hub.connected())
            if now != key:
                key = now
                made = await self.sections(lang)
                different = {name: html for name, html in made.items() if shown.get(name) != html}
                shown = made
                if different:
                    yield different
            looks += 1
            if looks % KEEP_ALIVE_LOOKS == 0:
                yield {}
            await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(LOOK_INTERVAL_S):
                await self._closing.wait()
        except TimeoutError:
            return


@functools.cache
def environment(lang: str) -> Environment:
    """Return the templates in one language, with everything escaped."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.globals["advise"] = functools.partial(advise, lang=lang, admin=True)
    made.globals["kind_of"] = kind_of
    made.install_gettext_translations(translations(lang), newstyle=True)  # type: ignore[attr-defined]
    return made


def pick_language(asked: str | None, accepted: str) -> str:
    """Return the language of ``?lang=``, else the first one of ``Accept-Language`` that there is."""
    if asked in LANGUAGES:
        return asked
    for part in accepted.split(","):
        tag = part.split(";")[0].strip().lower()[:2]
        if tag in LANGUAGES:
            return tag
    return LANGUAGES[0]


def _load_all() -> None:
    """Read every template and asset now, so that no request has to wait for the disk."""
    for lang in LANGUAGES:
        for name in ("page", *SECTIONS):
            environment(lang).get_template(f"{name}.html.j2")
    for name in ASSETS:
        asset(name)


@functools.cache
def asset(name: str) -> tuple[bytes, str]:
    """Return an asset's bytes and media type. Raises KeyError for a name that is none."""
    media_type = ASSETS[name]
    return (FOLDER / name).read_bytes(), media_type
