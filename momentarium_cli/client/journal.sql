create table if not exists files (
  id integer primary key,
  path blob not null unique,
  device integer not null,
  inode integer not null,
  size integer not null,
  mtime_ns integer not null,
  ctime_ns integer not null,
  state text not null default 'found',
  seen integer not null, -- the run that saw it last and had something to do with it
  filename text not null,
  folder text,
  content_type text,
  metadata text,
  taken_sort real,
  sha256 text,
  storage_key text,
  decode_error text,
  error text,
  batch text references batches,
  counted text, -- where the run that is `seen` counts it; null: nowhere
  taken_on text, -- the day it was taken on, local; null where only its mtime dates it
  was_sha256 text -- in the library under this path, before the file changed
) strict;
create index if not exists files_waiting on files (taken_sort, id) where counted = 'pending' and batch is null;
create index if not exists files_by_inode on files (inode, size);
create index if not exists files_by_checksum on files (sha256) where sha256 is not null;
create index if not exists files_by_batch on files (batch) where batch is not null;

create table if not exists batches (
  id text primary key,
  import_id text not null,
  state text not null default 'closed',
  job_id text
) strict;

create table if not exists runs (
  id integer primary key,
  files integer not null default 0, -- that were sent
  bytes integer not null default 0,
  seconds real not null default 0
) strict;
