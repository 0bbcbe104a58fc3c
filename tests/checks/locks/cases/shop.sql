-- Cases beyond those of measured.json. Blocks are separated by an empty line; a comment begins each. Directives:
--   fixture         the block is what all cases meet
--   since N         it needs PostgreSQL N
--   until N         it means something else from N + 1 on
--   alone           it does not run in a transaction
--   open            what it does is not all known from the statement: the prediction may lack locks, and says so

-- fixture
create schema app; create schema other;
create table customers (id bigint generated always as identity primary key, email varchar(100) not null unique,
  name text, country char(2) default 'DE', created timestamptz not null default now(), active boolean default true,
  score int check (score >= 0), parent_id bigint references customers(id));
create table products (id serial primary key, sku text not null, price numeric(10,2), tags text[], data jsonb default '{}');
create unique index products_sku on products (lower(sku));
create index products_cheap on products (price) where price < 10;
create table orders (id bigserial primary key, customer_id bigint not null references customers(id) on delete cascade,
  state varchar(20) not null default 'new' check (state in ('new', 'paid')), total numeric(12,2) default 0,
  placed timestamp, note text);
create index orders_customer on orders (customer_id);
create index orders_placed on orders (placed);
create table lines (id bigserial primary key, order_id bigint references orders(id) on delete cascade on update cascade,
  product_id int references products(id), quantity int not null, price numeric(10,2), total numeric generated always as (quantity * price) stored);
create table app.bills (id int primary key, c int);
create table audit (id int, what text, at timestamptz);
create table settings (key text primary key, value text);
create view active_customers as select id, email from customers where active;
create view names as select email from active_customers;
create view order_totals as select o.id, o.total, c.email from orders o join customers c on c.id = o.customer_id;
create materialized view sales as select customer_id, sum(total) as total from orders group by 1;
create unique index sales_customer on sales (customer_id);
create materialized view named as select email from names;

-- fixture
create table events (id bigint, at date not null, kind text, customer_id bigint references customers(id), primary key (id, at)) partition by range (at);
create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01') partition by range (at);
create table events_2024_a partition of events_2024 for values from ('2024-01-01') to ('2024-07-01');
create table events_2024_b partition of events_2024 for values from ('2024-07-01') to ('2024-12-01');
create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
create index events_kind on events (kind);
create table metrics (id int, at date, v int) partition by range (at);
create table metrics_1 partition of metrics for values from ('2024-01-01') to ('2025-01-01');
create table metrics_rest partition of metrics default;
create table loose (id int, at date, v int);
create table loose_checked (id int, at date, v int, check (at is not null and at >= '2025-01-01' and at < '2026-01-01'));
create table loose_events (id bigint not null, at date not null, kind text, customer_id bigint);
create table accounts (id int primary key, n text) partition by hash (id);
create table accounts_0 partition of accounts for values with (modulus 2, remainder 0);
create table accounts_1 partition of accounts for values with (modulus 2, remainder 1);
create table payments (id int primary key, account_id int references accounts(id), amount int);
create table base (id int, a int); create table derived (b int) inherits (base); create table derived2 (c int) inherits (derived);
alter table base add constraint base_a check (a > 0);
create table tree (id int primary key, up int references tree(id));
create table odd (id int, "Mixed Case" text, val int, d date, t time, r real);
create unlogged table cache (id int primary key, v text);

-- fixture
create type mood as enum ('sad', 'ok'); create domain positive as int check (value > 0); create domain plain as text;
create domain short as varchar(10);
create type pair as (x int, y int);
create table people (id int primary key, m mood, p positive, s plain, w short, q pair, l mood[]);
create sequence counter; create sequence spare;
create table counted (id int default nextval('counter'), v int);
create function note() returns trigger language plpgsql as $$ begin return new; end $$;
create function one() returns int language sql immutable as 'select 1';
create function two() returns int language sql volatile as 'select (random() * 2)::int';
create function three() returns int language plpgsql stable as $$ begin return 3; end $$;
create function four() returns int language plpgsql as $$ begin return 4; end $$;
create trigger audit_note before insert or update on audit for each row execute function note();
create trigger events_note before insert on events for each row execute function note();
create rule settings_log as on insert to settings do also insert into audit values (1, 'x', now());
create policy own on customers using (active);
create statistics orders_stats on customer_id, state from orders;
create publication shared for table settings;
create table defaulted (id int default one(), v int);
create table other.far (id int primary key, order_id bigint references orders(id));
create view other.far_view as select * from audit;
insert into customers (email, name) values ('a@b', 'A'), ('c@d', 'C');
insert into products (sku, price) values ('a', 1), ('b', 2);
insert into orders (customer_id, total) values (1, 1), (2, 2);
insert into lines (order_id, product_id, quantity, price) values (1, 1, 1, 1);
insert into events values (1, '2024-02-01', 'a', 1), (2, '2025-02-01', 'x', 1);
insert into metrics values (1, '2024-02-01', 1), (2, '2030-02-01', 1);
insert into loose values (1, '2025-02-01', 1); insert into people (id, m, p) values (1, 'ok', 1);
insert into accounts values (1, 'x'), (2, 'y'); insert into payments values (1, 1, 1); insert into tree values (1, null), (2, 1);
insert into base values (1, 1); insert into derived values (1, 1, 1); insert into odd values (1, 'x', 1); insert into cache values (1, 'x');
insert into settings values ('a', 'b'); insert into audit values (1, 'x', now()); insert into app.bills values (1, 1);
insert into counted (v) values (1); insert into defaulted (v) values (1);

-- ALTER TABLE with several commands: the strictest lock, all the work
alter table orders add column z int, alter column note set not null, drop column placed

-- several commands, one of them a rewrite
alter table orders add column z int check (z > 0), alter column note type varchar(10)

alter table orders alter column note set statistics 100, validate constraint orders_state_check

alter table orders add column z int default 5, add constraint zc check (z > 1)

alter table orders add column customer2 bigint references customers(id), add column y int default 0

alter table orders add column customer2 bigint references customers(id), add column y int

alter table orders add column customer2 bigint, add constraint zf foreign key (customer2) references customers(id)

alter table orders add column z bigint, add unique (z)

alter table orders drop constraint orders_customer_id_fkey, add constraint again foreign key (customer_id) references customers(id) not valid

alter table orders add constraint zf foreign key (customer_id) references customers(id) on delete set null, add constraint zg foreign key (id) references lines(id)

alter table orders set (fillfactor = 80), alter column note set storage external

alter table orders disable trigger all, set (autovacuum_enabled = off)

alter table orders alter column state drop default, alter column state type text

alter table orders alter column total type numeric(14,2), alter column total set default 1

alter table if exists nowhere add column z int

alter table nowhere add column z int

alter table orders add column note text

alter table orders add column if not exists note text

alter table orders drop column nothing

alter table orders drop column if exists nothing

alter table orders alter column nothing set not null

alter table app.bills add column z int

alter table only orders add column z int

-- DROP COLUMN and what hangs on it
alter table orders drop column customer_id

alter table orders drop column customer_id cascade

alter table orders drop column total

alter table orders drop column total cascade

alter table lines drop column order_id

alter table customers drop column id cascade

alter table customers drop column email

alter table customers drop column email cascade

alter table customers drop column active

alter table customers drop column active cascade

-- open
insert into settings values ('x', 'y')

alter table products drop column id

alter table products drop column id cascade

alter table products drop column sku

alter table lines drop column quantity

alter table lines drop column quantity cascade

alter table customers drop column parent_id

alter table events drop column customer_id

alter table events drop column at

alter table counted drop column id

-- ADD COLUMN on trees
alter table events add column z int

alter table events add column z int not null default 5

alter table events add column z uuid default gen_random_uuid()

alter table events add column z int check (z > 0)

alter table events add column z int references products(id)

alter table only events add column z int

alter table base add column z int

alter table base add column z int default random()

alter table only base alter column a set default 3

alter table base alter column a set not null

alter table derived add column z int

alter table derived drop column a

alter table events alter column kind set not null

alter table events alter column kind set default 'x'

alter table events alter column kind type varchar(10)

alter table events alter column kind type varchar

alter table events alter column id type int

alter table events_2025 alter column id type int

alter table events alter column at type timestamp

-- columns with defaults
alter table orders add column z int default one()

alter table orders add column z int default two()

alter table orders add column z int default three()

alter table orders add column z int default four()

alter table orders add column z timestamptz default now() + interval '1 day'

alter table orders add column z text default lower('X') || 'y'

alter table orders add column z text default md5(random()::text)

alter table orders add column z date default current_date

alter table orders add column z text default current_user

alter table orders add column z int default (select 1)

alter table orders add column z positive

alter table orders add column z plain default 'x'

alter table orders add column z mood default 'ok'

alter table orders add column z mood not null default 'ok'

alter table orders add column z bigserial

alter table orders add column z bigint generated always as identity

alter table orders add column z int default nextval('counter')

alter table orders add column z numeric generated always as (total * 2) stored

alter table orders add column z int not null

alter table orders add column z int primary key

alter table audit add column z int primary key default 1

alter table audit add column z serial primary key

alter table orders add column z int default 7 unique

alter table orders add column z int default null references products(id)

alter table tree add column z int references tree(id)

-- since 18
alter table orders add column z int generated always as (customer_id + 1) virtual

-- types: what stays
alter table orders alter column state type varchar(30)

alter table orders alter column state type text

alter table orders alter column state type varchar(10)

alter table customers alter column email type text

alter table customers alter column email type varchar(200)

alter table orders alter column note type varchar

alter table orders alter column total type numeric(14,2)

alter table orders alter column total type numeric

alter table products alter column price type numeric(14,2)

alter table orders alter column placed type timestamptz

alter table orders alter column placed type timestamptz using placed at time zone 'UTC'

alter table orders alter column placed type date

alter table customers alter column country type text

alter table customers alter column country type char(3)

alter table customers alter column score type bigint

alter table customers alter column active type int using active::int

alter table customers alter column active type int

alter table customers alter column name type int

alter table customers alter column name type int using 1

alter table customers alter column name type text collate "C"

alter table customers alter column email type varchar(100) collate "C"

alter table customers alter column id type int

alter table orders alter column customer_id type int

alter table lines alter column order_id type int

alter table lines alter column quantity type bigint

alter table lines alter column price type numeric(12,2)

alter table products alter column id type bigint

alter table products alter column tags type varchar[]

alter table products alter column data type text

alter table products alter column data type text using data::text

alter table products alter column sku type varchar(50)

alter table products alter column sku type varchar

alter table people alter column m type text

alter table people alter column m type text using m::text

alter table people alter column s type text

alter table people alter column s type varchar(5)

alter table people alter column w type varchar(10)

alter table people alter column w type varchar(20)

alter table people alter column w type text

alter table people alter column p type int

alter table people alter column p type bigint

alter table people alter column q type text

alter table people alter column l type text[]

alter table people alter column l type text[] using l::text[]

alter table odd alter column "Mixed Case" type varchar(20)

alter table odd alter column val type mood using null::mood

alter table odd alter column val type positive

alter table odd alter column val type smallint

alter table odd alter column val type numeric

alter table odd alter column val type real

alter table odd alter column val type money

alter table odd alter column val type boolean using val <> 0

alter table odd alter column d type timestamp

alter table odd alter column d type timestamptz

alter table odd alter column d type text

alter table odd alter column t type interval

alter table odd alter column r type float8

alter table odd alter column "Mixed Case" type uuid

alter table odd alter column "Mixed Case" type json

alter table odd alter column val type int using val

alter table odd alter column val type int using odd.val

alter table odd alter column val type int using val + 1

alter table odd alter column "Mixed Case" type varchar using "Mixed Case"::text

alter table odd alter column "Mixed Case" type varchar(5) using left("Mixed Case", 5)

alter table counted alter column id type bigint

alter table settings alter column value type varchar(40)

alter table base alter column a type bigint

alter table derived alter column a type bigint

alter table derived alter column b type bigint

alter table cache alter column v type varchar(10)

alter type pair add attribute z int

alter type pair alter attribute x type bigint

alter type pair drop attribute y

alter type pair rename attribute x to z

-- constraints
alter table orders add constraint z check (total > 0)

alter table orders add constraint z check (total >= 0) not valid

alter table events add constraint z check (id > 0)

alter table base add constraint z check (id > 0)

alter table base add constraint z check (id > 0) no inherit

alter table base drop constraint base_a

alter table base rename constraint base_a to z

alter table events add constraint z unique (id, at)

alter table metrics add primary key (id, at)

alter table events add constraint z foreign key (customer_id) references customers(id)

alter table payments add constraint z foreign key (account_id) references accounts(id)

alter table payments drop constraint payments_account_id_fkey

alter table payments alter constraint payments_account_id_fkey deferrable initially deferred

alter table events drop constraint events_customer_id_fkey

alter table events drop constraint events_pkey

alter table customers drop constraint customers_pkey

alter table customers drop constraint customers_pkey cascade

alter table accounts drop constraint accounts_pkey cascade

alter table orders drop constraint nothing

alter table orders drop constraint if exists nothing

alter table orders drop constraint orders_state_check

alter table tree drop constraint tree_up_fkey

alter table tree add constraint z foreign key (up) references tree(id)

alter table orders add constraint z foreign key (id) references audit(id)

alter table orders add constraint z foreign key (nothing) references customers(id)

alter table audit add constraint z primary key (id)

alter table base add unique (id)

alter table base add primary key (id)

alter table base add constraint z exclude using btree (id with =)

alter table odd drop column val, add column val text

alter table odd drop column val, add column val text not null default ''

alter table orders drop constraint orders_state_check, add constraint orders_state_check check (state <> '')

alter table orders drop constraint orders_pkey cascade, add primary key (id)

alter table orders rename constraint orders_state_check to z

alter table orders rename constraint orders_pkey to z

alter table metrics_1 add constraint z check (v > 0)

alter table odd add exclude using btree (id with =)

alter table audit alter column id set not null, add primary key (id)

alter table audit add constraint z check (id is not null), alter column id set not null

alter table audit add constraint z check (id is not null) not valid; alter table audit validate constraint z; alter table audit alter column id set not null; alter table audit drop constraint z

alter table orders add constraint z foreign key (customer_id) references customers(id) not valid; alter table orders validate constraint z

create unique index z on audit (id); alter table audit add primary key using index z

-- since 18
alter table orders add constraint z not null note not valid; alter table orders validate constraint z

-- since 18
alter table orders alter constraint orders_customer_id_fkey not enforced

-- identities and sequences
alter table customers alter column id set generated by default

alter table customers alter column id restart

alter table customers alter column id set increment by 2

alter table customers alter column id drop identity

alter table audit alter column id add generated always as identity

alter sequence counter restart with 5

alter sequence counter owned by counted.id

alter sequence counter owner to current_user

alter sequence counter rename to z

alter sequence counter set schema app

alter sequence orders_id_seq as int

drop sequence counter

drop sequence counter cascade

drop sequence spare

create sequence z owned by audit.id

create sequence z

select nextval('counter')

select setval('counter', 10)

select currval('counter')

-- indexes
create index z on orders (total) where total > 0

create index if not exists orders_customer on orders (customer_id)

create index orders_customer on orders (customer_id)

create index z on orders (lower(note))

create index z on orders (nothing)

create index z on events (customer_id)

create index z on only events (customer_id)

create index z on only events (customer_id); create index z1 on events_2025 (customer_id); alter index z attach partition z1

create index z on base (a)

create index z on active_customers (id)

create unique index z on sales (total, customer_id)

create index z on events using hash (kind)

create unique index z on events (kind)

drop index orders_customer

drop index if exists nothing

drop index nothing

drop index orders_pkey

drop index orders_customer, orders_placed

drop index events_kind

drop index sales_customer

alter index orders_customer rename to z

alter table orders_customer rename to z

alter index orders_customer set (fillfactor = 70)

alter index products_sku alter column 1 set statistics 100

alter index if exists nothing rename to z

reindex index orders_customer

reindex table orders

reindex table cache

-- alone
reindex table events

-- alone
reindex index events_kind

-- alone
reindex index concurrently events_kind

-- alone
reindex table concurrently events

-- alone
reindex schema app

-- alone
create index concurrently z on orders (total)

-- alone
drop index concurrently orders_customer

-- alone
reindex table concurrently orders

-- alone
create index concurrently z on events (customer_id)

-- alone
vacuum full orders

-- alone
vacuum (analyze) orders

-- alone
alter table events detach partition events_2025 concurrently

-- alone
alter table metrics detach partition metrics_1 concurrently

analyze orders

analyze events

cluster orders using orders_customer

-- tables: made
create table z (id int primary key, o bigint references orders(id), c bigint references customers(id))

create table z (id int, foreign key (id) references products(id))

create table z (id int primary key, up int references z(id))

create table if not exists orders (id int references products(id))

create table orders (id int)

create table z (a int references accounts(id))

create table z (e bigint, a date, foreign key (e, a) references events(id, at))

create table z (like orders including all)

create table z () inherits (base)

create table z partition of events for values from ('2027-01-01') to ('2028-01-01')

create table z partition of metrics for values from ('2027-01-01') to ('2028-01-01')

create table z partition of events_2024 for values from ('2024-12-01') to ('2025-01-01')

create table z as select o.* from orders o join customers c on true

create table z as select * from names

create table z as select * from orders with no data

create materialized view z as select * from order_totals

select * into z from orders

create temp table z (id int)

create temp table z as select * from events

create unlogged table z (id bigint references orders(id))

create table z of pair

-- tables: dropped and emptied
drop table lines

drop table orders

drop table orders cascade

drop table customers

drop table customers cascade

drop table products cascade

drop table events

drop table events_2025

drop table events_2024

drop table metrics_1

drop table metrics_rest

drop table base

drop table base cascade

drop table derived2

drop table tree

drop table accounts

drop table accounts cascade

drop table counted

drop table audit

drop table audit cascade

drop table lines, orders

drop table lines, orders, other.far cascade

drop table if exists nothing

drop table nothing

drop table if exists nothing, cache

truncate lines

truncate orders

truncate orders cascade

truncate orders, lines, other.far

truncate customers cascade

truncate events

truncate only base

truncate base

truncate lines restart identity

truncate accounts cascade

-- renamed and moved
alter table orders rename to z

alter table events rename to z

alter table base rename column a to z

alter table events rename column kind to z

alter table customers rename column email to mail

alter table derived rename column a to z

alter table orders rename column nothing to z

alter table orders set schema app

alter table lines set schema app

alter table cache rename to orders

alter table orders set schema other

alter table events set schema other

alter table orders owner to current_user

alter table orders owner to pg_monitor

alter table customers owner to pg_monitor

alter table events owner to current_user

alter view names rename to z

alter view names rename column email to z

alter view names set schema other

alter view names owner to current_user

alter view names set (security_barrier = true)

alter view names alter column email set default 'x'

alter materialized view sales rename to z

alter materialized view sales set (fillfactor = 80)

alter schema other rename to z

alter type mood rename to z

alter type pair rename to z

alter type mood set schema other

alter type pair set schema other

alter type pair owner to current_user

alter domain positive rename to z

alter function note() rename to z

alter function note() set schema other

-- storage
alter table cache set logged

alter table orders set unlogged

alter table audit set unlogged

alter table app.bills set unlogged

alter table orders set tablespace pg_default

alter table events set tablespace pg_default

-- since 15
alter table orders set access method heap

alter table orders set (toast.autovacuum_enabled = off)

alter table orders set (user_catalog_table = true)

alter table orders replica identity full

alter table orders replica identity using index orders_customer

alter table orders cluster on orders_customer

alter table events alter column kind set statistics 10

alter table events alter column kind set (n_distinct = 5)

alter table events alter column kind set storage external

alter table base inherit audit

alter table derived no inherit base

-- triggers, rules, policies
create trigger z before insert on orders for each row execute function note()

create trigger z before insert on events for each row execute function note()

create trigger z after insert on events for each statement execute function note()

create constraint trigger z after insert on orders from customers for each row execute function note()

create trigger z instead of insert on names for each row execute function note()

drop trigger audit_note on audit

drop trigger events_note on events

drop trigger nothing on audit

drop trigger if exists nothing on audit

alter trigger audit_note on audit rename to z

alter trigger events_note on events rename to z

alter table audit disable trigger audit_note

alter table events disable trigger events_note

alter table events disable trigger user

create rule z as on update to orders do also insert into audit values (1, 'x', now())

create or replace rule settings_log as on insert to settings do also nothing

drop rule settings_log on settings

create policy z on orders using (total > 0)

create policy z on orders using (exists (select 1 from customers c where c.id = customer_id))

alter policy own on customers using (score > 0)

alter policy own on customers rename to z

drop policy own on customers

alter table orders enable row level security

-- partitions
alter table events detach partition events_2025

alter table metrics detach partition metrics_1

alter table metrics detach partition metrics_rest

alter table events attach partition loose_events for values from ('2026-01-01') to ('2027-01-01')

alter table metrics attach partition loose for values from ('2025-01-01') to ('2026-01-01')

alter table metrics attach partition loose_checked for values from ('2025-01-01') to ('2026-01-01')

alter table orders attach partition loose for values from (1) to (2)

alter table accounts detach partition accounts_0

create table z (like metrics); alter table metrics attach partition z for values from ('2040-01-01') to ('2041-01-01')

-- views
create or replace view names as select email from active_customers where id > 0

create or replace view names as select email, id from active_customers

create or replace view names as select name from customers

create view names as select 1

create view z as select * from order_totals

create or replace view z as select * from orders

drop view names

drop view active_customers

drop view active_customers cascade

drop view if exists nothing

drop materialized view sales

drop materialized view named

drop view order_totals

refresh materialized view sales

refresh materialized view concurrently sales

refresh materialized view named

refresh materialized view concurrently named

refresh materialized view named with no data

-- types, functions, schemas
drop type mood

drop type mood cascade

drop domain positive cascade

drop domain positive

drop type pair cascade

alter type mood add value 'great'

alter type mood rename value 'ok' to 'fine'

alter domain positive add constraint z check (value < 1000)

alter domain positive drop constraint positive_check

alter domain plain set default 'x'

alter domain plain set not null

alter domain short add constraint z check (length(value) > 0) not valid

drop function note()

drop function note() cascade

drop function one()

drop function one() cascade

drop function four()

create or replace function four() returns int language plpgsql as $$ begin return 5; end $$

create function z() returns bigint language sql as 'select count(*) from orders'

create function z() returns setof text language sql as 'select email from names'

create function z() returns void language sql as 'delete from audit; insert into settings values (1, 2)'

create function z() returns bigint language sql begin atomic select count(*) from customers; end

create procedure z() language sql as 'update orders set total = 0'

drop schema other

drop schema other cascade

drop schema app cascade

create schema z

create schema z create table zt (id bigint references public.orders(id))

create extension citext

-- comments, grants, others
comment on table orders is 'x'

comment on column orders.total is 'x'

comment on column orders.nothing is 'x'

comment on view names is 'x'

comment on column names.email is 'x'

comment on index orders_customer is 'x'

comment on sequence counter is 'x'

comment on materialized view sales is 'x'

comment on constraint orders_pkey on orders is 'x'

comment on trigger audit_note on audit is 'x'

comment on rule settings_log on settings is 'x'

comment on policy own on customers is 'x'

comment on function note() is 'x'

comment on type mood is 'x'

comment on type pair is 'x'

comment on column pair.x is 'x'

comment on schema app is 'x'

comment on domain positive is 'x'

comment on constraint positive_check on domain positive is 'x'

comment on statistics orders_stats is 'x'

grant select on orders to public

grant select (id) on orders to public

grant select on all tables in schema public to public

grant usage on sequence counter to public

grant usage on all sequences in schema public to public

grant usage on schema public to public

grant execute on function note() to public

revoke all on orders from public

alter default privileges grant select on tables to public

create publication z for table orders

create publication z for table events

create publication z for table base

alter publication shared add table orders

alter publication shared drop table settings

drop publication shared

create publication z for all tables

create statistics z on id, total from orders

-- open
drop statistics orders_stats

lock table orders in share mode

lock table events

lock table only base in exclusive mode

lock table names in row exclusive mode

lock table order_totals

-- data
select * from orders

select * from names

select * from order_totals where id in (select order_id from lines)

select * from order_totals for update

select * from orders o join customers c on c.id = o.customer_id for update of o

select * from orders for share

select * from (select * from orders) x for update

select * from events

select * from base

select * from only base

select * from sales

select * from generate_series(1, 3)

with x as (select * from audit) select * from x

with orders as (select * from audit) select * from orders

with orders as (select * from orders) select * from orders

values (1)

insert into orders (customer_id) values (1)

insert into orders (id, customer_id) values (100, 1)

insert into customers (email) values ('x@y')

insert into cache values (2, 'y') on conflict (id) do update set v = excluded.v

insert into loose select id, at, 1 from loose_checked

insert into payments values (2, null, 1)

insert into tree values (3, 1)

-- open
insert into audit values (1, 'x', now())

update orders set note = 'x'

update orders set customer_id = 1

update orders set id = id + 1000

update products set id = id + 100 where id = 2

update orders o set note = c.name from customers c where c.id = o.customer_id

update names set email = email

update base set a = a

update only base set a = a

delete from lines

delete from customers

delete from products where id = 2

delete from lines using orders o where o.id = order_id

delete from tree

with gone as (delete from lines returning *) insert into loose select id, null, 1 from gone

-- since 15
merge into loose using odd on loose.id = odd.id when matched then delete when not matched then insert values (odd.id, null, 1)

explain select * from order_totals

explain update orders set note = 'x'

prepare z as select * from orders

declare z cursor for select * from orders

copy (select * from customers) to '/dev/null'

copy orders to '/dev/null'

copy loose from '/dev/null'

update active_customers set email = email

-- open
select four()

-- open
do $$ begin delete from lines; end $$

set lock_timeout = '1s'

begin

notify z
