-- answers: those that are known
select question_sha256, decision from ai_answers where question_sha256 = any(%(keys)s)

-- keep: an answer; the first one stays
insert into ai_answers (user_id, question_sha256, decision) values (app_user(), %(key)s, %(decision)s)
on conflict do nothing

-- reserve: note a request before it is made; null where it would cost more than this month's limit leaves
select reserve_ai_request(%(model)s, %(cost)s, %(limit)s) as id

-- settle: what a request did cost
update ai_requests set cost = %(cost)s, input_tokens = %(input_tokens)s, output_tokens = %(output_tokens)s
 where id = %(id)s
