-- add: photos of a request; one that is there already stays as it is, and comes back if it was in the bin
insert into images (user_id, storage_key, sha256, preview_key, original_filename, content_type, file_size_bytes, width,
                    height, taken_at, utc_offset_minutes, taken_at_source, taken_sort, latitude, longitude, altitude,
                    camera, source_folder, decode_error)
select app_user(), x.* from jsonb_to_recordset(%(rows)s)
       as x (storage_key text, sha256 text, preview_key text, original_filename text, content_type text,
             file_size_bytes bigint, width integer, height integer, taken_at timestamp, utc_offset_minutes integer,
             taken_at_source text, taken_sort timestamptz, latitude double precision, longitude double precision,
             altitude double precision, camera text, source_folder text, decode_error text)
on conflict (user_id, sha256) do update set deleted_at = null

-- unplaced: a job's photos that are in no album yet
select i.* from images i
 where i.storage_key = any(%(keys)s) and i.deleted_at is null
   and not exists (select from album_images a where a.image_id = i.id and a.is_primary)
 order by i.id

-- without_thumb: a job's photos whose preview was not looked at yet
select id, storage_key, sha256, preview_key, content_type, decode_error from images
 where storage_key = any(%(keys)s) and thumb_key is null and decode_error is null
 order by id

-- derived: what the worker made of a photo's preview
update images set preview_key = %(preview_key)s, thumb_key = %(thumb_key)s, thumbhash = %(thumbhash)s, phash = %(phash)s
 where id = %(id)s

-- undecodable: a photo that cannot be shown, and why
update images set decode_error = %(reason)s, preview_key = null where id = %(id)s and thumb_key is null

-- of_album: a page of an album's photos, in its order
select i.*, a.display_order from album_images a join images i on i.id = a.image_id
 where a.album_id = %(album_id)s and i.deleted_at is null and (a.display_order, i.id) > (%(order)s, %(id)s)
 order by a.display_order, i.id
 limit %(limit)s

-- of_albums: all photos of some albums
select i.*, a.album_id from album_images a join images i on i.id = a.image_id
 where a.album_id = any(%(album_ids)s) and i.deleted_at is null
