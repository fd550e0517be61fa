-- begin_deleting: uploads whose objects may now be deleted by whoever committed this
select id, user_id, storage_key, size_bytes, issued_at, region, parts ->> 'upload_id' as upload_id, deleting_since
  from begin_deleting(%(unused_for)s, %(abandoned_for)s, %(limit)s)

-- finish_deleting: their objects are gone
select finish_deleting(%(ids)s, %(since)s)

-- begin_discarding: previews and thumbs that may now be deleted by whoever committed this
select storage_key, deleting_since from begin_discarding(%(user_id)s, %(abandoned_for)s, %(limit)s)

-- finish_discarding: they are gone
select finish_discarding(%(keys)s, %(since)s)

-- expected: keys under which something must lie, with what is known of it
select key, max(size_bytes) as size_bytes, max(filename) as filename
  from (select storage_key as key, file_size_bytes as size_bytes, original_filename as filename from images
        union all select storage_key, size_bytes, null from uploads where state = 'registered'
        union all select preview_key, null, original_filename from images where thumb_key is not null
        union all select thumb_key, null, original_filename from images) as x
 where starts_with(key, %(prefix)s) and (%(keys)s::text[] is null or key = any(%(keys)s))
 group by key

-- known: those of some keys that any row refers to
select key from unnest(%(keys)s::text[]) as k (key)
 where exists (select from uploads where storage_key = key)
    or exists (select from uploads where preview_key = key)
    or exists (select from images where storage_key = key)
    or exists (select from images where preview_key = key)
    or exists (select from images where thumb_key = key)
    or exists (select from discarded where storage_key = key)
