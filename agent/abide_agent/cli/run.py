"""``abide-agent run``: the daemon. No typer here: what it imports stays in memory for as long as it runs."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from abide_agent import platform
from abide_agent.app import serve
from abide_agent.config import Config, state_dir, system_config
from abide_agent.files import clean_state, make_private_dir
from abide_rules.errors import AbideError, ConfigurationError
from abide_rules.i18n import _


def main(arguments: Sequence[str]) -> int:
    """Run the daemon; 0 after SIGTERM, 1 when it cannot run here, 2 for wrong usage."""
    options = _parse(arguments)
    _configure_log(options.verbose, options.json)
    config = system_config() if options.system else Config(state_dir(options.state))
    try:
        make_private_dir(config.state)
        _make_runtime(config)
        _be_the_only_one(config)
        clean_state(config.state, config.tuf)
        asyncio.run(serve(config, lambda: _say_ready(config, options.json)))
    except AbideError as error:
        return _fail(error, options.json)
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("abide-agent run")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--state", type=Path, metavar="DIR")
    place.add_argument("--system", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args(arguments)


def _make_runtime(config: Config) -> None:
    """Make the folder of the system's socket, which every account may enter; systemd did so already. Raises OSError."""
    if config.runtime is not None:
        config.runtime.mkdir(mode=0o755, parents=True, exist_ok=True)


def _be_the_only_one(config: Config) -> None:
    """Hold the lock for the life of this process. Raises ConfigurationError."""
    if platform.lock_file(config.lock) is None:
        raise ConfigurationError(
            _("the agent runs already with the state {state}", state=config.state),
            advice=_("See: abide-agent status"),
        )


def _say_ready(config: Config, as_json: bool) -> None:
    text = _("The agent runs. Stop it with Ctrl-C.")
    print(json.dumps({"ok": True, "state": str(config.state)}) if as_json else text, flush=True)


def _fail(error: AbideError, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"ok": False, "error": str(error), "advice": error.advice}), flush=True)
    else:
        print(_("Error: {why}", why=error), error.advice, sep="\n", file=sys.stderr)
    return 1


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"at": round(time.time() * 1000), "level": record.levelname, "name": record.name}
        return json.dumps(line | {"message": super().format(record)})


def _configure_log(verbose: bool, as_json: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if as_json else logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("tuf").setLevel(logging.WARNING)
