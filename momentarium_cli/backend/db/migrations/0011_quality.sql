-- How good a photo is technically, albums for pictures that are no photos of an event, and an index that alone tells
-- when and where photos were taken: every job asks that of the whole library.

alter table images add column quality real check (quality between 0 and 1);
alter table albums drop constraint albums_kind_check;
alter table albums add constraint albums_kind_check
  check (kind in ('event', 'everyday', 'undated', 'screenshots', 'documents', 'downloads', 'trip'));
create index images_dated on images (user_id, taken_sort, taken_at, latitude, longitude)
 where taken_at is not null and taken_at_source is distinct from 'mtime' and deleted_at is null;
