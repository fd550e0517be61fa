-- When a worker began the stage that a job is in, and with how many photos done: how long it may take follows of it.

alter table processing_jobs
  add column stage_started_at timestamptz,
  add column stage_began_at integer not null default 0;
