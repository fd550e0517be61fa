"""The last run for Prometheus, as a file for the textfile collector of its node_exporter."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from momentarium_cli.cli.output import say
from momentarium_cli.client.events import Event, Summary, printable
from momentarium_cli.errors import LockHeld, MomentariumError, UsageError

_COUNTS = ("uploaded", "duplicates", "unchanged", "skipped", "failed", "pending")
_GOOD = (0, 7)  # all is done, or all that the budget allows
_LAST_SUCCESS = "momentarium_upload_last_success_timestamp_seconds"


class Metrics:
    """Sums what the imports of a run tell. Runs for other paths need files of their own; `paths` tells them apart."""

    def __init__(self, path: Path, paths: Sequence[Path]) -> None:
        if path.suffix != ".prom":
            raise UsageError(f"{path} is no name for metrics.", hint="The collector reads files that end in .prom.")
        if not path.parent.is_dir():
            raise UsageError(f"There is no folder {path.parent} for the metrics.")
        self._path = path
        self._paths = " ".join(printable(Path(each)) for each in paths)
        self._begin()

    def _begin(self) -> None:
        self._began = time.monotonic()
        self._files: Counter[str] = Counter()
        self._bytes = 0

    def show(self, event: Event) -> None:
        """Only sums count."""

    def end(self, summary: Summary) -> None:
        self._files.update({name: getattr(summary, name) for name in _COUNTS})
        self._bytes += summary.bytes_uploaded

    def recording(self, run: Callable[[], int]) -> int:
        """Do a run, and write how it ended; one that only found another at work is none."""
        self._begin()
        code = MomentariumError.exit_code
        try:
            code = run()
        except LockHeld:
            raise
        except MomentariumError as error:
            self._write(error.exit_code)
            raise
        except Exception:
            self._write(code)
            raise
        self._write(code)
        return code

    def _write(self, code: int) -> None:
        from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

        registry = CollectorRegistry()
        now = time.time()
        values = {
            "momentarium_upload_last_run_timestamp_seconds": ("When the last upload ended.", now),
            "momentarium_upload_last_run_duration_seconds": ("How long it took.", time.monotonic() - self._began),
            "momentarium_upload_last_run_bytes": ("Bytes of the photos it uploaded.", self._bytes),
            "momentarium_upload_last_run_exit_code": ("Its exit code.", code),
            _LAST_SUCCESS: ("When an upload last ended well.", now if code in _GOOD else self._last_success()),
        }
        for name, (told, value) in values.items():
            if value is not None:
                Gauge(name, told, ["paths"], registry=registry).labels(self._paths).set(value)
        name, told = "momentarium_upload_last_run_files", "Files it found, by what became of them."
        files = Gauge(name, told, ["paths", "outcome"], registry=registry)
        for outcome in _COUNTS:
            files.labels(self._paths, outcome).set(self._files[outcome])
        try:
            write_to_textfile(str(self._path), registry)
        except OSError as error:
            say(f"The metrics {self._path} cannot be written: {error.strerror or error}.")

    def _last_success(self) -> float | None:
        """What the file says that is about to be replaced."""
        from prometheus_client.parser import text_string_to_metric_families as parse

        try:
            families = list(parse(self._path.read_text("utf-8")))
        except (OSError, ValueError):
            return None
        samples = [sample for family in families for sample in family.samples if sample.name == _LAST_SUCCESS]
        return samples[0].value if samples else None
