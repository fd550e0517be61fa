-- Trips hold albums, albums have chapters, and a library shows where its owner lived.

alter table albums drop constraint albums_kind_check;
alter table albums add constraint albums_kind_check
  check (kind in ('event', 'everyday', 'undated', 'screenshots', 'trip'));
alter table album_images add column begins_chapter boolean not null default false;
alter table users add column homes jsonb not null default '[]';
grant update (homes) on users to momentarium_app;
