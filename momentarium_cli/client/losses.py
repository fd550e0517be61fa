"""Photos that the journal takes to be in the library, and that are not: the server was restored from a backup, or found
an original damaged. The next run that comes by them uploads them again.

A job and its photos come into the database together. So a server that knows all jobs of an import has all that came by
it, and by those before.
"""

from collections.abc import Iterator

from momentarium_cli.client import events
from momentarium_cli.client.api import Api
from momentarium_cli.client.journal import Journal
from momentarium_cli.models import JobStatus


def of_restored_server(api: Api, journal: Journal) -> Iterator[events.Warned]:
    """A word, if it lost anything."""
    photos = 0
    for import_id, job_ids in journal.jobs_by_import().items():
        known = {str(job.id) for job in api.jobs(import_id, albums=False)}
        lost = [job_id for job_id in job_ids if job_id not in known]
        photos += sum(journal.lost(job_id) for job_id in lost)
        if not lost:
            break
    yield from _told(journal, photos)


def of_unknown_job(journal: Journal, job_id: str) -> Iterator[events.Warned]:
    """The server was restored while the run went on."""
    yield from _told(journal, journal.lost(job_id))


def of_job(journal: Journal, job: JobStatus) -> None:
    """What it found damaged; the job tells that itself."""
    if job.damaged:
        journal.lost(str(job.id), job.damaged)


def _told(journal: Journal, photos: int) -> Iterator[events.Warned]:
    if photos:
        count = "a photo" if photos == 1 else f"{photos:,} photos"
        yield events.Warned(
            journal.path,
            f"the server has lost {count} that it had, as after a restore from a backup; uploading their folders sends"
            " what it does not have",
        )
