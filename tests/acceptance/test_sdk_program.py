"""The SDK in a program of its own."""

import subprocess
import sys
from pathlib import Path

from tests.acceptance.photos import MAY, event
from tests.acceptance.program import Program, assert_whole

UNGUARDED = """
from momentarium_cli import Momentarium

with Momentarium() as momentarium:
    summary = momentarium.upload(["photos"])
    momentarium.wait([job.id for job in summary.jobs])
    print([album.photo_count for album in momentarium.gallery()])
"""


def test_a_program_without_a_main_guard_is_not_run_again_by_the_decoder(momentarium: Program, folder: Path) -> None:
    photos = event(folder, 8, MAY)
    script = momentarium.folder / "script.py"
    script.write_text(UNGUARDED)
    done = subprocess.run(
        [sys.executable, str(script)],
        env=momentarium.environment,
        cwd=momentarium.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[8]", "")
    assert_whole(momentarium, photos)
