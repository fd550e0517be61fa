-- Trips hold albums, and albums have chapters.

alter table albums drop constraint albums_kind_check;
alter table albums add constraint albums_kind_check
  check (kind in ('event', 'everyday', 'undated', 'screenshots', 'trip'));
alter table album_images add column begins_chapter boolean not null default false;
