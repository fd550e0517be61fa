-- Cameras that were left at another date; and an index that alone tells when and where photos were taken, which every job
-- asks of the whole library.

alter table users add column wrong_dates jsonb not null default '[]';
grant update (wrong_dates) on users to momentarium_app;
alter table images add column date_shift_seconds integer not null default 0;  -- is part of clock_shift_seconds
create index images_dated on images (user_id, taken_sort, taken_at, latitude, longitude, camera, date_shift_seconds)
 where taken_at is not null and taken_at_source is distinct from 'mtime' and deleted_at is null;
