"""The command line: thin faces over the library, one file per command.

Exit codes: 0 done, 1 judged not feasible or not passing, 2 wrong input or usage. Errors and progress go to
stderr, results to stdout; ``--json`` prints one JSON object.
"""

from __future__ import annotations

import io
import re
import sys
from importlib import import_module

import click

#: command name -> module of this package that defines it under the same name
_COMMANDS = {
    "add": "add",
    "approve": "status",
    "audit-table": "property_models",
    "backup": "keep",
    "blend": "blend",
    "bundle": "keep",
    "calcine": "calcine",
    "calibrate": "property_tests",
    "card": "property_models",
    "change": "add",
    "datasets": "datasets",
    "equilibrium": "equilibrium",
    "export": "keep",
    "first-tests": "property_tests",
    "fit": "property_models",
    "fit-kinetics": "kinetics",
    "formats": "files",
    "gates": "files",
    "gypsum-phases": "indicators",
    "init": "init",
    "judge": "judge",
    "kiln": "kiln",
    "ledger": "ledger",
    "liquid": "indicators",
    "migrate": "keep",
    "phase-diagram": "equilibrium",
    "predict": "property_models",
    "quality": "quality",
    "read": "files",
    "recipes": "recipes",
    "report": "report",
    "retract": "status",
    "samples": "samples",
    "screen": "screen",
    "search": "samples",
    "show": "show",
    "suggest-tests": "property_tests",
    "template": "files",
    "thermo": "thermo",
    "triplets": "kinetics",
    "upload": "upload",
    "verify": "keep",
}


class _Lazy(click.Group):
    """Loads a command's module only when it is used: start-up stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f".{_COMMANDS[cmd_name]}", __name__)
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wastelab")
def cli() -> None:
    """Building materials from bulk industrial solid waste: data, chemistry, standards, exact screening.

    \b
    Start with:  wastelab screen red_mud_bye_clinker --out out/red_mud
    Laboratory:  wastelab init mylab; wastelab upload FILE --lab mylab
    """


def main(argv: list[str] | None = None) -> None:
    """Entry point of the ``wastelab`` command."""
    from ..errors import WastelabError
    from ..i18n import pick_language, tr

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console that lacks a character shows a mark in its place
            stream.reconfigure(errors="replace")
    language = pick_language(_asked(sys.argv[1:] if argv is None else argv))

    try:
        code = cli.main(args=argv, standalone_mode=False)
    except click.exceptions.Abort:
        click.echo(tr("cli.interrupted", language), err=True)
        sys.exit(130)
    except click.NoSuchOption as exc:
        if re.match(r"-[\d.]", exc.option_name):  # a number below zero was taken for an option
            click.echo(tr("cli.error", language, message=tr("cli.below_zero", language)), err=True)
        else:
            exc.show()
        sys.exit(2)
    except click.ClickException as exc:
        exc.show()
        sys.exit(2)
    except WastelabError as exc:
        click.echo(tr("cli.error", language, message=_said(exc, language)), err=True)
        sys.exit(2)
    except BrokenPipeError:  # output was piped into something that stopped reading
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


def _asked(argv: list[str]) -> str | None:
    """What ``--lang`` says, also where a command never came to read it."""
    for at, word in enumerate(argv):
        if word.startswith("--lang="):
            return word.partition("=")[2]
        if word == "--lang" and at + 1 < len(argv):
            return argv[at + 1]
    return None


def _said(error: Exception, language: str) -> str:
    """What an error says, in the language asked for where its text has one."""
    from ..errors import InstrumentError
    from ..i18n import Message, tr

    first = error.args[0] if error.args else ""
    if isinstance(first, Message):
        return first.text(language)
    if isinstance(error, InstrumentError) and error.key:
        said = [error.file, error.where, tr(error.key, language, **error.values)]
        return (":" if language == "zh" else ": ").join(part for part in map(str, said) if part)
    return str(error)
