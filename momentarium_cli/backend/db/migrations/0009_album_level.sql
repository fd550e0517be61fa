-- The level of the tree that the albums are at; a job without photos regroups the library to another.

alter table users add column album_level text not null default 'albums'
  check (album_level in ('chapters', 'albums', 'trips'));
grant update (album_level) on users to momentarium_app;
alter table processing_jobs add column album_level text check (album_level in ('chapters', 'albums', 'trips'));
alter table processing_jobs drop constraint processing_jobs_image_keys_check;
alter table processing_jobs add constraint processing_jobs_image_keys_check
  check (cardinality(image_keys) between 1 and 1000 or album_level is not null and cardinality(image_keys) = 0);
