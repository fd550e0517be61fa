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
 where (coalesce(a.starts_at, '-infinity'), a.id) < (%(starts_at)s::timestamp, %(id)s) and a.kind <> 'trip'
   and (n.shown > 0 or n.held = 0)
 order by coalesce(a.starts_at, '-infinity') desc, a.id desc
 limit %(limit)s

-- roots: trips, and albums that are in none, in the order of the gallery; not those whose photos are all in the bin
select a.*, n.shown as photo_count
  from albums a
 cross join lateral (select count(*) filter (where i.deleted_at is null) as shown, count(*) as held
                       from albums b join album_images x on x.album_id = b.id join images i on i.id = x.image_id
                      where b.id = a.id or b.parent_id = a.id) n
 where (coalesce(a.starts_at, '-infinity'), a.id) < (%(starts_at)s::timestamp, %(id)s) and a.parent_id is null
   and (n.shown > 0 or n.held = 0)
 order by coalesce(a.starts_at, '-infinity') desc, a.id desc
 limit %(limit)s

-- parts: the albums of trips, oldest first
select a.*, n.shown as photo_count
  from albums a
 cross join lateral (select count(*) filter (where i.deleted_at is null) as shown, count(*) as held
                       from album_images x join images i on i.id = x.image_id where x.album_id = a.id) n
 where a.parent_id = any(%(trip_ids)s) and (n.shown > 0 or n.held = 0)
 order by a.starts_at nulls last, a.id

-- chapters: those of albums that have several, in their order
with photos as (
  select x.album_id, sum(x.begins_chapter::int) over (partition by x.album_id order by x.display_order) as chapter,
         case when i.taken_at_source is distinct from 'mtime' then i.taken_at + make_interval(secs => i.clock_shift_seconds) end
           as taken_at, i.deleted_at
    from album_images x join images i on i.id = x.image_id
   where x.album_id = any(%(album_ids)s)
     and exists (select from album_images b where b.album_id = x.album_id and b.begins_chapter)
)
select album_id, count(*) as photo_count, min(taken_at) as starts_at, max(taken_at) as ends_at
  from photos where deleted_at is null
 group by album_id, chapter order by album_id, chapter

-- one: an album; a trip has the photos of its albums, and the cover of the first
select a.*,
       c.thumb_key as cover_key, c.region as cover_region,
       (select count(*) from albums b join album_images x on x.album_id = b.id join images i on i.id = x.image_id
         where (b.id = a.id or b.parent_id = a.id) and i.deleted_at is null) as photo_count
  from albums a
  left join images c on c.id =
       (select i.id from albums b join album_images x on x.album_id = b.id join images i on i.id = x.image_id
         where (b.id = a.id or b.parent_id = a.id) and i.deleted_at is null and i.thumb_key is not null
         order by b.starts_at nulls last, b.id, (i.id = b.cover_image_id) is true desc, x.display_order limit 1)
 where a.id = %(id)s

-- spots: the positions, rounded, with photos of several days, and these days
select north / %(parts)s as latitude, east / %(parts)s as longitude, array_agg(day) as days
  from (select distinct round(latitude * %(parts)s) as north, round(longitude * %(parts)s) as east, taken_at::date as day
          from images
         where latitude is not null and longitude is not null and (latitude, longitude) <> (0, 0)
           and taken_at is not null and taken_at_source is distinct from 'mtime' and deleted_at is null) visited
 group by north, east having count(*) > 1

-- homes: what the library showed when it was last organized
select homes from users where id = app_user()

-- keep_homes: what it shows now
update users set homes = %(homes)s where id = app_user()

-- level: that of the tree which the user's albums are at
select album_level from users where id = app_user()

-- keep_level: what they are at now
update users set album_level = %(level)s where id = app_user()

-- breaks: the gaps between photos of at least so many hours, and the first and the last photo
select before, nullif(at, 'infinity') as after
  from (select at, lag(at) over (order by at) as before
          from (select coalesce(taken_sort, taken_at at time zone 'UTC') + make_interval(secs => date_shift_seconds) as at
                  from images
                 where taken_at is not null and taken_at_source is distinct from 'mtime' and deleted_at is null
                union all select 'infinity') timed) gaps
 where before is null or at - before >= %(gap)s
 order by gaps.at

-- near: albums that photos of these spans may be in, or continue: those near them, those of their years, and those
-- that have no time
select id, kind, title, parent_id as trip_id, title_source = 'owner' or edited_at is not null as edited,
       case when kind = any(%(timeless)s) then
            (select count(*) from album_images x join images i on i.id = x.image_id
              where x.album_id = a.id and i.deleted_at is null) end as held
  from albums a
 where kind = any(%(timeless)s)
    or kind in ('event', 'everyday')
       and exists (select from unnest(%(since)s::timestamptz[], %(until)s::timestamptz[]) as span (since, until)
                    where starts_at at time zone 'UTC' <= until + %(reach)s
                      and ends_at at time zone 'UTC' >= since - %(reach)s)
    or kind = 'everyday'
       and exists (select from unnest(%(since)s::timestamptz[], %(until)s::timestamptz[]) as span (since, until)
                    where starts_at at time zone 'UTC' <= until + %(year)s
                      and ends_at at time zone 'UTC' >= since - %(year)s)
       and (select count(*) from album_images x where x.album_id = a.id) <= %(most)s
 order by id

-- add: an album of a job
insert into albums (user_id, job_id, title, theme_description, kind, place, cover_image_id, starts_at, ends_at, organized_by)
values (app_user(), %(job_id)s, %(title)s, %(theme_description)s, %(kind)s, %(place)s, %(cover_id)s, %(starts_at)s,
        %(ends_at)s, %(organized_by)s)
returning id

-- extend: an album that a job continues, if anything of it changes; what its owner wrote stays
update albums
   set title = case title_source when 'owner' then title else %(title)s end,
       theme_description = case title_source when 'owner' then theme_description else %(theme_description)s end,
       place = %(place)s, cover_image_id = %(cover_id)s, organized_by = %(organized_by)s,
       version = version + 1, updated_at = now()
 where id = %(album_id)s
   and (%(changed)s
        or (place, cover_image_id) is distinct from (%(place)s, %(cover_id)s::bigint)
        or title_source <> 'owner'
           and (title, theme_description) is distinct from (%(title)s, %(theme_description)s))

-- place: photos into an album, out of the one they were in
insert into album_images (album_id, image_id, user_id, display_order)
select %(album_id)s, x.image_id, app_user(), x.ordinality
  from unnest(%(image_ids)s::bigint[]) with ordinality as x (image_id, ordinality)
    on conflict (image_id) where is_primary
    do update set album_id = excluded.album_id, display_order = excluded.display_order, begins_chapter = false
        where album_images.album_id <> excluded.album_id

-- set_clocks: what must be added to the times of photos
update images i set clock_shift_seconds = i.date_shift_seconds + s.seconds
  from unnest(%(image_ids)s::bigint[], %(seconds)s::integer[]) as s (image_id, seconds)
 where i.id = s.image_id and i.clock_shift_seconds <> i.date_shift_seconds + s.seconds

-- cameras: how many dated photos each has, and how many of them know where they are
select camera, count(*) as photos, count(latitude) as located from images
 where camera is not null
   and taken_at is not null and taken_at_source is distinct from 'mtime' and deleted_at is null
 group by camera

-- minutes: since 1970, at which these cameras took photos, by their own clocks
select camera, array_agg(distinct (extract(epoch from taken_at)::bigint / 60)) as minutes from images
 where camera = any(%(cameras)s) and (latitude is not null or not %(located)s)
   and taken_at is not null and taken_at_source is distinct from 'mtime' and deleted_at is null
 group by camera

-- wrong_dates: what was found when the library was last organized
select wrong_dates from users where id = app_user()

-- keep_wrong_dates: what is found now
update users set wrong_dates = %(found)s where id = app_user()

-- redate: what must be added to the dates of photos; the rest of what their clocks were wrong by stays
with dated as (
  select i.id, coalesce((select w.seconds
                           from unnest(%(cameras)s::text[], %(since)s::timestamp[], %(until)s::timestamp[],
                                       %(seconds)s::integer[]) as w (camera, since, until, seconds)
                          where w.camera = i.camera and i.taken_at >= w.since
                            and i.taken_at < w.until + interval '1 minute' limit 1), 0) as seconds
    from images i
   where i.camera = any(%(cameras)s) or i.date_shift_seconds <> 0
)
update images i
   set date_shift_seconds = d.seconds, clock_shift_seconds = i.clock_shift_seconds + d.seconds - i.date_shift_seconds
  from dated d
 where i.id = d.id and i.date_shift_seconds <> d.seconds

-- order: an album's photos as they are given
update album_images a set display_order = o.position
  from unnest(%(image_ids)s::bigint[]) with ordinality as o (image_id, position)
 where a.album_id = %(album_id)s and a.image_id = o.image_id and a.display_order <> o.position

-- reorder: an album's photos by the time they were taken, then by name
update album_images a set display_order = o.position
  from (select i.id, row_number() over (
            order by case i.taken_at_source when 'mtime' then null else i.taken_sort + make_interval(secs => i.clock_shift_seconds) end
            nulls last,
                     i.source_folder, i.original_filename, i.id) as position
          from album_images x join images i on i.id = x.image_id where x.album_id = %(album_id)s) o
 where a.album_id = %(album_id)s and a.image_id = o.id and a.display_order <> o.position

-- chapter: the photos of an album with which a chapter begins
update album_images set begins_chapter = not begins_chapter
 where album_id = %(album_id)s and begins_chapter <> (image_id = any(%(image_ids)s))

-- span: when an album's photos were taken
update albums a set starts_at = s.starts_at, ends_at = s.ends_at
  from (select min(i.taken_at + make_interval(secs => i.clock_shift_seconds)) as starts_at,
               max(i.taken_at + make_interval(secs => i.clock_shift_seconds)) as ends_at
          from album_images x join images i on i.id = x.image_id
         where x.album_id = %(album_id)s and i.taken_at_source is distinct from 'mtime') s
 where a.id = %(album_id)s and (a.starts_at, a.ends_at) is distinct from (s.starts_at, s.ends_at)

-- span_of_trip: when its albums are
update albums a set starts_at = s.starts_at, ends_at = s.ends_at
  from (select min(starts_at) as starts_at, max(ends_at) as ends_at from albums where parent_id = %(album_id)s) s
 where a.id = %(album_id)s and (a.starts_at, a.ends_at) is distinct from (s.starts_at, s.ends_at)

-- into_trip: albums into the trip of a job, or into none; those that a trip its owner touched holds stay there
update albums a set parent_id = %(trip_id)s
 where id = any(%(album_ids)s) and parent_id is distinct from %(trip_id)s
   and not exists (select from albums t where t.id = a.parent_id
                                          and (t.title_source = 'owner' or t.edited_at is not null))

-- drop_empty: albums that lost all their photos, unless their owner touched them
delete from albums a
 where id = any(%(album_ids)s) and title_source = 'organizer' and edited_at is null
   and not exists (select from album_images x where x.album_id = a.id)

-- drop_trips: those that hold no album, unless their owner touched them
delete from albums a
 where kind = 'trip' and title_source = 'organizer' and edited_at is null
   and not exists (select from albums x where x.parent_id = a.id)

-- of_jobs: the albums that hold photos of some jobs, with how many of them
select a.id, a.title, a.starts_at, a.ends_at, count(*) as photos
  from processing_jobs j
  join images i on i.storage_key = any(j.image_keys)
  join album_images x on x.image_id = i.id and x.is_primary
  join albums a on a.id = x.album_id
 where j.id = any(%(job_ids)s) and i.deleted_at is null
 group by a.id order by a.starts_at nulls last, a.id
