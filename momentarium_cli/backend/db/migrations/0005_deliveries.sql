-- Deliveries: when a worker was last told of a job, so that the sweep tells again only what did not arrive.

alter table processing_jobs
  add column woken_at timestamptz not null default now();  -- when the last message about it was due

-- The jobs whose worker should be woken: the next one of each user, due, with nobody working for that user, and no
-- message under way that may still come. Raises the fence of each: a message with the old one would be dropped as a
-- duplicate, and a worker that still has it has outlived its lease.
create function wake_overdue(p_patience interval) returns table (id uuid, fence bigint)
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
  with overdue as materialized (
    select j.id from processing_jobs j
     where j.id in (select o.id from overdue_jobs() o) and j.woken_at <= clock_timestamp() - p_patience
       and (j.status = 'processing' and j.lease_until <= clock_timestamp() or j.status = 'pending')
     order by j.woken_at
     limit 500
       for update skip locked
  )
  update processing_jobs j set fence = j.fence + 1, woken_at = clock_timestamp()
    from overdue where j.id = overdue.id
  returning j.id, j.fence
$$;

create function job_of_message(p_job uuid) returns setof processing_jobs
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select * from processing_jobs where id = p_job
$$;

revoke execute on function wake_overdue(interval), job_of_message(uuid) from public;
grant execute on function wake_overdue(interval), job_of_message(uuid) to momentarium_app;
