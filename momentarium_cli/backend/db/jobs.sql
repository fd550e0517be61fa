-- add: a job for a batch, or one that regroups; nothing if this batch has one
insert into processing_jobs (user_id, import_id, image_keys, idempotency_key, request_sha256, total, album_level)
values (app_user(), %(import_id)s, %(image_keys)s, %(idempotency_key)s, %(request_sha256)s,
        cardinality(%(image_keys)s::text[]), %(album_level)s)
on conflict (user_id, idempotency_key) do nothing
returning *

-- by_idempotency_key: the job of a batch
select * from processing_jobs where idempotency_key = %(key)s

-- one: a job
select * from processing_jobs where id = %(id)s

-- of_import: the jobs of an import, in the order of their batches
select * from processing_jobs where %(import_id)s::uuid is null or import_id = %(import_id)s
 order by idempotency_key desc limit %(limit)s

-- claim: the next job of the user whose job this is, if nobody has it
select * from claim_job(%(id)s, %(lease)s)

-- renew: keep a lease; nothing if it was taken away
update processing_jobs set lease_until = clock_timestamp() + %(lease)s
 where id = %(id)s and fence = %(fence)s and status = 'processing'
returning id

-- progress: how far a job is
update processing_jobs
   set stage = %(stage)s, done = %(done)s, total = %(total)s,
       stage_started_at = case when %(begins)s then clock_timestamp() else stage_started_at end,
       stage_began_at = case when %(begins)s then %(done)s else stage_began_at end
 where id = %(id)s and fence = %(fence)s and status = 'processing'
returning id

-- postpone: let go of a job until later, with what stood in its way
update processing_jobs
   set lease_until = clock_timestamp() + %(delay)s, woken_at = clock_timestamp() + %(delay)s, error_code = %(code)s, error_message = %(message)s
 where id = %(id)s and fence = %(fence)s and status = 'processing'
returning id

-- release: let go of a job whose worker is told to stop, which is no attempt; it can be claimed at once
update processing_jobs set lease_until = clock_timestamp(), woken_at = clock_timestamp(), attempt = attempt - 1
 where id = %(id)s and fence = %(fence)s and status = 'processing'
returning id

-- take_over: jobs whose workers are known to be dead can be claimed at once
update processing_jobs set lease_until = clock_timestamp() where status = 'processing'

-- complete: a job's end, only for whoever still has it
update processing_jobs
   set status = 'completed', lease_until = null, stage = null, done = total, completed_at = now(),
       error_code = null, error_message = null, organized_by = %(organized_by)s,
       result_data = coalesce(result_data, '{}') || %(result)s
 where id = %(id)s and fence = %(fence)s and status = 'processing'
returning id

-- fail: a job's end, only for whoever still has it
update processing_jobs
   set status = 'failed', lease_until = null, completed_at = now(), error_code = %(code)s, error_message = %(message)s,
       result_data = coalesce(%(result)s, result_data)
 where id = %(id)s and fence = %(fence)s and status = 'processing'
returning id

-- cancel: whoever works on it loses it
update processing_jobs
   set status = 'failed', lease_until = null, completed_at = now(), fence = fence + 1,
       error_code = 'cancelled', error_message = 'Cancelled. The photos are safe; `momentarium retry` organizes them.'
 where id = %(id)s and status in ('pending', 'processing')
returning *

-- retry: a failed job from the beginning
update processing_jobs
   set status = 'pending', fence = fence + 1, attempt = 0, stage = null, done = 0, completed_at = null,
       error_code = null, error_message = null, deliver_after = now(), woken_at = now()
 where id = %(id)s and status = 'failed'
returning *

-- wake_next: the user's job that comes after the one that ended; an earlier message about it came too early
update processing_jobs set fence = fence + 1, woken_at = clock_timestamp()
 where status = 'pending'
   and id = (select id from processing_jobs where status = 'pending' order by idempotency_key limit 1)
returning id, fence

-- wake_overdue: jobs that a worker should be woken for, and that nobody was woken for lately
select id, fence from wake_overdue(%(patience)s)

-- of_message: the job that a message names, whoever owns it
select * from job_of_message(%(id)s)

-- redeliver: a job whose message did not arrive, for another; nothing if somebody else took care of it
update processing_jobs set fence = fence + 1, attempt = attempt + 1, woken_at = clock_timestamp()
 where id = %(id)s and fence = %(fence)s
   and (status = 'pending' or status = 'processing' and lease_until <= clock_timestamp())
returning id, fence

-- fail_undelivered: the end of a job whose messages do not arrive; nothing if somebody else took care of it
update processing_jobs
   set status = 'failed', lease_until = null, completed_at = now(), fence = fence + 1,
       error_code = %(code)s, error_message = %(message)s
 where id = %(id)s and fence = %(fence)s
   and (status = 'pending' or status = 'processing' and lease_until <= clock_timestamp())
returning id

-- open_count: jobs that have not ended, of all users
select open_jobs() as n

-- library_version: what the user's albums stand at, locked until this transaction ends
select library_version from users where id = app_user() for update

-- peek_version: what the user's albums stand at
select library_version from users where id = app_user()

-- bump_version: the albums changed
update users set library_version = library_version + 1, updated_at = now() where id = app_user()
