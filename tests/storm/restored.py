"""What a server has lost that was restored from a backup: the last jobs of a user, and the photos that came by them."""

from momentarium_cli.backend.db.pool import Database

_LOCK = "select from users where id = %(user_id)s for update"  # first, as the worker does
_LAST_JOBS = """
select id, image_keys from processing_jobs where user_id = %(user_id)s and not exists
  (select from processing_jobs where user_id = %(user_id)s and status <> 'completed')
 order by id desc limit %(jobs)s
"""
_ONLY_OF_THEM = """
select distinct key from unnest(%(keys)s::text[]) as key where not exists
  (select from processing_jobs where user_id = %(user_id)s and id <> all(%(job_ids)s) and key = any(image_keys))
"""
_AS_BEFORE = (
    "update users set library_version = library_version + 1 where id = %(user_id)s",
    "delete from images where storage_key = any(%(keys)s)",
    "delete from uploads where storage_key = any(%(keys)s)",
    "delete from albums a where user_id = %(user_id)s and kind <> 'trip'"
    " and not exists (select from album_images x where x.album_id = a.id)",
    "delete from albums a where user_id = %(user_id)s and kind = 'trip'"
    " and not exists (select from albums member where member.parent_id = a.id)",
    "update albums set job_id = (select id from processing_jobs where user_id = %(user_id)s"
    " and id <> all(%(job_ids)s) order by id desc limit 1) where job_id = any(%(job_ids)s)",
    "delete from processing_jobs where id = any(%(job_ids)s)",
)


def forget_last_jobs(database: Database, user_id: int, jobs: int) -> list[str]:
    """The keys of the originals that came by them alone; none where a job of the user has not completed."""
    with database.administration() as conn:
        conn.execute(_LOCK, {"user_id": user_id})
        last = conn.execute(_LAST_JOBS, {"user_id": user_id, "jobs": jobs}).fetchall()
        values = {
            "user_id": user_id,
            "job_ids": [job["id"] for job in last],
            "keys": [key for job in last for key in job["image_keys"]],
        }
        keys = [row["key"] for row in conn.execute(_ONLY_OF_THEM, values)]
        for statement in _AS_BEFORE:
            conn.execute(statement, values | {"keys": keys})
        return keys
