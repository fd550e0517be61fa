-- page: albums newest first, those without dates last, without those whose photos are all in the bin
select a.*, n.shown as photo_count,
       c.thumb_key as cover_key, c.region as cover_region
  from albums a
 cross join lateral (select count(*) filter (where i.deleted_at is null) as shown, count(*) as held
                       from album_images x join images i on i.id = x.image_id where x.album_id = a.id) n
  left join images c on c.id = coalesce(
       (select i.id from images i where i.id = a.cover_image_id and i.deleted_at is null and i.thumb_key is not null),
       (select i.id from album_images x join images i on i.id = x.image_id
         where x.album_id = a.id and i.deleted_at is null and i.thumb_key is not null
         order by x.display_order limit 1))
 where (coalesce(a.starts_at, '-infinity'), a.id) < (%(starts_at)s::timestamp, %(id)s) and (n.shown > 0 or n.held = 0)
 order by coalesce(a.starts_at, '-infinity') desc, a.id desc
 limit %(limit)s

-- one: an album
select a.*,
       c.thumb_key as cover_key, c.region as cover_region,
       (select count(*) from album_images x join images i on i.id = x.image_id
         where x.album_id = a.id and i.deleted_at is null) as photo_count
  from albums a
  left join images c on c.id = coalesce(
       (select i.id from images i where i.id = a.cover_image_id and i.deleted_at is null and i.thumb_key is not null),
       (select i.id from album_images x join images i on i.id = x.image_id
         where x.album_id = a.id and i.deleted_at is null and i.thumb_key is not null
         order by x.display_order limit 1))
 where a.id = %(id)s

-- near: albums that new photos may continue: those near them in time, and those that have no time of their own
select id, kind, title, title_source = 'owner' as edited from albums
 where kind in ('undated', 'screenshots')
    or starts_at <= %(until)s and ends_at >= %(since)s
 order by id

-- add: an album of a job
insert into albums (user_id, job_id, title, theme_description, kind, place, cover_image_id, starts_at, ends_at, organized_by)
values (app_user(), %(job_id)s, %(title)s, %(theme_description)s, %(kind)s, %(place)s, %(cover_id)s, %(starts_at)s,
        %(ends_at)s, %(organized_by)s)
returning id

-- extend: an album that a job continues; what its owner wrote stays
update albums
   set title = case title_source when 'owner' then title else %(title)s end,
       theme_description = case title_source when 'owner' then theme_description else %(theme_description)s end,
       place = %(place)s, cover_image_id = %(cover_id)s, organized_by = %(organized_by)s,
       starts_at = least(starts_at, %(starts_at)s), ends_at = greatest(ends_at, %(ends_at)s),
       version = version + 1, updated_at = now()
 where id = %(album_id)s
returning id

-- place: photos into an album
insert into album_images (album_id, image_id, user_id, display_order)
select %(album_id)s, x.image_id, app_user(), x.ordinality
  from unnest(%(image_ids)s::bigint[]) with ordinality as x (image_id, ordinality)

-- reorder: an album's photos by the time they were taken, then by name
update album_images a set display_order = o.position
  from (select i.id, row_number() over (
            order by case i.taken_at_source when 'mtime' then null else i.taken_sort end nulls last,
                     i.source_folder, i.original_filename, i.id) as position
          from album_images x join images i on i.id = x.image_id where x.album_id = %(album_id)s) o
 where a.album_id = %(album_id)s and a.image_id = o.id and a.display_order <> o.position

-- of_jobs: the albums that hold photos of some jobs, with how many of them
select a.id, a.title, a.starts_at, a.ends_at, count(*) as photos
  from processing_jobs j
  join images i on i.storage_key = any(j.image_keys)
  join album_images x on x.image_id = i.id and x.is_primary
  join albums a on a.id = x.album_id
 where j.id = any(%(job_ids)s) and i.deleted_at is null
 group by a.id order by a.starts_at nulls last, a.id
