-- How good a photo is technically, what it shows as far as anybody looked, and albums for pictures that are no photos of
-- an event.

alter table images add column quality real check (quality between 0 and 1);
alter table images add column look bytea check (length(look) = 32);
alter table albums drop constraint albums_kind_check;
alter table albums add constraint albums_kind_check
  check (kind in ('event', 'everyday', 'undated', 'screenshots', 'documents', 'downloads', 'trip'));
