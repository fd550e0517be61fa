-- add: a new user; nothing if the address is taken
insert into users (email) values (%(email)s) on conflict (email) do nothing returning id

-- by_email: the user with this address
select id, email, created_at from users where email = %(email)s

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
