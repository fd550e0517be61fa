-- add: a new user; nothing if the address is taken
insert into users (email) values (%(email)s) on conflict (email) do nothing returning id

-- by_email: the user with this address
select id, email, created_at, leaving_since from users where email = %(email)s

-- list_all: every user with what they hold
select u.id, u.email, u.created_at,
       (select count(*) from images i where i.user_id = u.id and i.deleted_at is null) as photos,
       (select count(*) from api_tokens t where t.user_id = u.id and t.revoked_at is null) as tokens
  from users u order by u.id

-- add_token: a token, of which only the checksum is kept
insert into api_tokens (user_id, name, token_sha256, scopes) values (%(user_id)s, %(name)s, %(sha256)s, %(scopes)s)
on conflict (token_sha256) do nothing

-- revoke_tokens: a user's tokens, one by its name or all; those already revoked are left alone
update api_tokens set revoked_at = now()
 where user_id = %(user_id)s and revoked_at is null and (%(name)s::text is null or name = %(name)s)
returning id

-- authenticate: whose token this is, if it is good
select user_id, email, scopes from authenticate(%(sha256)s)

-- library: how much a user has
select (select library_id from users where id = app_user()) as library_id,
       (select count(*) from images where deleted_at is null) as photos,
       (select count(*) from albums) as albums

-- holdings: what a user has, also in the bin
select count(*) as photos, coalesce(sum(file_size_bytes), 0)::bigint as size_bytes from images where user_id = %(id)s

-- lock: waits until nobody adds rows of this user, and holds off whoever would
select id from users where id = %(id)s for update

-- leave: nothing new begins
update users set leaving_since = coalesce(leaving_since, now()), updated_at = now() where id = %(id)s

-- cancel_all: a user's jobs; whoever works on one loses it
update processing_jobs
   set status = 'failed', lease_until = null, completed_at = now(), fence = fence + 1,
       error_code = 'cancelled', error_message = 'The user is being removed.'
 where user_id = %(id)s and status in ('pending', 'processing')

-- arriving: for how many seconds something of this user may still be stored
select coalesce(extract(epoch from greatest(
         (select max(issued_at) + %(uploading_for)s from uploads where user_id = %(id)s),
         (select max(completed_at) + %(working_for)s from processing_jobs
           where user_id = %(id)s and error_code = 'cancelled' and started_at is not null)
       ) - now())::float8, 0) as seconds

-- remove: a user who is leaving, with all their rows, once nothing can arrive any more
delete from users
 where id = %(id)s and leaving_since is not null
   and not exists (select from processing_jobs where user_id = %(id)s and status in ('pending', 'processing'))

-- uploads_in_parts: those that may have parts in the store
select storage_key, region, parts ->> 'upload_id' as upload_id from uploads where user_id = %(id)s and parts is not null
