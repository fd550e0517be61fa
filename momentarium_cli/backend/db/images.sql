-- add: photos of a request; one that is there already stays as it is, and comes back if it was in the bin
insert into images (user_id, storage_key, sha256, preview_key, original_filename, content_type, file_size_bytes, width,
                    height, taken_at, utc_offset_minutes, taken_at_source, taken_sort, latitude, longitude, altitude,
                    camera, source_folder, decode_error, region, verified)
select app_user(), x.* from jsonb_to_recordset(%(rows)s)
       as x (storage_key text, sha256 text, preview_key text, original_filename text, content_type text,
             file_size_bytes bigint, width integer, height integer, taken_at timestamp, utc_offset_minutes integer,
             taken_at_source text, taken_sort timestamptz, latitude double precision, longitude double precision,
             altitude double precision, camera text, source_folder text, decode_error text, region text, verified boolean)
on conflict (user_id, sha256) do update set deleted_at = null

-- unplaced: a job's photos that are in no album yet
select i.* from images i
 where i.storage_key = any(%(keys)s) and i.deleted_at is null
   and not exists (select from album_images a where a.image_id = i.id and a.is_primary)
 order by i.id

-- without_thumb: a job's photos whose preview was not looked at yet
select id, storage_key, sha256, preview_key, content_type, decode_error, region from images
 where storage_key = any(%(keys)s) and thumb_key is null and decode_error is null
 order by id

-- derived: what the worker made of a photo's preview; it is discarded if the photo was deleted meanwhile
with photo as (
  update images
     set preview_key = %(preview_key)s, thumb_key = %(thumb_key)s, thumbhash = %(thumbhash)s, phash = %(phash)s,
         quality = %(quality)s, look = %(look)s
   where id = %(id)s
  returning id
)
insert into discarded (storage_key, user_id)
select distinct key, app_user() from unnest(array[%(preview_key)s, %(thumb_key)s]) as key
 where not exists (select from photo)
on conflict do nothing

-- unverified: a job's photos whose store could not tell their checksum
select id, storage_key, sha256, original_filename, region from images
 where storage_key = any(%(keys)s) and not verified
 order by id

-- verified: a photo whose bytes were read, and are what they must be
update images set verified = true where id = %(id)s

-- undecodable: a photo that cannot be shown, and why
update images set decode_error = %(reason)s, preview_key = null where id = %(id)s and thumb_key is null

-- of_album: a page of an album's photos, in its order; those of a trip are its albums', one album after another
with shown as (
  select id, row_number() over (order by starts_at nulls last, id) as place from albums
   where id = %(album_id)s or parent_id = %(album_id)s
)
select i.*, s.place, a.display_order
  from shown s join album_images a on a.album_id = s.id join images i on i.id = a.image_id
 where i.deleted_at is null and (s.place, a.display_order, i.id) > (%(place)s, %(order)s, %(id)s)
 order by s.place, a.display_order, i.id
 limit %(limit)s

-- of_albums: all photos of some albums
select i.*, a.album_id from album_images a join images i on i.id = a.image_id
 where a.album_id = any(%(album_ids)s) and a.is_primary and i.deleted_at is null

-- covers: the photos that stand for some albums
select i.*, a.id as album_id from albums a join images i on i.id = a.cover_image_id
 where a.id = any(%(album_ids)s) and i.deleted_at is null

-- put_into_bin: a photo that albums no longer show; one that is there already stays as it is
update images set deleted_at = coalesce(deleted_at, now()) where id = %(id)s returning id

-- doom: the uploads that photos came of, so that their originals go; locked in the order in which register does
with mine as (
  select id from uploads
   where storage_key in (select storage_key from images where id = any(%(ids)s)) and state <> 'deleting'
   order by storage_key for update
)
update uploads u set state = 'deleting', deleting_since = clock_timestamp() from mine where u.id = mine.id
returning u.id, u.user_id, u.storage_key, u.size_bytes, u.issued_at, u.region, u.parts ->> 'upload_id' as upload_id,
          u.deleting_since

-- drop_albums: those that hold nothing but these photos; what its owner named stays
delete from albums a using album_images x
 where x.album_id = a.id and x.image_id = any(%(ids)s) and a.title_source = 'organizer'
   and not exists (select from album_images y where y.album_id = a.id and y.image_id <> all(%(ids)s))

-- delete: photos; their previews and thumbs are discarded
with photo as (
  delete from images where id = any(%(ids)s) returning preview_key, thumb_key
)
insert into discarded (storage_key, user_id)
select distinct key, app_user() from photo cross join unnest(array[preview_key, thumb_key]) as key where key is not null
on conflict do nothing
