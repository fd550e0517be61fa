do $$
declare item record;
begin
  for item in
    select oid::regclass as name, case relkind when 'r' then 'select, insert, update, delete' else 'usage' end as rights
      from pg_class
     where relnamespace = 'public'::regnamespace and relname like 'procrastinate\_%' and relkind in ('r', 'S')
  loop
    execute format('grant %s on %s to momentarium_app', item.rights, item.name);
  end loop;
end $$
