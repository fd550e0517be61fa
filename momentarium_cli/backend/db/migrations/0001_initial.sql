-- Every table belongs to the owner who migrates. The application works as momentarium_app, which owns nothing and,
-- by row-level security that is forced on all of them, sees only the rows of the user named in app.user_id.

do $$ begin
  create role momentarium_app nologin;
exception when duplicate_object or unique_violation then null;
end $$;
do $$ begin
  if not (select rolsuper from pg_roles where rolname = current_user) then
    execute format('grant momentarium_app to %I with inherit false, set true', current_user);
  end if;
end $$;
grant usage on schema public to momentarium_app;

create function app_user() returns bigint language sql stable parallel safe
  return nullif(current_setting('app.user_id', true), '')::bigint;

create table users (
  id bigint generated always as identity primary key,
  email text not null unique check (length(email) between 3 and 320),
  library_id uuid not null default gen_random_uuid(),
  library_version bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table api_tokens (
  id bigint generated always as identity primary key,
  user_id bigint not null references users on delete cascade,
  name text not null check (length(name) between 1 and 200),
  token_sha256 bytea not null unique check (length(token_sha256) = 32),
  scopes text[] not null check (scopes <@ array['read', 'upload', 'edit'] and cardinality(scopes) > 0),
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  expires_at timestamptz,
  revoked_at timestamptz
);
create index on api_tokens (user_id);

create table uploads (
  id bigint generated always as identity primary key,
  user_id bigint not null references users on delete cascade,
  storage_key text not null unique,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  size_bytes bigint not null check (size_bytes > 0),
  content_type text not null,
  preview_key text,
  import_id uuid,
  state text not null default 'issued' check (state in ('issued', 'registered', 'deleting')),
  issued_at timestamptz not null default now()
);
create unique index on uploads (user_id, sha256);

create table images (
  id bigint generated always as identity primary key,
  user_id bigint not null references users on delete cascade,
  storage_key text not null unique,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  preview_key text,
  thumb_key text,
  original_filename text not null,
  content_type text not null,
  file_size_bytes bigint not null,
  width integer,
  height integer,
  taken_at timestamp,
  utc_offset_minutes integer,
  taken_at_source text,
  taken_sort timestamptz,
  latitude double precision check (latitude between -90 and 90),
  longitude double precision check (longitude between -180 and 180),
  altitude double precision,
  camera text,
  source_folder text,
  thumbhash bytea,
  phash bigint,
  decode_error text,
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  unique (user_id, sha256),
  unique (id, user_id)
);
create index on images (user_id, taken_sort, id);

create table processing_jobs (
  id uuid primary key default uuidv7(),
  user_id bigint not null references users on delete cascade,
  import_id uuid not null,
  status text not null default 'pending' check (status in ('pending', 'processing', 'completed', 'failed')),
  image_keys text[] not null check (cardinality(image_keys) between 1 and 1000),
  result_data jsonb,
  error_code text,
  error_message text,
  stage text,
  done integer not null default 0,
  total integer not null default 0,
  attempt integer not null default 0,
  fence bigint not null default 0,
  lease_until timestamptz,
  deliver_after timestamptz not null default now(),
  organized_by text,
  idempotency_key uuid not null,
  request_sha256 text not null,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  unique (user_id, idempotency_key),
  unique (id, user_id),
  check ((status = 'processing') = (lease_until is not null))
);
create unique index one_processing_job_a_user on processing_jobs (user_id) where status = 'processing';
create index on processing_jobs (user_id, idempotency_key) where status = 'pending';
create index on processing_jobs (user_id, import_id);

create function check_job_transition() returns trigger language plpgsql as $$
begin
  if old.status <> new.status and (old.status, new.status) not in
     (('pending', 'processing'), ('pending', 'failed'), ('processing', 'completed'), ('processing', 'failed'),
      ('failed', 'pending')) then
    raise check_violation using message = format('a job cannot go from %s to %s', old.status, new.status);
  end if;
  return new;
end $$;
create trigger legal_transition before update of status on processing_jobs
  for each row execute function check_job_transition();

create table albums (
  id bigint generated always as identity primary key,
  user_id bigint not null references users on delete cascade,
  job_id uuid,
  title text not null check (length(title) between 1 and 200),
  title_source text not null default 'organizer' check (title_source in ('organizer', 'owner')),
  theme_description text,
  kind text not null check (kind in ('event', 'everyday', 'undated', 'screenshots')),
  place text,
  cover_image_id bigint,
  starts_at timestamp,
  ends_at timestamp,
  parent_id bigint,
  organized_by text,
  edited_at timestamptz,
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  foreign key (job_id, user_id) references processing_jobs (id, user_id) on delete set null (job_id),
  foreign key (cover_image_id, user_id) references images (id, user_id) on delete set null (cover_image_id),
  foreign key (parent_id, user_id) references albums (id, user_id) on delete set null (parent_id)
);
create index on albums (user_id, coalesce(starts_at, '-infinity') desc, id desc);
create index on albums (job_id);
create index on albums (cover_image_id);
create index on albums (parent_id);

create table album_images (
  album_id bigint not null,
  image_id bigint not null,
  user_id bigint not null references users on delete cascade,
  is_primary boolean not null default true,
  display_order integer not null,
  created_at timestamptz not null default now(),
  primary key (album_id, image_id),
  foreign key (album_id, user_id) references albums (id, user_id) on delete cascade,
  foreign key (image_id, user_id) references images (id, user_id) on delete cascade
);
create unique index one_primary_album_an_image on album_images (image_id) where is_primary;
create index on album_images (image_id, user_id);
create index on album_images (album_id, display_order);

do $$
declare item text;
begin
  foreach item in array array['users', 'api_tokens', 'uploads', 'images', 'processing_jobs', 'albums', 'album_images'] loop
    execute format('alter table %I enable row level security', item);
    execute format('alter table %I force row level security', item);
    execute format('create policy owner on %I to %I using (true) with check (true)', item, current_user);
  end loop;
  foreach item in array array['api_tokens', 'uploads', 'images', 'processing_jobs', 'albums', 'album_images'] loop
    execute format('create policy own_rows on %I to momentarium_app using (user_id = app_user()) with check (user_id = app_user())', item);
  end loop;
end $$;
create policy own_row on users to momentarium_app using (id = app_user()) with check (id = app_user());

grant select, update (library_version, updated_at) on users to momentarium_app;
grant select, insert, update, delete on uploads, images, processing_jobs, albums, album_images to momentarium_app;

-- What must see all users runs with the owner's rights, and answers no more than it has to.

create function authenticate(p_token_sha256 bytea)
returns table (user_id bigint, email text, scopes text[])
language sql security definer set search_path = pg_catalog, public, pg_temp as $$
  with token as (
    select t.id, t.user_id, t.scopes, t.last_used_at from api_tokens t
     where t.token_sha256 = p_token_sha256 and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
  ), used as (  -- at most one write a minute, however many requests
    update api_tokens t set last_used_at = now() from token
     where t.id = token.id and (token.last_used_at is null or token.last_used_at < now() - interval '1 minute')
  )
  select u.id, u.email, token.scopes from token join users u on u.id = token.user_id
$$;

-- Claims the next job of the user whose job a message named, whichever that is. Two claimers of one user never get
-- past the advisory lock together; the partial unique index is only the net below.
create function claim_job(p_job uuid, p_lease interval) returns setof processing_jobs
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_user bigint;
  v_job processing_jobs;
begin
  select user_id into v_user from processing_jobs where id = p_job;
  if not found or not pg_try_advisory_xact_lock(hashtextextended('claim', v_user)) then
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

-- The jobs whose worker should be woken: the next one of each user, due, with nobody working for that user.
create function overdue_jobs() returns table (id uuid)
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select distinct on (user_id) j.id from processing_jobs j
   where j.status = 'processing' and j.lease_until <= now()
      or j.status = 'pending' and j.deliver_after <= now()
         and not exists (select from processing_jobs p where p.user_id = j.user_id and p.status = 'processing')
   order by user_id, idempotency_key
$$;

create function open_jobs() returns bigint
language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
  select count(*) from processing_jobs where status in ('pending', 'processing')
$$;

revoke execute on function authenticate(bytea), claim_job(uuid, interval), overdue_jobs(), open_jobs() from public;
grant execute on function authenticate(bytea), claim_job(uuid, interval), overdue_jobs(), open_jobs() to momentarium_app;
