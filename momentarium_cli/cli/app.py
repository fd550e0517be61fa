"""All commands, and what happens around each: settings, log, errors."""

import inspect
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_type_hints

import typer
from typer._click import core as click_core
from typer._click import exceptions as click
from typer._click import formatting as click_formatting
from typer.core import TyperCommand, TyperGroup

from momentarium_cli.cli.session import Session
from momentarium_cli.errors import MomentariumError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
INTERRUPTED = 128 + signal.SIGINT

app = typer.Typer(
    name="momentarium",
    help="Organize photos in bulk: upload folders safely and group them into titled albums.\n\n"
    "Start with `momentarium upload ~/Photos`. Nothing else is needed: no account, no server.",
    no_args_is_help=True,
    add_completion=True,
    context_settings=CONTEXT,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class WithPanels(TyperCommand):
    """A command whose help shows its options by panel (`rich_help_panel`), in the order of their first options."""

    def format_options(self, ctx: click_core.Context, formatter: click_formatting.HelpFormatter) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                default = "Arguments" if param.param_type_name == "argument" else "Options"
                panels.setdefault(getattr(param, "rich_help_panel", None) or default, []).append(record)
        for title, records in panels.items():
            with formatter.section(title):
                formatter.write_dl(records)


class WithDefault(TyperGroup):
    """A group of commands about a noun: the noun alone is its command `default`."""

    default: ClassVar[str]

    def parse_args(self, ctx: click_core.Context, args: list[str]) -> list[str]:
        alone = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, [self.default, *args] if alone else args)


class ListByDefault(WithDefault):
    default = "list"


class ShowByDefault(WithDefault):
    default = "show"


Config = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Read settings from this file.")]
Profile = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="Use [profile.NAME] of that file.")]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Show the log; twice: with details.")]
ServerUrl = Annotated[str | None, typer.Option("--server", metavar="URL", help="The backend; none: on this machine.")]
Token = Annotated[str | None, typer.Option("--token", metavar="TOKEN", help="The token for it.")]


def _common(config: Config = None, profile: Profile = None, verbose: Verbose = 0) -> None: ...


def _common_client(
    server: ServerUrl = None, token: Token = None, config: Config = None, profile: Profile = None, verbose: Verbose = 0
) -> None: ...


def command(
    group: typer.Typer, name: str | None = None, *, client: bool = False
) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
    """Make a command of a function whose first argument is the Session; it may return an exit code.

    Adds the options that all commands share, and those that name a server to commands that call one.
    """

    def decorate(function: Callable[..., int | None]) -> Callable[..., int | None]:
        shared = inspect.signature(_common_client if client else _common)
        hints = get_type_hints(_common_client, include_extras=True)

        def run(**values: Any) -> None:
            common = {key: values.pop(key) for key in shared.parameters}
            raise typer.Exit(Session.open(**common).run(function, values) or 0)

        own_hints = get_type_hints(function, include_extras=True)
        after_session = list(inspect.signature(function).parameters.values())[1:]
        own = [p.replace(annotation=own_hints[p.name]) for p in after_session]
        last = inspect.Parameter.KEYWORD_ONLY
        common = [p.replace(annotation=hints[p.name], kind=last) for p in shared.parameters.values()]
        run.__signature__ = inspect.Signature(own + common)  # type: ignore[attr-defined]  # what Typer reads
        run.__annotations__ = {p.name: p.annotation for p in own + common}
        run.__name__, run.__doc__ = function.__name__, function.__doc__
        group.command(name or function.__name__, cls=WithPanels, context_settings=CONTEXT)(run)
        return function

    return decorate


@app.callback(invoke_without_command=True)
def _top(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        from momentarium_cli import __version__

        typer.echo(f"momentarium {__version__}")
        raise typer.Exit


def main(arguments: list[str]) -> int:
    """Run a command; every error is one line on standard error and an exit code of its own."""
    register()
    try:
        code = app(arguments, prog_name="momentarium", standalone_mode=False)
    except click.ClickException as error:
        error.show(sys.stderr)
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("Interrupted.", err=True)
        return INTERRUPTED
    except MomentariumError as error:
        return _report(error)
    return int(code or 0)


def _report(error: MomentariumError) -> int:
    typer.echo(f"Error: {error}", err=True)
    logging.getLogger(__name__).info("ended with %s: %s", type(error).__name__, error, exc_info=error)
    return error.exit_code


def register() -> None:
    """Import the commands; each adds itself. None of them imports anything heavy."""
    from momentarium_cli.cli import (  # noqa: F401 -- imported for their commands
        albums,
        doctor,
        export,
        jobs,
        login,
        photos,
        schedule,
        serve,
        settings,
        status,
        storage,
        upload,
        users,
    )
