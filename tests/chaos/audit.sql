-- What the judge reads beside the product's own tables: every change of a job, in order, and what the API had accepted.

create table chaos_audit (
  seq bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  job_id uuid not null,
  user_id bigint not null,
  old_status text,
  status text not null,
  old_fence bigint,
  fence bigint not null,
  old_lease_until timestamptz,
  lease_until timestamptz
);
create index on chaos_audit (user_id, seq);

create table chaos_accepted (
  job_id uuid primary key,
  user_id bigint not null,
  storage_keys text[] not null
);

create function chaos_note() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
begin
  insert into chaos_audit (job_id, user_id, old_status, status, old_fence, fence, old_lease_until, lease_until)
  values (new.id, new.user_id, old.status, new.status, old.fence, new.fence, old.lease_until, new.lease_until);
  return null;
end $$;
create trigger chaos_note after insert or update on processing_jobs for each row execute function chaos_note();
