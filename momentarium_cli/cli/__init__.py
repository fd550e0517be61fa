"""The command line. Typer and Rich live here and nowhere else; one file a command."""

import contextlib
import os
import sys
from collections.abc import Sequence


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code; every error becomes one line on standard error."""
    if list(arguments) == ["--version"]:
        from momentarium_cli import __version__

        print(f"momentarium {__version__}")  # noqa: T201 -- before anything slow is imported
        return 0
    from momentarium_cli.cli.app import main

    try:
        return main(list(arguments))
    except BrokenPipeError:  # whoever read our output has enough
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
