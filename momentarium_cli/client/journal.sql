create table if not exists files (
  id integer primary key,
  path blob not null unique,
  device integer not null,
  inode integer not null,
  size integer not null,
  mtime_ns integer not null,
  ctime_ns integer not null,
  state text not null default 'found',
  seen integer not null,
  filename text not null,
  folder text,
  content_type text,
  metadata text,
  taken_sort real,
  sha256 text,
  storage_key text,
  decode_error text,
  error text,
  batch text references batches
) strict;
create index if not exists files_by_time on files (seen, state, taken_sort, id);
create index if not exists files_by_checksum on files (sha256) where sha256 is not null;
create index if not exists files_by_batch on files (batch) where batch is not null;

create table if not exists batches (
  id text primary key,
  import_id text not null,
  state text not null default 'closed',
  job_id text
) strict;
