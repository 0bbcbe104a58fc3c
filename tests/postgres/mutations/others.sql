-- Everything else: a change, what undoes it, and the lines by which people see it. {owner} and {database} are put in by the test.
-- What was hashed because it may be a secret stands as SHA-256 and three dots.

COMMENT ON TYPE pair IS 'two';
COMMENT ON TYPE pair IS NULL;
-- type public.pair: comment added: two

CREATE OR REPLACE FUNCTION double(n int) RETURNS int LANGUAGE sql AS 'SELECT n + n';
CREATE OR REPLACE FUNCTION double(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
-- function public.double(n integer): definition changed

ALTER FUNCTION double SECURITY DEFINER;
ALTER FUNCTION double SECURITY INVOKER;
-- function public.double(n integer): definition changed

REVOKE EXECUTE ON FUNCTION double FROM PUBLIC;
GRANT EXECUTE ON FUNCTION double TO PUBLIC;
-- function public.double(n integer): grant to PUBLIC removed: EXECUTE

CREATE FUNCTION double(n bigint) RETURNS bigint LANGUAGE sql AS 'SELECT n * 2';
DROP FUNCTION double(bigint);
-- function public.double(n bigint) added

ALTER FUNCTION touch DEPENDS ON EXTENSION citext;
ALTER FUNCTION touch NO DEPENDS ON EXTENSION citext;
-- function public.touch(): depends on extension added: citext

CREATE OR REPLACE PROCEDURE work() LANGUAGE sql AS 'SELECT 2';
CREATE OR REPLACE PROCEDURE work() LANGUAGE sql AS 'SELECT 1';
-- procedure public.work(): definition changed

CREATE OR REPLACE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '5');
CREATE OR REPLACE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
-- aggregate public.total(integer): aggregate, initial: 0 -> 5

ALTER TYPE mood RENAME VALUE 'bad' TO 'so-so';
ALTER TYPE mood RENAME VALUE 'so-so' TO 'bad';
-- type public.mood: labels: good, bad -> good, so-so

ALTER TYPE mood ADD VALUE 'worst';
DROP TYPE mood; CREATE TYPE mood AS ENUM ('good', 'bad');
-- type public.mood: labels: good, bad -> good, bad, worst

ALTER TYPE pair ADD ATTRIBUTE c int;
ALTER TYPE pair DROP ATTRIBUTE c;
-- type public.pair: column c added: type: integer

ALTER DOMAIN amount ADD CONSTRAINT small CHECK (VALUE < 9);
ALTER DOMAIN amount DROP CONSTRAINT small;
-- type public.amount: constraint small added: definition: CHECK ((VALUE < 9))

ALTER DOMAIN amount SET DEFAULT 3;
ALTER DOMAIN amount DROP DEFAULT;
-- type public.amount: default added: 3

REVOKE USAGE ON TYPE amount FROM PUBLIC;
GRANT USAGE ON TYPE amount TO PUBLIC;
-- type public.amount: grant to PUBLIC removed: USAGE

CREATE TYPE span AS RANGE (subtype = int);
DROP TYPE span;
-- type public.span added

CREATE TYPE opaque;
DROP TYPE opaque;
-- type public.opaque added

ALTER SEQUENCE numbers INCREMENT 5;
ALTER SEQUENCE numbers INCREMENT 1;
-- sequence public.numbers: increment: 1 -> 5

ALTER SEQUENCE numbers OWNED BY users.id;
ALTER SEQUENCE numbers OWNED BY NONE;
-- sequence public.numbers: owned by added: public.users.id

GRANT USAGE ON SEQUENCE numbers TO PUBLIC;
REVOKE USAGE ON SEQUENCE numbers FROM PUBLIC;
-- sequence public.numbers: grant to PUBLIC added: USAGE

CREATE SCHEMA extra;
DROP SCHEMA extra;
-- schema extra added

GRANT USAGE ON SCHEMA app TO PUBLIC;
REVOKE USAGE ON SCHEMA app FROM PUBLIC;
-- schema app: grant to PUBLIC added: USAGE

ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC;
-- default privileges of {owner} on tables added

ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT EXECUTE ON FUNCTIONS TO pg_monitor;
ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE EXECUTE ON FUNCTIONS FROM pg_monitor;
-- default privileges of {owner} in schema app on functions added

ALTER PUBLICATION news ADD TABLE ledger;
ALTER PUBLICATION news DROP TABLE ledger;
-- publication news: table public.ledger added: published: yes

ALTER PUBLICATION news SET (publish = 'insert');
ALTER PUBLICATION news SET (publish = 'insert, update, delete, truncate');
-- publication news: publishes, pubdelete: yes -> no
-- publication news: publishes, pubtruncate: yes -> no
-- publication news: publishes, pubupdate: yes -> no

ALTER EVENT TRIGGER watch DISABLE;
ALTER EVENT TRIGGER watch ENABLE;
-- event trigger watch: fires added: disabled

ALTER SERVER away OPTIONS (SET host 'two');
ALTER SERVER away OPTIONS (SET host 'one');
-- server away: option host: one -> two

ALTER SERVER away OPTIONS (SET api_key 'hidden-two');
ALTER SERVER away OPTIONS (SET api_key 'hidden-one');
-- server away: option api_key: SHA-256 ... -> SHA-256 ...

CREATE USER MAPPING FOR PUBLIC SERVER away;
DROP USER MAPPING FOR PUBLIC SERVER away;
-- user mapping public at away added

ALTER FOREIGN TABLE remote ADD more int;
ALTER FOREIGN TABLE remote DROP more;
-- foreign table public.remote: column more added: type: integer

ALTER TEXT SEARCH CONFIGURATION plain ALTER MAPPING FOR word WITH english_stem;
ALTER TEXT SEARCH CONFIGURATION plain ALTER MAPPING FOR word WITH simple;
-- text search configuration public.plain: mapping word: simple -> english_stem

ALTER COLLATION exact RENAME TO exactly;
ALTER COLLATION exactly RENAME TO exact;
-- collation public.exact removed
-- collation public.exactly added

CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
DROP OPERATOR === (int, int);
-- operator public.===(integer, integer) added

CREATE CAST (mood AS int) WITH INOUT;
DROP CAST (mood AS int);
-- cast (public.mood as integer) added

CREATE EXTENSION pg_trgm;
DROP EXTENSION pg_trgm;
-- extension pg_trgm added

COMMENT ON EXTENSION citext IS 'other';
COMMENT ON EXTENSION citext IS 'data type for case-insensitive character strings';
-- extension citext: comment: data type for case-insensitive character strings -> other

REVOKE EXECUTE ON FUNCTION citext_eq(citext, citext) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION citext_eq(citext, citext) TO PUBLIC;
-- grants on function public.citext_eq(public.citext,public.citext) added

GRANT EXECUTE ON FUNCTION pg_control_system() TO pg_monitor;
REVOKE EXECUTE ON FUNCTION pg_control_system() FROM pg_monitor;
-- grants on function pg_control_system() added

ALTER DATABASE {database} SET work_mem = '8MB';
ALTER DATABASE {database} RESET work_mem;
-- database itself: setting of everybody added: work_mem: 8MB

ALTER DATABASE {database} SET app.secret = 'hidden';
ALTER DATABASE {database} RESET app.secret;
-- database itself: setting of everybody added: app.secret: SHA-256 ...

ALTER ROLE package_migrator IN DATABASE {database} SET search_path = app;
ALTER ROLE package_migrator IN DATABASE {database} RESET search_path;
-- database itself: setting of package_migrator added: search_path: app

COMMENT ON DATABASE {database} IS 'of the shop';
COMMENT ON DATABASE {database} IS NULL;
-- database itself: comment added: of the shop

GRANT CREATE ON DATABASE {database} TO PUBLIC;
REVOKE CREATE ON DATABASE {database} FROM PUBLIC;
-- database itself: grant to PUBLIC: CONNECT, TEMPORARY -> CONNECT, CREATE, TEMPORARY

CREATE TABLE "odd.name" (id int);
DROP TABLE "odd.name";
-- table public."odd.name" added
