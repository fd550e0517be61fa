"""What every command has: the settings, the log, and a way to the backend."""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event as StopEvent
from typing import TYPE_CHECKING, Any, Self

import typer

from momentarium_cli import config, logs
from momentarium_cli.config import Settings
from momentarium_cli.errors import MomentariumError

if TYPE_CHECKING:
    from momentarium_cli.client.sdk import Momentarium


@dataclass(frozen=True, slots=True)
class Session:
    settings: Settings
    config_file: Path | None
    profile: str | None
    verbose: int
    log_file: Path

    @classmethod
    def open(
        cls,
        *,
        config: Path | None,
        profile: str | None,
        verbose: int,
        server: str | None = None,
        token: str | None = None,
    ) -> Self:
        settings = _load(config, profile, {"server.url": server, "server.token": token})
        log_file = logs.setup(settings.data_dir, "client", verbose=verbose)
        return cls(settings, config, profile, verbose, log_file)

    def run(self, function: Callable[..., int | None], values: dict[str, Any]) -> int | None:
        """Run a command. A bug of ours is told with the log that holds the details."""
        try:
            return function(self, **values)
        except (MomentariumError, typer.Exit, typer.Abort, typer.BadParameter, KeyboardInterrupt, BrokenPipeError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and self._is_in_data_folder(error):
                from momentarium_cli.rendezvous import cannot_use

                raise cannot_use(self.settings.data_dir, error) from error
            return self._bug(error)

    def _is_in_data_folder(self, error: OSError) -> bool:
        name = error.filename
        return isinstance(name, str) and Path(name).is_relative_to(self.settings.data_dir)

    def _bug(self, error: Exception) -> int:
        logging.getLogger(__name__).exception("bug")
        if self.verbose:
            raise error
        typer.echo(f"Internal error: {type(error).__name__}: {error}", err=True)
        typer.echo(f"The details are in {self.log_file}.", err=True)
        return MomentariumError.exit_code

    def momentarium(self, stop: StopEvent | None = None) -> "Momentarium":
        """The SDK, for a with-block."""
        from momentarium_cli.client.sdk import Momentarium

        return Momentarium(self.settings, serve_options=self._serve_options(), stop=stop)

    def _serve_options(self) -> list[str]:
        """So that a server that is started for this command reads the same settings."""
        options = ["--config", str(self.config_file)] if self.config_file else []
        return options + (["--profile", self.profile] if self.profile else [])

    @property
    def interactive(self) -> bool:
        """Whether a person looks at what is printed."""
        return sys.stderr.isatty()


def _load(file: Path | None, profile: str | None, options: dict[str, Any]) -> Settings:
    return config.load(file=file, profile=profile, options=options)
