-- known: which of these checksums the user has as photos or was issued before, and whether those are in the bin
select c.sha256, i.id as image_id, i.deleted_at is not null as in_bin, u.storage_key, u.state, u.region, u.parts
  from unnest(%(sha256s)s::text[]) as c (sha256)
  left join images i on i.sha256 = c.sha256
  left join uploads u on u.sha256 = c.sha256
 where i.id is not null or u.id is not null

-- issue: what is about to be uploaded; issued again, a key keeps its row; in one order, so that none waits for another
insert into uploads (user_id, storage_key, sha256, size_bytes, content_type, preview_key, region, import_id)
select app_user(), x.storage_key, x.sha256, x.size_bytes, x.content_type, x.preview_key, x.region, %(import_id)s
  from jsonb_to_recordset(%(rows)s)
       as x (storage_key text, sha256 text, size_bytes bigint, content_type text, preview_key text, region text)
 order by x.storage_key
on conflict (storage_key) do update
   set issued_at = now(), preview_key = coalesce(excluded.preview_key, uploads.preview_key),
       import_id = excluded.import_id, size_bytes = excluded.size_bytes, content_type = excluded.content_type,
       region = excluded.region
 where uploads.state = 'issued'

-- being_deleted: whether any of these keys is
select exists (select from uploads where storage_key = any(%(keys)s) and state = 'deleting') as deleting

-- by_keys: what was issued to this user under these keys
select id, storage_key, sha256, size_bytes, content_type, preview_key, region, parts from uploads
 where storage_key = any(%(keys)s)

-- set_parts: how an original comes in parts, unless somebody else said so first
update uploads set parts = %(parts)s
 where storage_key = %(key)s and state <> 'deleting' and parts ->> 'upload_id' is not distinct from %(before)s
returning id

-- register: marks them as photos; locked in one order, so that two requests never wait for each other
with mine as (
  select id from uploads where id = any(%(ids)s) and state <> 'deleting' order by storage_key for update
)
update uploads set state = 'registered' from mine where uploads.id = mine.id returning storage_key
