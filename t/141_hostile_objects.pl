# Whatever a database has among its objects, our statements mean what they say: implicit casts between all types, operators,
# functions, types and relations with the names of the server's own, in a schema that stands before pg_catalog in the
# search_path of the database, on both sides. Each of them raises an error, or has nothing in it, where it is taken for the
# server's. All programs, through check, copy, every kind of statement of the applier, cutover with verify, and rollback.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use JSON::PP qw(decode_json);

my $source = start_source('source', conf => "log_statement = none\n");
my $target = start_target('target', conf => "log_statement = none\n");
foreach my $server ($source, $target) {
    app_database('app', $server);
    $server->sql('postgres', 'CREATE ROLE mover SUPERUSER LOGIN; ALTER DATABASE app SET search_path = hostile, public, pg_catalog');
    $server->sql('postgres', 'ALTER ROLE ' . getpwuid($<) . ' IN DATABASE app SET search_path = pg_catalog, public');
}

$source->sql('app', <<'SQL');
SET search_path = public;
CREATE TABLE keyed (id int PRIMARY KEY, v varchar(20), n bigint, k smallint, d timestamptz, x name, o oid, s int[]);
INSERT INTO keyed SELECT g, g, g, g, now(), g, g, ARRAY[g] FROM generate_series(1, 100) g;
CREATE TABLE parted (id bigint PRIMARY KEY, filler text); INSERT INTO parted SELECT g, repeat('p', 300) FROM generate_series(1, 8000) g; ANALYZE parted;
CREATE TABLE two_keys (a text, b int, v int, PRIMARY KEY (a, b), UNIQUE (v)); INSERT INTO two_keys SELECT g, g, g FROM generate_series(1, 50) g;
CREATE TABLE nokey (a int, b text, c float8, d name); INSERT INTO nokey SELECT g, g, g, g FROM generate_series(1, 10) g;
ALTER TABLE nokey REPLICA IDENTITY FULL;
CREATE TABLE identity_always (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n bigint GENERATED ALWAYS AS IDENTITY, v text);
INSERT INTO identity_always (v) SELECT g FROM generate_series(1, 5) g;
CREATE TABLE root (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE leaf1 PARTITION OF root FOR VALUES FROM (0) TO (100); CREATE TABLE leaf2 PARTITION OF root FOR VALUES FROM (100) TO (200);
INSERT INTO root SELECT g, g FROM generate_series(50, 150) g;
CREATE TABLE emptied (id int PRIMARY KEY, "odd \ 'column'" text); INSERT INTO emptied VALUES (1, 'x');
CREATE TABLE "odd \ 'table'" (id int PRIMARY KEY, v int); INSERT INTO "odd \ 'table'" VALUES (1, 1);
CREATE TYPE mood AS ENUM ('low', 'high'); CREATE TABLE moods (m mood PRIMARY KEY, ms mood[]); INSERT INTO moods VALUES ('low', '{low}');
CREATE SEQUENCE lonely; SELECT nextval('lonely'); CREATE MATERIALIZED VIEW summed AS SELECT count(*) FROM keyed; CREATE INDEX ON keyed ((v || '-' || 'x'));
CREATE TYPE pair AS (a text, b int); CREATE TABLE pairs (id int PRIMARY KEY, p pair, r regclass); CREATE TABLE pairs_full (p pair, n int); ALTER TABLE pairs_full REPLICA IDENTITY FULL;
INSERT INTO pairs SELECT g, ROW(g, g)::pair, CASE WHEN g % 2 = 0 THEN 0 ELSE 'public.keyed'::regclass END FROM generate_series(1, 20) g; INSERT INTO pairs_full SELECT p, 1 FROM pairs;
CREATE VIEW seen AS SELECT * FROM keyed; CREATE TABLE referring (id int PRIMARY KEY REFERENCES keyed); INSERT INTO referring VALUES (1);
SQL

# Casts wherever the server has none, and for whatever the server has, the same in schema hostile.
my $hostile = <<'SQL';
CREATE SCHEMA hostile; SET check_function_bodies = off;
CREATE FUNCTION hostile.pair_of(text) RETURNS public.pair LANGUAGE sql AS $$ SELECT '(wrong,-1)'::public.pair $$; CREATE CAST (text AS public.pair) WITH FUNCTION hostile.pair_of(text) AS IMPLICIT;
CREATE FUNCTION hostile.text_of(public.pair) RETURNS text LANGUAGE sql AS $$ SELECT NULL::pg_catalog.text $$; CREATE CAST (public.pair AS text) WITH FUNCTION hostile.text_of(public.pair) AS IMPLICIT;
CREATE FUNCTION hostile.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile format'; END $$;
CREATE FUNCTION hostile.concat(VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hostile concat'; END $$;
DO $do$
DECLARE
    a regtype; b regtype; o record; f record; t record; number int := 0;
    kinds regtype[] := ARRAY['int2', 'int4', 'int8', 'text', 'varchar', 'bpchar', 'name', 'oid', 'bool', 'timestamptz', 'timestamp',
        'interval', 'numeric', 'float8', 'pg_lsn', '"char"', 'regclass', 'regtype', 'json', 'jsonb', 'xid', 'tid', 'bytea', 'uuid'];
BEGIN
    FOREACH a IN ARRAY kinds LOOP
        FOREACH b IN ARRAY kinds LOOP
            IF a <> b AND NOT EXISTS (SELECT FROM pg_cast WHERE castsource = a AND casttarget = b) THEN
                EXECUTE format('CREATE CAST (%s AS %s) WITH INOUT AS IMPLICIT', a, b);
            END IF;
        END LOOP;
    END LOOP;
    FOR o IN SELECT oprname, oprleft::regtype AS l, oprright::regtype AS r, oprresult::regtype AS result FROM pg_operator
        WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b' LOOP
        number := number + 1;
        CONTINUE WHEN concat_ws(' ', o.l, o.r, o.result) ~ 'abstime|reltime|tinterval|smgr';
        CONTINUE WHEN ARRAY[o.l, o.r, o.result]::oid[] && ARRAY(SELECT oid FROM pg_type WHERE typtype = 'p' AND typname NOT LIKE 'any%');
        EXECUTE format('CREATE FUNCTION hostile.operator%s (a %s, b %s) RETURNS %s LANGUAGE plpgsql AS %L', number, o.l, o.r, o.result,
            'BEGIN RAISE EXCEPTION ''hostile operator''; END');
        EXECUTE format('CREATE OPERATOR hostile.%s (leftarg = %s, rightarg = %s, procedure = hostile.operator%s)', o.oprname, o.l, o.r, number);
    END LOOP;
    FOR f IN SELECT DISTINCT proname, replace(array_to_string(proargtypes::regtype[], ', '), '"any"', 'text') AS arguments, proretset,
            CASE prorettype WHEN 'record'::regtype THEN 'text' WHEN 'trigger'::regtype THEN 'text' ELSE prorettype::regtype::text END AS result
        FROM pg_proc p WHERE pronamespace = 'pg_catalog'::regnamespace
          AND NOT proargtypes::oid[] || prorettype && ARRAY(SELECT oid FROM pg_type WHERE typtype = 'p' AND typname NOT LIKE 'any%'
            AND typname NOT IN ('record', 'void'))
          AND NOT ARRAY['record', 'void']::regtype[]::oid[] && proargtypes::oid[]
          AND array_to_string((proargtypes::oid[] || prorettype)::regtype[], ' ') !~ 'abstime|reltime|tinterval|smgr'
          AND NOT EXISTS (SELECT FROM pg_operator WHERE oprcode = p.oid) AND (prorettype::regtype::text NOT LIKE 'any%' OR
            proargtypes::oid[] && ARRAY['anyelement', 'anyarray', 'anyenum', 'anyrange', 'anynonarray']::regtype[]::oid[]) LOOP
        EXECUTE format('CREATE FUNCTION hostile.%I (%s) RETURNS %s %s LANGUAGE plpgsql AS %L', f.proname, f.arguments,
            CASE WHEN f.proretset THEN 'SETOF' ELSE '' END, f.result, 'BEGIN RAISE EXCEPTION ''hostile function''; END');
    END LOOP;
    FOR t IN SELECT oid::regtype AS type, typname FROM pg_type WHERE oid = ANY (kinds) AND typname NOT IN ('int2', 'int4') LOOP
        EXECUTE format('CREATE TYPE hostile.%I AS ENUM (''hostile type'')', t.typname);
    END LOOP;
    FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v') LOOP
        EXECUTE format('CREATE VIEW hostile.%I AS SELECT 1 AS hostile', t.relname);
    END LOOP;
END $do$;
SQL
$source->sql('app', $hostile);
cmp_ok($source->sql('app', q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'hostile'::regnamespace}), '>', 2000, 'thousands of functions');

# What a session of the migration sees without a defence: this is what its statements would meet.
sub as_mover
{
    my ($server, $sql) = @_;
    return $server->psql('app', $sql, connstr => $server->uri('app', user => 'mover'), on_error_die => 0);
}
isnt(as_mover($source, $_), 0, "hostile: $_")
  foreach ('SELECT 1 = 1', 'SELECT now()', q{SELECT 'x'::text}, 'SELECT oid FROM pg_class', q{SELECT 'a' || 1::smallint});

my $proxy = start_pgbouncer('pgbouncer', app => $source);
my $migration = migration($source, $target, database => 'app', user => 'mover');
my @cutover = $migration->cutover_words($proxy);

my $checks = decode_json($migration->run('check', '--json')->{stdout});
is_deeply([ map { "$_->{id}: $_->{findings}[0]{detail}" } grep { $_->{status} eq 'error' } @$checks ], [], 'every check can be made');
$migration->ok('copy', '--part-size', 1);
cmp_ok($target->sql('app', q{SELECT count(*) FROM penstock.job WHERE kind = 'part'}), '>', 1, 'one table in parts');
same_rows($source, $target, 'app', 'copied');
$migration->follow('--on-conflict', 'public.moods=skip');
$target->sql('app', q{INSERT INTO moods VALUES ('high', '{high}')});
$source->sql('app', $_) foreach split /\n/, <<'SQL';
INSERT INTO keyed SELECT g, g, g, 1, now(), g, g, NULL FROM generate_series(1000, 3000) g; UPDATE keyed SET n = n + 1, v = v || 'y' WHERE id < 50; DELETE FROM keyed WHERE id BETWEEN 60 AND 70;
UPDATE keyed SET id = id + 5000 WHERE id BETWEEN 80 AND 90; UPDATE keyed SET id = id + 1 WHERE id < 20 AND id > 10 AND false; INSERT INTO referring VALUES (5080);
INSERT INTO two_keys VALUES ('x', 1, 100); UPDATE two_keys SET v = v + 1000; DELETE FROM two_keys WHERE b = 7; UPDATE two_keys SET a = a || 'z' WHERE b = 8;
UPDATE nokey SET b = 'z' WHERE a = 3; DELETE FROM nokey WHERE a = 4; INSERT INTO nokey VALUES (4, NULL, 0.1, NULL); DELETE FROM nokey WHERE b IS NULL;
INSERT INTO identity_always (v) VALUES ('new'); UPDATE identity_always SET v = 'changed' WHERE id = 2; UPDATE identity_always SET n = DEFAULT WHERE id = 3; DELETE FROM identity_always WHERE id = 4;
UPDATE root SET v = v || 'x' WHERE id < 60; UPDATE root SET id = id + 40 WHERE id BETWEEN 90 AND 95 AND false; DELETE FROM root WHERE id = 120;
TRUNCATE emptied; INSERT INTO emptied VALUES (2, 'y'); TRUNCATE "odd \ 'table'"; INSERT INTO "odd \ 'table'" VALUES (2, 2);
TRUNCATE root; INSERT INTO root VALUES (60, 'z'), (160, 'z');
INSERT INTO pairs SELECT g, ROW(g, NULL)::pair, 0 FROM generate_series(100, 400) g; UPDATE pairs SET p = ROW(id, 7)::pair WHERE id < 10; UPDATE pairs SET r = 0 WHERE id = 11; INSERT INTO pairs VALUES (1000, ROW(NULL, NULL)::pair, 'public.moods');
UPDATE pairs_full SET n = 2 WHERE (p).b = 7; DELETE FROM pairs_full WHERE (p).b IN (3, 5); DELETE FROM pairs_full WHERE (p).b = 9; INSERT INTO pairs_full SELECT p, 3 FROM pairs WHERE id > 100; UPDATE pairs_full SET p = ROW('x', 1)::pair WHERE (p).a = '200';
INSERT INTO moods VALUES ('high', NULL); UPDATE moods SET ms = '{high,low}' WHERE m = 'low';
SQL
$migration->wait_until_caught_up;
is($target->sql('app', 'SELECT count(*) FROM penstock.conflict'), '1', 'a conflict is recorded');
$source->sql('app', q{DELETE FROM moods WHERE m = 'high'});
$migration->wait_until_caught_up;
same_rows($source, $target, 'app', 'followed');
like($migration->ok('status')->{stdout}, qr/cutover/, 'status says what comes next');

my $result = $migration->ok(@cutover, '--yes', '--verify');
like($result->{stdout}, qr/\d+ tables, \d+ rows: 0 different/, 'the switch point is equal on both sides');
same_sequences($source, $target, 'app', 'switched');
$target->sql('app', q{INSERT INTO keyed (id) VALUES (9999)});
wait_until('the way back to carry what was written', sub { $source->sql('app', 'SELECT count(*) FROM keyed WHERE id = 9999') eq '1' });
$migration->ok('status');
$migration->ok($migration->rollback_words($proxy), '--yes');
same_rows($source, $target, 'app', 'rolled back');
$migration->ok('finish', '--abandon', '--yes');
done_testing();
