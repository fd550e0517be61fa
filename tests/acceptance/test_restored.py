"""A server that was restored from a backup: what it lost is sent again, and nothing else."""

import shutil
from pathlib import Path

from tests.acceptance.photos import MAY, event
from tests.acceptance.program import Program, assert_whole

_BACKUP = "backup"


def back_up(momentarium: Program) -> None:
    momentarium.end()
    shutil.copytree(momentarium.data_dir / "postgres", momentarium.folder / _BACKUP)


def restore(momentarium: Program) -> None:
    momentarium.end()
    shutil.rmtree(momentarium.data_dir / "postgres")
    shutil.copytree(momentarium.folder / _BACKUP, momentarium.data_dir / "postgres")


def test_photos_that_came_after_the_backup_are_sent_again(momentarium: Program, folder: Path) -> None:
    before = event(folder / "before", 3)
    assert momentarium.upload(folder).counts == {"uploaded": 3}
    back_up(momentarium)
    after = event(folder / "after", 4, begins=MAY.replace(year=2025), seed=1)
    momentarium.upload(folder)
    later = event(folder / "later", 2, begins=MAY.replace(year=2026), seed=2)
    momentarium.upload(folder)
    restore(momentarium)
    done = momentarium.upload(folder)
    assert done.counts == {"unchanged": 3, "uploaded": 6}
    [warned] = [line for line in done.lines if line["event"] == "warning"]
    assert warned["text"].startswith("the server has lost 6 photos that it had, as after a restore from a backup;")
    assert_whole(momentarium, [*before, *after, *later])
    assert momentarium.upload(folder).counts == {"unchanged": 9}


def test_a_store_that_was_restored_with_it_gets_them_anew(momentarium: Program, folder: Path) -> None:
    before = event(folder / "before", 3)
    momentarium.upload(folder)
    back_up(momentarium)
    stored = momentarium.originals()
    after = event(folder / "after", 4, begins=MAY.replace(year=2025), seed=1)
    momentarium.upload(folder)
    restore(momentarium)
    for original in set(momentarium.originals()) - set(stored):
        original.unlink()
    assert momentarium.upload(folder).counts == {"unchanged": 3, "uploaded": 4}
    assert_whole(momentarium, [*before, *after])


def test_a_photo_that_is_gone_here_as_well_holds_up_nothing(momentarium: Program, folder: Path) -> None:
    event(folder / "before", 2)
    momentarium.upload(folder)
    back_up(momentarium)
    gone, _ = event(folder / "after", 2, begins=MAY.replace(year=2025), seed=1)
    momentarium.upload(folder)
    restore(momentarium)
    gone.unlink()
    assert momentarium.upload(folder).counts == {"unchanged": 2, "uploaded": 1}
    assert momentarium.upload(folder).counts == {"unchanged": 3}
