"""What all commands share: how they are run, how they print, how errors and exit codes come out."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer

from abide_rules.errors import AbideError, ConfigurationError, PolicyError
from abide_rules.i18n import _
from abide_rules.policy import Policy
from abide_rules.policy_file import parse_policy

JsonFlag = Annotated[bool, typer.Option("--json", help=_("Print JSON."))]
PolicyFile = Annotated[Path, typer.Argument(help=_("A policy file (YAML)."), metavar="FILE", show_default=False)]

OK, NO = 0, 1


def run(name: str, summary: str, commands: Mapping[Callable[..., Any], str], *groups: typer.Typer) -> NoReturn:
    """Run a program of commands, each with its help, and groups of commands with this process's arguments.

    Errors become advice and exit code 1.
    """
    app = typer.Typer(
        name=name, help=summary, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    for command, text in commands.items():
        app.command(name=command.__name__.rstrip("_").replace("_", "-"), help=text)(command)
    for group in groups:
        app.add_typer(group)
    try:
        app(prog_name=name)
    except AbideError as error:
        fail(error, as_json="--json" in sys.argv)
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        fail(refused_by_system(error), as_json="--json" in sys.argv)
    raise SystemExit(OK)


def refused_by_system(error: OSError) -> AbideError:
    """Return what a disk or a permission that fails means for the person who runs a command."""
    return ConfigurationError(
        _("the system refuses it: {reason}", reason=error),
        advice=_("Free disk space or check the permissions, then try again."),
    )


def fail(error: AbideError, *, as_json: bool) -> NoReturn:
    """Print an error with its advice and end with exit code 1."""
    if as_json:
        mistakes = (
            [msgspec.to_builtins(mistake) for mistake in error.mistakes] if isinstance(error, PolicyError) else []
        )
        show({"ok": False, "error": str(error), "advice": error.advice, "mistakes": mistakes})
    else:
        typer.echo(str(error), err=True)
        if error.advice:
            typer.echo(error.advice, err=True)
    raise SystemExit(NO)


def show(value: Any) -> None:
    """Print a value as one line of JSON."""
    typer.echo(json_module.dumps(value, ensure_ascii=False))


def read_text(path: Path) -> str:
    """Return a file's text. Raises ConfigurationError that says what to do."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(_("{path} is not UTF-8 text", path=path), advice=_("Save it as UTF-8.")) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(
            _("cannot read {path}: {reason}", path=path, reason=reason),
            advice=_("Give the path of a file you may read."),
        ) from error


def read_policy(path: Path) -> Policy:
    """Return the policy in a file. Raises ConfigurationError or PolicyError."""
    return parse_policy(read_text(path), str(path))
