"""Texts for people, in their language: gettext catalogues, English as the message id.

The language comes from ABIDE_LANG, else LC_ALL, LC_MESSAGES or LANG, read at the first use. ``locale/`` holds one ``.po``
file a language; the ``.mo`` files are made from them when the project is built.
"""

from __future__ import annotations

import functools
import gettext
import os
from pathlib import Path

LANGUAGES = ("en", "zh")
_LOCALE = Path(__file__).parent / "locale"


def language() -> str:
    """Return the person's language: ``en`` or ``zh``."""
    for name in ("ABIDE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "").lower()
        if value:
            return "zh" if value.startswith("zh") else "en"
    return "en"


@functools.cache
def translations(lang: str) -> gettext.NullTranslations:
    """Return the catalogue of a language (English texts pass through unchanged)."""
    if lang == "en":
        return gettext.NullTranslations()
    return gettext.translation("abide", localedir=_LOCALE, languages=[lang])


@functools.cache
def _current() -> gettext.NullTranslations:
    return translations(language())


def _(text: str, /, **values: object) -> str:
    """Return ``text`` in the person's language with ``{named}`` placeholders filled in."""
    translated = _current().gettext(text)
    return translated.format(**values) if values else translated
