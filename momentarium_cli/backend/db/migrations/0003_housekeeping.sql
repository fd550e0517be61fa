-- Deleting: what is left of deleted photos, users who are leaving, and the sweep that sees all users.

alter table users add column leaving_since timestamptz;  -- set first when an account is removed; its row goes last

-- Previews and thumbs that were a photo's or an upload's. They go when none of the user's others has the same bytes.
create table discarded (
  storage_key text primary key,
  user_id bigint not null references users on delete cascade,
  deleting_since timestamptz
);
create index on discarded (user_id);
alter table discarded enable row level security;
alter table discarded force row level security;
do $$ begin
  execute format('create policy owner on discarded to %I using (true) with check (true)', current_user);
end $$;
create policy own_rows on discarded to momentarium_app
  using (user_id = app_user()) with check (user_id = app_user());
grant select, insert on discarded to momentarium_app;

create index on uploads (preview_key);

-- storage_key is made of the same two and is unique. A second unique index only gives two machines that begin to upload
-- the same photo at the same moment a violation that `on conflict (storage_key)` does not catch.
drop index uploads_user_id_sha256_idx;
create index on uploads (user_id, sha256);

-- Marks uploads whose objects are to go: those that never became photos, and those that another sweeper left.
create function begin_deleting(p_unused_for interval, p_abandoned_for interval, p_limit bigint) returns setof uploads
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('housekeeping', 0));
  return query
    with doomed as (
      select u.id from uploads u
       where (u.state = 'issued' and u.issued_at < now() - p_unused_for
              or u.state = 'deleting' and u.deleting_since < now() - p_abandoned_for)
         and not exists (select from images i where i.storage_key = u.storage_key)
       limit p_limit
         for update skip locked
    )
    update uploads u set state = 'deleting', deleting_since = clock_timestamp()
      from doomed where u.id = doomed.id
    returning u.*;
end $$;

-- Their objects are gone: so are the rows that are still the caller's. Answers how many were. They are locked in the
-- order in which issuing and registering lock them, so that none waits for another.
create function finish_deleting(p_ids bigint[], p_since timestamptz[]) returns bigint
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
  with mine as (
    select u.id from uploads u join unnest(p_ids, p_since) as m (id, since) on u.id = m.id
     where u.state = 'deleting' and u.deleting_since = m.since
     order by u.storage_key
       for update of u
  ), gone as (
    delete from uploads u using mine where u.id = mine.id returning u.user_id, u.preview_key
  ), kept as (
    insert into discarded (storage_key, user_id)
    select distinct preview_key, user_id from gone where preview_key is not null
    on conflict do nothing
  )
  select count(*) from gone
$$;

-- Marks previews and thumbs that are to go now, of one user or of all. A job that is being worked on may be about to
-- refer to the same bytes, so its user's wait; and claim_job waits for those that are marked.
create function begin_discarding(p_user bigint, p_abandoned_for interval, p_limit bigint) returns setof discarded
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_user bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('housekeeping', 0));
  for v_user in
    select distinct d.user_id from discarded d
     where (p_user is null or d.user_id = p_user)
       and (d.deleting_since is null or d.deleting_since < now() - p_abandoned_for)
  loop
    continue when not pg_try_advisory_xact_lock(hashtextextended('claim', v_user))
      or exists (select from processing_jobs where user_id = v_user and status = 'processing');
    delete from discarded d
     where d.user_id = v_user and (d.deleting_since is null or d.deleting_since < now() - p_abandoned_for)
       and (exists (select from images i where i.preview_key = d.storage_key)
            or exists (select from images i where i.thumb_key = d.storage_key)
            or exists (select from uploads u where u.preview_key = d.storage_key and u.state <> 'deleting'));
    return query
      with doomed as (
        select d.storage_key from discarded d
         where d.user_id = v_user and (d.deleting_since is null or d.deleting_since < now() - p_abandoned_for)
         limit p_limit
      )
      update discarded d set deleting_since = clock_timestamp() from doomed where d.storage_key = doomed.storage_key
      returning d.*;
    exit when found;
  end loop;
end $$;

create function finish_discarding(p_keys text[], p_since timestamptz[]) returns bigint
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
  with gone as (
    delete from discarded d using unnest(p_keys, p_since) as mine (storage_key, since)
     where d.storage_key = mine.storage_key and d.deleting_since = mine.since
    returning 1
  )
  select count(*) from gone
$$;

revoke execute on function begin_deleting(interval, interval, bigint), finish_deleting(bigint[], timestamptz[]),
  begin_discarding(bigint, interval, bigint), finish_discarding(text[], timestamptz[]) from public;
grant execute on function begin_deleting(interval, interval, bigint), finish_deleting(bigint[], timestamptz[]),
  begin_discarding(bigint, interval, bigint), finish_discarding(text[], timestamptz[]) to momentarium_app;

-- As before, and no job of a user is claimed while previews or thumbs of theirs are being deleted: whoever puts one in
-- the store would find it there, and it would go a moment later. That takes a second; a sweeper that died in it holds
-- the user's jobs up for two minutes, which is longer than any sweeper begins to delete.
create or replace function claim_job(p_job uuid, p_lease interval) returns setof processing_jobs
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_user bigint;
  v_job processing_jobs;
begin
  select user_id into v_user from processing_jobs where id = p_job;
  if not found or not pg_try_advisory_xact_lock(hashtextextended('claim', v_user)) then
    return;
  end if;
  if exists (select from discarded
              where user_id = v_user and deleting_since > clock_timestamp() - interval '2 minutes') then
    return;
  end if;
  select * into v_job from processing_jobs where user_id = v_user and status = 'processing';
  if found then
    if v_job.lease_until > clock_timestamp() then
      return;
    end if;
    select * into v_job from processing_jobs
     where id = v_job.id and status = 'processing' and lease_until <= clock_timestamp() for update skip locked;
  else
    select * into v_job from processing_jobs where user_id = v_user and status = 'pending' order by idempotency_key limit 1;
    if not found or v_job.deliver_after > clock_timestamp() then
      return;
    end if;
    select * into v_job from processing_jobs where id = v_job.id and status = 'pending' for update skip locked;
  end if;
  if not found then
    return;
  end if;
  return query update processing_jobs
     set status = 'processing', fence = fence + 1, attempt = attempt + 1, lease_until = clock_timestamp() + p_lease,
         started_at = coalesce(started_at, now())
   where id = v_job.id returning *;
end $$;
