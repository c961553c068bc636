"""The state directory: its folders, readable by their owner only, and what must not stay in them."""

from __future__ import annotations

from pathlib import Path

from abide_rules.errors import ConfigurationError
from abide_rules.files import remove_leftovers
from abide_rules.i18n import _

PRIVATE_MODE = 0o700


def make_private_dir(path: Path) -> None:
    """Create a directory (0700) with its parents; tighten it when it is there. Raises ConfigurationError."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=PRIVATE_MODE)
        path.chmod(PRIVATE_MODE)
    except OSError as error:
        raise ConfigurationError(
            _("the state directory {path} cannot be used: {reason}", path=path, reason=error),
            advice=_("Choose another one with --state."),
        ) from error


def clean_state(state: Path, tuf: Path) -> None:
    """Delete temporary files of agents that were killed; only the one daemon of this state may call this."""
    remove_leftovers(state)
    remove_leftovers(tuf, "tmp*")  # python-tuf's
    remove_leftovers(tuf / "root_history", "tmp*")
