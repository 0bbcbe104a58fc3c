-- Names: what is there already under the name that a statement makes, and what it names and is not there.
-- The form is that of shop.sql.

-- fixture
create schema app; create schema other; create table t (id int primary key, a int, b text, constraint t_a check (a > 0), constraint t_u unique (a));
create index i on t (b); create view v as select id from t; create materialized view mv as select id from t; create sequence s;
create type e as enum ('a','b'); create domain d as int check (value > 0); create type c as (x int); create type rg as range (subtype = int);
create function f() returns int language sql as 'select 1'; create function g(int) returns int language sql as 'select 1';
create function tf() returns trigger language plpgsql as $$ begin return null; end $$;
create procedure p() language sql as 'select 1';
create trigger tr before insert on t for each row execute function tf(); create policy po on t; create rule ru as on update to t do instead nothing;
create table u (id int references t(id), constraint fk foreign key (id) references t(id)); create table pt (id int) partition by range (id); create table pt1 partition of pt for values from (1) to (2);
create table app.bill (id int); create foreign data wrapper names_fdw; create server sv foreign data wrapper names_fdw; create foreign table ft (id int) server sv;
create table has (x e, y d);
create type lost as enum ('a'); create table keeps (l text default ('a'::lost)::text, check (l::lost = 'a')); create table of_lost (x lost, y lost[]);
create function takes(lost) returns int language sql as 'select 1'; create view calls as select takes(null) as m; create view casts as select 'a'::lost as q;


create table t (id int)

create table i (id int)

create table v (id int)

create table s (id int)

create table e (id int)

create table d (id int)

create table c (id int)

create table t_pkey (id int)

create table if not exists t (id int)

create table if not exists i (id int)

create table if not exists v (id int)

create table e1 as select 1 as a

create table t as select 1 as a

create table if not exists t as select 1 as a

create table e as select 1 as a

select 1 as a into t

select 1 as a into i

create view t as select 1 as a

create view i as select 1 as a

create view v as select 1 as a

create view e as select 1 as a

create or replace view v as select id from t

create or replace view t as select 1

create or replace view i as select 1

create materialized view mv as select 1 as a

create materialized view t as select 1 as a

create materialized view if not exists mv as select 1 as a

create materialized view i as select 1 as a

create sequence s

create sequence t

create sequence i

create sequence if not exists s

create sequence e

create index i on t (a)

create index t on t (a)

create index v on t (a)

create index e on t (a)

create index if not exists i on t (a)

create index if not exists t on t (a)

create index t_pkey on t (a)

create unique index s on u (id)

create type e as enum ('x')

create type t as enum ('x')

create type v as enum ('x')

create type d as enum ('x')

create type c as (x int)

create type t as (x int)

create type i as (x int)

create type i as enum ('x')

create type s as (x int)

create type e as (x int)

create type rg as range (subtype = int)

create type e as range (subtype = int)

create type t as range (subtype = int)

create type e

create type newshell

create domain d as int

create domain e as int

create domain t as int

create domain s as int

create schema app

create schema if not exists app

create schema app create table x (id int)

create function f() returns int language sql as 'select 2'

create or replace function f() returns int language sql as 'select 2'

create function p() returns int language sql as 'select 2'

create function f(int) returns int language sql as 'select 2'

create function g(int) returns int language sql as 'select 2'

create function g(integer, text default 'x') returns int language sql as 'select 2'

create procedure p() language sql as 'select 2'

create trigger tr before insert on t for each row execute function tf()

create or replace trigger tr before insert on t for each row execute function tf()

create trigger tr before insert on u for each row execute function tf()

create policy po on t

create policy po on u

create rule ru as on update to t do instead nothing

create or replace rule ru as on update to t do instead nothing

create foreign table t (id int) server sv

create foreign table ft (id int) server sv

alter table t add column a int

alter table t add column if not exists a int

alter table t add column z int, add column z int

alter table t add column ctid int

create table x (a int, a int)

create table x (xmin int)

alter table t add constraint t_a check (a > 1)

alter table t add constraint t_u unique (b)

alter table t add constraint i unique (b)

alter table u add constraint t_u unique (id)

alter table u add constraint t_a check (id > 0)

alter table u add constraint fk foreign key (id) references t

alter table u add constraint v unique (id)

alter table u add constraint z check (id > 0), add constraint z check (id > 1)

alter table t add primary key (a)

alter table t rename a to b

alter table t rename to u

alter table t rename to i

alter table t rename to v

alter table t rename to e

alter table t rename to c

alter index i rename to t

alter index i rename to t_pkey

alter index i rename to e

alter view v rename to t

alter view v rename to i

alter sequence s rename to t

alter table t rename constraint t_a to t_u

alter table t rename constraint t_u to t_a

alter table t rename constraint t_u to i

alter table t rename constraint t_u to s

alter type e rename to d

alter type e rename to t

alter type e rename to v

alter domain d rename to e

alter type c rename to t

alter type c rename to e

alter type c rename attribute x to y

alter type c add attribute x int

alter type e add value 'a'

alter type e add value if not exists 'a'

alter type e add value 'z' before 'q'

alter type e rename value 'a' to 'b'

alter type e rename value 'q' to 'z'

alter domain d add constraint d_check check (value > 1)

alter domain d drop constraint nope

alter domain d drop constraint if exists nope

alter function f() rename to g

alter function g(int) rename to f

alter trigger tr on t rename to tr2

create trigger tr2 before insert on t for each row execute function nope()

alter schema app rename to other

alter index i rename to if_new

create table x (id int, constraint a check (id > 0), constraint a check (id > 1))

create table x (id int constraint t_u unique)

create table x (id int constraint t unique)

create table x (id int, constraint x unique (id))

create table pt1 partition of pt for values from (5) to (6)

drop table i

drop table v

drop view t

drop view mv

drop index t

drop sequence t

drop type t

drop type v

drop domain e

drop type nope

drop type if exists nope

drop function nope()

drop function f

drop schema nope

drop trigger nope on t

drop policy nope on t

drop rule nope on t

drop extension nope

drop type e

drop type e cascade

drop domain d cascade

drop materialized view v

drop foreign table t

drop foreign table ft

comment on type nope is 'x'

comment on table i is 'x'

comment on column t.zz is 'x'

comment on constraint nope on t is 'x'

comment on function nope() is 'x'

comment on schema nope is 'x'

comment on index nope is 'x'

comment on trigger nope on t is 'x'

alter table v add column z int

alter view t rename to z

alter table i rename to z

alter sequence t restart

alter type nope add value 'x'

alter type t rename to zz

alter table t alter column a type nope

create table x (a nope)

alter table t add column z nope

create table x (a e, b d, c app.nope)

create table x (like nope)

create table x () inherits (nope)

create table x (id int references nope)

create table x (id int references t (b))

create table x (id text references t (id))

alter table u add foreign key (id) references t (b)

create table nope.x (id int)

create view nope.x as select 1

create type nope.x as enum ('a')

create function nope.x() returns int language sql as 'select 1'

create sequence nope.x

create table app.e (id int)

alter table t enable trigger nope

alter table t disable rule nope

grant select on nope to public

grant usage on schema nope to public

grant execute on function nope() to public

revoke select on nope from public

create view z as select * from nope

create index on t (nope)

create index on t ((nope + 1))

create index z on t (a) where nope > 1

create policy z on t using (nope)

create trigger z before insert on nope for each row execute function tf()

create trigger z before update of nope on t for each row execute function tf()

insert into t (nope) values (1)

insert into t values (1,2,'x',4)

update t set nope = 1

delete from t where nope = 1

truncate v

truncate i

truncate nope

select nextval('nope')

select setval('s', 10)

alter table t add constraint z check (nope > 1)

alter table t drop constraint nope

alter table t validate constraint nope

alter table t replica identity using index nope

alter table t replica identity using index i

alter table t cluster on nope

refresh materialized view v

refresh materialized view concurrently mv

reindex index nope

reindex table v

reindex table i

reindex index t

analyze nope

analyze i

cluster t using nope

lock table nope

lock table i

copy nope from stdin

drop type lost

drop type lost cascade

drop function takes(lost) cascade
