"""What a server has lost that was restored from a backup: the last job of a user, and the photos that came by it."""

from collections.abc import Sequence

from momentarium_cli.backend.db.pool import Database

_LAST_JOB = """
select id, image_keys, status from processing_jobs where user_id = %(user_id)s order by id desc limit 1
"""
_ONLY_OF_IT = """
select key from unnest(%(keys)s::text[]) as key where not exists
  (select from processing_jobs where user_id = %(user_id)s and id <> %(job_id)s and key = any(image_keys))
"""
_AS_BEFORE = (
    "update users set library_version = library_version + 1 where id = %(user_id)s",
    "delete from images where storage_key = any(%(keys)s)",
    "delete from uploads where storage_key = any(%(keys)s)",
    "delete from albums a where user_id = %(user_id)s and kind <> 'trip'"
    " and not exists (select from album_images x where x.album_id = a.id)",
    "delete from albums a where user_id = %(user_id)s and kind = 'trip'"
    " and not exists (select from albums member where member.parent_id = a.id)",
    "update albums set job_id = (select id from processing_jobs where user_id = %(user_id)s and id < %(job_id)s"
    " and status = 'completed' order by id desc limit 1) where job_id = %(job_id)s",
    "delete from processing_jobs where id = %(job_id)s",
)


def forget_last_job(database: Database, user_id: int) -> Sequence[str]:
    """The keys of the originals that came by it alone; none where the last job has not completed."""
    with database.administration() as conn:
        job = conn.execute(_LAST_JOB, {"user_id": user_id}).fetchone()
        if job is None or job["status"] != "completed":
            return ()
        values = {"user_id": user_id, "job_id": job["id"], "keys": job["image_keys"]}
        values["keys"] = [row["key"] for row in conn.execute(_ONLY_OF_IT, values)]
        for statement in _AS_BEFORE:
            conn.execute(statement, values)
        return list(values["keys"])
