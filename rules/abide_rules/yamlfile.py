"""YAML files written by people: parsed with positions, so that every mistake is told with line and column.

The text becomes plain values; msgspec then gives them their types. What msgspec finds wrong is translated from its path
(``$.rules[0].verdict``) back to the place in the file.
"""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import inspect
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from abide_rules.errors import Mistake, PolicyError
from abide_rules.i18n import _

MAX_NODES = 200_000

T = TypeVar("T")
Steps = tuple[str | int, ...]


class YamlFile:
    """One parsed file: its plain values in ``data`` and where each of them stands.

    Raises PolicyError when the text is too large or is not YAML.
    """

    def __init__(self, text: str, name: str, max_bytes: int) -> None:
        self.name = name
        if len(text.encode()) > max_bytes:
            raise self.error(1, 1, _("the file is larger than {limit} bytes", limit=max_bytes))
        try:
            self._root = YAML(typ="rt", pure=True).load(io.StringIO(text))
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise self.error(line, column, f"{error.problem or error}") from error
        except YAMLError as error:
            raise self.error(1, 1, str(error)) from error
        self._nodes = 0
        self.data = self._plain(self._root)

    def convert(self, steps: Steps, kind: type[T], mistakes: list[Mistake]) -> T | None:
        """Return the value at ``steps`` as ``kind``; None, with the mistake noted, when it does not fit."""
        try:
            return msgspec.convert(self.at(steps), kind, strict=True)
        except msgspec.ValidationError as error:
            mistakes.append(self._translate(steps, kind, str(error)))
            return None

    def at(self, steps: Steps) -> Any:
        """Return the plain value at a path of keys and indices. Raises LookupError."""
        value = self.data
        for step in steps:
            value = value[step]
        return value

    def mistake(self, steps: Steps, message: str, advice: str = "", *, at_key: bool = False) -> Mistake:
        """Return a mistake that stands at ``steps``, its value or its key (or at the nearest parent with a place)."""
        line, column = self._place(steps, at_key=at_key)
        return Mistake(line, column, message, advice)

    def error(self, line: int, column: int, message: str, advice: str = "") -> PolicyError:
        """Return a PolicyError with one mistake."""
        return PolicyError(self.name, (Mistake(line, column, message, advice),))

    def _plain(self, node: Any) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self.error(1, 1, _("the file has more than {limit} values", limit=MAX_NODES))
        if isinstance(node, dict):
            return {str(key): self._plain(value) for key, value in node.items()}
        if isinstance(node, list):
            return [self._plain(value) for value in node]
        if isinstance(node, bool) or node is None:
            return node
        for plain in (int, float, str):
            if isinstance(node, plain):
                return plain(node)
        return str(node)

    def _place(self, steps: Steps, *, at_key: bool = False) -> tuple[int, int]:
        node, line, column = self._root, 0, 0
        for step in steps:
            try:
                if isinstance(node, CommentedMap):
                    is_value = _is_scalar(node[step]) and not at_key
                    line, column = node.lc.value(step) if is_value else node.lc.key(step)
                elif isinstance(node, CommentedSeq):
                    line, column = node.lc.item(step)
                node = node[step]
            except (KeyError, IndexError, TypeError, AttributeError):
                break
        return line + 1, column + 1

    def _translate(self, steps: Steps, kind: type[Any], text: str) -> Mistake:
        message, _at, path = text.partition(" - at `$")
        inner: Steps = tuple(int(number) if number else name for name, number in re.findall(r"\.(\w+)|\[(\d+)\]", path))
        choices = _choices(inspect.type_info(kind), inner)
        if unknown := re.search(r"unknown field `(.+)`", message):
            advice = did_you_mean(unknown[1], choices) or _("Remove it.")
            return self.mistake(
                (*steps, *inner, unknown[1]), _("unknown key “{key}”", key=unknown[1]), advice, at_key=True
            )
        if missing := re.search(r"missing required field `(.+)`", message):
            return self.mistake(steps + inner, _("“{key}” is missing", key=missing[1]), _("Add it."))
        if wrong := re.search(r"Invalid enum value '?(.*?)'?$", message):
            advice = did_you_mean(wrong[1], choices)
            return self.mistake(steps + inner, _("“{value}” is not possible here", value=wrong[1]), advice)
        if "matching regex" in message:
            return self.mistake(steps + inner, _("not a valid id"), _("Use lower-case letters, digits and hyphens."))
        if "of length >= 1" in message:
            return self.mistake(steps + inner, _("at least one entry is needed"), _("Add it."))
        if expected := re.search(r"Expected `(.+?)`, got `(.+?)`", message):
            text = _("expected {wanted}, got {found}", wanted=expected[1], found=expected[2])
            return self.mistake(steps + inner, text)
        return self.mistake(steps + inner, message)


def _choices(kind: inspect.Type, steps: Steps) -> list[str]:
    """Return what can stand at a path below a type: a literal's values, or a mapping's keys."""
    if isinstance(kind, inspect.Metadata):
        return _choices(kind.type, steps)
    if isinstance(kind, inspect.UnionType):
        return [word for part in kind.types for word in _choices(part, steps)]
    if isinstance(kind, inspect.LiteralType) and not steps:
        return [str(value) for value in kind.values]
    if isinstance(kind, inspect.StructType):
        fields = {field.encode_name: field.type for field in kind.fields}
        if not steps:
            return list(fields)
        return _choices(fields[str(steps[0])], steps[1:]) if str(steps[0]) in fields else []
    if isinstance(kind, inspect.VarTupleType) and steps:
        return _choices(kind.item_type, steps[1:])
    if isinstance(kind, inspect.DictType) and steps:
        return _choices(kind.value_type, steps[1:])
    return []


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a sentence that proposes the nearest of ``known``, or lists them when they are few."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    if close:
        return _("Did you mean {words}?", words=", ".join(close))
    return _("Write one of: {words}.", words=", ".join(known)) if 0 < len(known) <= 20 else ""


def _is_scalar(value: object) -> bool:
    return not isinstance(value, (dict, list))
