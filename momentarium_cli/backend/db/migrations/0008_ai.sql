-- What models were asked about a user's events: their answers, so that none is paid for twice, and what it cost.

create table ai_answers (
  user_id bigint not null references users on delete cascade,
  question_sha256 text not null check (question_sha256 ~ '^[0-9a-f]{64}$'),
  decision jsonb not null,
  created_at timestamptz not null default now(),
  primary key (user_id, question_sha256)
);

create table ai_requests (
  id bigint generated always as identity primary key,
  user_id bigint not null references users on delete cascade,
  model text not null,
  expected_cost double precision not null,  -- dollars, as is cost; without one the request may still be under way
  cost double precision,
  input_tokens bigint,
  output_tokens bigint,
  asked_at timestamptz not null default now()
);
create index on ai_requests (user_id);
create index on ai_requests (asked_at);

do $$
declare item text;
begin
  foreach item in array array['ai_answers', 'ai_requests'] loop
    execute format('alter table %I enable row level security', item);
    execute format('alter table %I force row level security', item);
    execute format('create policy owner on %I to %I using (true) with check (true)', item, current_user);
    execute format('create policy own_rows on %I to momentarium_app using (user_id = app_user()) with check (user_id = app_user())', item);
  end loop;
end $$;
grant select, insert on ai_answers to momentarium_app;
grant select, update (cost, input_tokens, output_tokens) on ai_requests to momentarium_app;

-- Notes a request of the transaction's user before it is made; nothing if all users' requests of this month, in UTC,
-- would then cost more than the limit. One at a time, or two that fit alone would exceed it together.
create function reserve_ai_request(p_model text, p_cost double precision, p_limit double precision) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_spent double precision;
  v_id bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('ai_requests', 0));
  select coalesce(sum(coalesce(cost, expected_cost)), 0) into v_spent
    from ai_requests where asked_at >= date_trunc('month', now(), 'UTC');
  if v_spent + p_cost > p_limit then
    return null;
  end if;
  insert into ai_requests (user_id, model, expected_cost) values (app_user(), p_model, p_cost) returning id into v_id;
  return v_id;
end $$;
revoke execute on function reserve_ai_request(text, double precision, double precision) from public;
grant execute on function reserve_ai_request(text, double precision, double precision) to momentarium_app;
