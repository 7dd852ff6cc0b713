# What is equal is equal in every type, without a false alarm, whatever the majors and their settings; and what was planted is
# found, down to the last bit, and nothing else with it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use PenstockTest;

my $has_18 = grep { -x "$_/pg_dump" && `$_/pg_dump --version` =~ /\) 18/ } split(/:/, $ENV{PATH}), '/usr/lib/postgresql/18/bin';
my $major = $ENV{PENSTOCK_VERIFY_18} && $has_18 && -e "$ENV{PENSTOCK_SERVERS}/pg18/PACKAGE" ? 18 : 14;
my $source = start_source('source', conf => "max_prepared_transactions = 5\nextra_float_digits = -5\nbytea_output = escape\n");
my $target = start_target('target', major => $major, conf => "intervalstyle = sql_standard\ndatestyle = 'German'\n");
note("from 11 to $major");

$source->sql('postgres', <<'SQL');
CREATE SCHEMA "of Users";
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy ''quoted''');
CREATE DOMAIN weight AS float8 CHECK (VALUE > -1e300);
CREATE DOMAIN "of Users".short AS varchar(10);
CREATE TYPE pair AS (x float8, y float4);
CREATE TYPE nested AS (p pair, m mood, t text, w weight, l pair[]);
CREATE TYPE float_range AS RANGE (subtype = float8);
CREATE TYPE mood_range AS RANGE (subtype = mood);
CREATE TYPE "of Users"."Odd ""name""" AS ("a ""b" text, c point);

CREATE TABLE all_types (
    id int PRIMARY KEY,
    i2 int2, i4 int4, i8 int8, o oid, n numeric, nn numeric(20, 5), f4 float4, f8 float8, m money, b bool,
    c "char", nm name, t text, v varchar(20), bp bpchar, ch char(10), by bytea, bi bit(5), vb bit varying,
    d date, tm time, ttz timetz, ts timestamp, tstz timestamptz, iv interval,
    u uuid, ip inet, ci cidr, ma macaddr, m8 macaddr8, j json, jb jsonb, x xml, tv tsvector, tq tsquery,
    pt point, ln line, ls lseg, bx box, pa path, po polygon, cc circle,
    i4r int4range, i8r int8range, nr numrange, tsr tsrange, tstzr tstzrange, dr daterange,
    xi xid, cd cid, ti tid, lsn pg_lsn, sn txid_snapshot, rc regclass, rt regtype, rp regprocedure, ro regrole, rcf regconfig,
    i2v int2vector, ov oidvector, acl aclitem,
    ai int4[], at text[], af4 float4[], af8 float8[], an numeric[], ab bytea[], ac "char"[], aj json[], ats timestamptz[],
    abp bpchar[], am money[], apt point[], abx box[], anr numrange[],
    e mood, ae mood[], w weight, aw weight[], sh "of Users".short, pr pair, apr pair[], ne nested, ane nested[],
    fr float_range, mr mood_range, odd "of Users"."Odd ""name""", aodd "of Users"."Odd ""name"""[]);

INSERT INTO all_types (id) VALUES (0);
INSERT INTO all_types VALUES (1,
    -32768, -2147483648, -9223372036854775808, 4294967295, 'NaN', -0.00001, '-0', 'NaN', '-92233720368547758.08', true,
    'x', 'name', '', 'v ', 'tail  ', 'ab', '\x00ff', '10101', '1', '-infinity', '24:00', '00:00+15:59', '4713-01-01 00:00 BC',
    '4713-01-01 00:00+00 BC', '-178000000 years -11 mons', md5('a')::uuid, '::1/64', '10/8', '08:00:2b:01:02:03',
    '08:00:2b:01:02:03:04:05', '{"b" : 1,  "a":1.0, "a":2}', '{"b": 1.10, "a": [1e3, null]}', '<a>&lt;</a>', 'a:1A b:2',
    'a & !b:*C', '(-0,NaN)', '{1,0.1,-3}', '[(0.1,0.2),(1e-300,1e300)]', '(1,1),(0,0)', '[(0.1,0),(1,2)]',
    '((0.1,0),(1,2),(3,4))', '<(0.1,0.2),0.3>', 'empty', '[1,)', '[1.0,1.10]', '(,2000-01-01)', '[-infinity,infinity]',
    '[2000-01-01,2000-01-02)', '4294967295', '7', '(0,1)', '16/B374D848', '10:20:10,14,15', 'all_types', 'mood',
    'lower(text)', current_user::regrole, 'english', '1 2 3', '10 20', (current_user || '=r/' || current_user)::aclitem,
    '[-1:1]={1,NULL,3}', '{"NULL",NULL,"",a b}', '{-0,NaN,0.1}', '[2:3]={0.1,-0}', '{1.0,1.00,NaN}', '{"\\x00",""}', '{a,NULL}',
    ARRAY['{ "a":1}'::json], '{-infinity,"2000-01-01 00:00:00.000001+00"}', '{"a  "}', '{1.50}', '{"(0.1,-0)"}',
    '{(1,1),(0,0);(2,2),(0.1,0.1)}', '{"[1.0,2]"}',
    'happy ''quoted''', '{sad,NULL}', 0.1, '{0.1,-0,NULL}', 'short', '(0.1,0.1)', '{"(0.1,)",NULL}',
    '("(0.1,-0)",ok,,0.3,"{""(0.7,1)""}")', '{"(,sad,\"t, (\",0.1,)"}', '[0.1,0.3)', '[sad,ok]', '(,"(0.1,-0)")', '{"(,)"}');
INSERT INTO all_types (id, f4, f8, n, nn, t, j, d, ts, tstz, tm, iv, pr, ne, c, m)
    VALUES (2, 'infinity', '-infinity', 1e100, 1.50000, E'\t\n\\ "', '[]', 'infinity', 'infinity', '294276-12-31 23:59:59.999999+00',
        '00:00', '0', '(,)', '(,,,,)', E'\001', '0.01'),
    (3, 3.4028235e38, 2.2250738585072014e-308, 1.0, 0, 'ä€𐍈', '1.0', '5874897-12-31', '294276-12-31 23:59:59.999999',
        '4713-11-24 00:00+00 BC', '23:59:59.999999', '1 mon -1 day 00:00:00.000001', NULL, NULL, 'y', '-0.01');
INSERT INTO all_types (id, f4, f8) SELECT 10 + i, (random() * 10 ^ (random() * 60 - 30))::float4, random() * 10 ^ (random() * 600 - 300)
    FROM generate_series(1, 200) AS i;

CREATE TABLE f (id int PRIMARY KEY, v float8, p pair, a weight[]);
INSERT INTO f VALUES (1, 0.1, '(0.1,0.1)', '{0.1}'), (2, 0.2, '(0.2,0.2)', '{0.2}'), (3, 0, '(0,0)', '{0}');
CREATE TABLE texts (id int PRIMARY KEY, t text, bp bpchar, n numeric, j json, a int[], e mood);
INSERT INTO texts SELECT i, CASE WHEN i < 8 THEN 'text' END, 'char', 1.0, '{"a": 1}', '{1,2}', 'ok' FROM generate_series(1, 8) AS i;
CREATE TABLE keyless (a int, b text);
INSERT INTO keyless SELECT i % 3, 'b' FROM generate_series(1, 10) AS i;
CREATE TABLE swapped (id int PRIMARY KEY, v text);
INSERT INTO swapped SELECT i, md5(i::text) FROM generate_series(1, 1000) AS i;
CREATE TABLE two_keys (a text, b numeric, v int, PRIMARY KEY (a, b));
INSERT INTO two_keys VALUES ('a', 1.0, 1), ('a, 1', 2.00, 2), ('"', 0, 3);
CREATE TABLE "No Columns" ();
INSERT INTO "No Columns" DEFAULT VALUES;
CREATE ROLE reader;
CREATE TABLE defined (id int PRIMARY KEY, a int, b text DEFAULT 'b', CONSTRAINT few CHECK (a < 10));
CREATE TABLE refers (id int PRIMARY KEY, d int CONSTRAINT to_defined REFERENCES defined);
CREATE INDEX by_a ON defined (a);
CREATE INDEX by_b ON defined (b);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER fires BEFORE UPDATE ON defined FOR EACH ROW EXECUTE PROCEDURE fire();
CREATE FUNCTION plus(n int) RETURNS int LANGUAGE sql AS 'SELECT n + 1';
CREATE VIEW seen AS SELECT id, a FROM defined WHERE a > 1;
CREATE RULE quiet AS ON DELETE TO refers DO INSTEAD NOTHING;
CREATE POLICY own ON defined USING (b = current_user);
CREATE STATISTICS together ON a, b FROM defined;
ALTER TABLE defined ALTER b SET STORAGE EXTERNAL, ALTER a SET STATISTICS 7;
CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER tells ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE PROCEDURE told();
CREATE FUNCTION same_mood(mood, text) RETURNS bool LANGUAGE sql AS 'SELECT $1::text = $2';
CREATE OPERATOR === (LEFTARG = mood, RIGHTARG = text, PROCEDURE = same_mood);
CREATE FUNCTION mood_number(mood) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE CAST (mood AS int) WITH FUNCTION mood_number(mood) AS ASSIGNMENT;
CREATE COLLATION mine FROM "C";
CREATE TEXT SEARCH DICTIONARY words (TEMPLATE = simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION searched (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION searched ALTER MAPPING FOR asciiword WITH words, simple;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere OPTIONS (b '1', a '2');
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader;
COMMENT ON TABLE defined IS 'commented';
GRANT SELECT, INSERT ON defined TO reader;
ALTER DATABASE postgres SET work_mem = '5MB';
CREATE SEQUENCE counter;
SELECT setval('counter', 41);
CREATE SEQUENCE never;
SQL
$source->sql('postgres', q{SELECT lo_from_bytea(50000 + i, decode(repeat(md5(i::text), 1000), 'hex')) FROM generate_series(1, 5) AS i;
    SELECT lo_put(50005, 100000, 'behind a hole'); SELECT lo_create(60000 + i) FROM generate_series(1, 40) AS i;
    GRANT SELECT ON LARGE OBJECT 50003 TO reader; COMMENT ON LARGE OBJECT 50001 IS 'first'; COMMENT ON LARGE OBJECT 50003 IS 'third'});

$target->sql('postgres', 'CREATE ROLE reader');
my $migration = migration($source, $target);
$migration->ok('copy');
my $applier = $migration->follow;
$source->sql('postgres', q{UPDATE all_types SET t = t || 'streamed' WHERE id = 3;
    INSERT INTO all_types SELECT 1000 + id, i2, i4, i8, o, n, nn, f4, f8, m, b, c, nm FROM all_types WHERE id BETWEEN 1 AND 3});

sub verify
{
    my ($status, @options) = @_;
    my $result = $migration->exits($status, 'verify', '--json', @options);
    return $result->{stdout} =~ /^\{/ ? decode_json($result->{stdout}) : {};
}

# Everything that a pass found, as words.
sub found
{
    my ($document) = @_;
    my @rows = map { my $table = $_; (map { "$table->{table} $_->{key} " . ($_->{column} // (defined $_->{source} ? 'missing' : 'extra')) }
        @{$table->{rows}}), ($table->{problem} ? "$table->{table}: $table->{problem}" : ()) } @{$document->{tables}};
    return join("\n", sort(@rows, map { "$_->{kind} $_->{object}" . ($_->{part} ? ", $_->{part}" : '') } @{$document->{objects}}));
}

subtest 'no false alarm' => sub {
    my $document = verify(0);
    is(found($document), '', 'all types, copied and streamed') or diag(encode_json($document));
    # Text of the values differs between the two servers' settings, and between 11 and 14.
    isnt($source->sql('postgres', 'SELECT md5(string_agg(f8::text, chr(10) ORDER BY id)) FROM all_types'),
        $target->sql('postgres', 'SELECT md5(string_agg(f8::text, chr(10) ORDER BY id)) FROM all_types'), 'although texts differ');
};

# What is done on the target, what has to be found, and what puts it back.
my @planted = (
    [ 'the last bit of a float', 'UPDATE f SET v = 0.1::float8 + 1.4e-17 WHERE id = 1', 'f (1) v', 'UPDATE f SET v = 0.1 WHERE id = 1' ],
    [ 'the last bit in a composite', 'UPDATE f SET p.x = 0.2::float8 + 2.8e-17 WHERE id = 2', 'f (2) p', 'UPDATE f SET p.x = 0.2 WHERE id = 2' ],
    [ 'the last bit in an array of a domain', q{UPDATE f SET a = ARRAY[0.1::float8 + 1.4e-17]::weight[] WHERE id = 1}, 'f (1) a',
        q{UPDATE f SET a = '{0.1}' WHERE id = 1} ],
    [ 'minus zero', q{UPDATE f SET v = '-0' WHERE id = 3}, 'f (3) v', 'UPDATE f SET v = 0 WHERE id = 3' ],
    [ 'a trailing space', q{UPDATE texts SET t = 'text ' WHERE id = 1}, 'texts (1) t', q{UPDATE texts SET t = 'text' WHERE id = 1} ],
    [ 'a trailing space of a bpchar', q{UPDATE texts SET bp = 'char ' WHERE id = 2}, 'texts (2) bp', q{UPDATE texts SET bp = 'char' WHERE id = 2} ],
    [ '1.0 against 1.00', q{UPDATE texts SET n = 1.00 WHERE id = 3}, 'texts (3) n', q{UPDATE texts SET n = 1.0 WHERE id = 3} ],
    [ 'NULL against empty', q{UPDATE texts SET t = '' WHERE id = 8}, 'texts (8) t', 'UPDATE texts SET t = NULL WHERE id = 8' ],
    [ 'white space of json', q{UPDATE texts SET j = '{"a":1}' WHERE id = 5}, 'texts (5) j', q{UPDATE texts SET j = '{"a": 1}' WHERE id = 5} ],
    [ 'lower bounds of an array', q{UPDATE texts SET a = '[0:1]={1,2}' WHERE id = 6}, 'texts (6) a', q{UPDATE texts SET a = '{1,2}' WHERE id = 6} ],
    [ 'another label', q{UPDATE texts SET e = 'sad' WHERE id = 7}, 'texts (7) e', q{UPDATE texts SET e = 'ok' WHERE id = 7} ],
    [ 'a row too many without a key', q{INSERT INTO keyless VALUES (1, 'b')}, 'keyless (1,b) extra',
        'DELETE FROM keyless WHERE ctid = (SELECT max(ctid) FROM keyless)' ],
    [ 'two rows swapped', q{UPDATE swapped SET v = md5((11 - id)::text) WHERE id IN (4, 7)}, "swapped (4) v\nswapped (7) v",
        q{UPDATE swapped SET v = md5(id::text) WHERE id IN (4, 7)} ],
    [ 'a row lost and one too many', q{UPDATE two_keys SET b = 2.0 WHERE v = 2}, qq{two_keys ("a, 1",2.0) extra\ntwo_keys ("a, 1",2.00) missing},
        q{UPDATE two_keys SET b = 2.00 WHERE v = 2} ],
    [ 'a row without columns', q{INSERT INTO "No Columns" DEFAULT VALUES}, 'No Columns () extra',
        'DELETE FROM "No Columns" WHERE ctid = (SELECT max(ctid) FROM "No Columns")' ],
    [ 'one byte of a large object', q{SELECT lo_put(50002, 9000, '\x99')}, 'large object 50002',
        q{SELECT lo_put(50002, 9000, substr(decode(repeat(md5('2'), 1000), 'hex'), 9001, 1))} ],
    [ 'a large object that is gone', 'SELECT lo_unlink(60007)', 'large object 60007', 'SELECT lo_create(60007)' ],
    [ 'a lost grant on a large object', 'REVOKE SELECT ON LARGE OBJECT 50003 FROM reader', 'large object 50003, grants',
        'GRANT SELECT ON LARGE OBJECT 50003 TO reader' ],
    [ 'another owner of a large object', 'ALTER LARGE OBJECT 50004 OWNER TO reader', "large object 50004, grants\nlarge object 50004, owner",
        'ALTER LARGE OBJECT 50004 OWNER TO CURRENT_USER' ],
    [ 'another comment on a large object', q{COMMENT ON LARGE OBJECT 50001 IS 'another'}, 'large object 50001, comment',
        q{COMMENT ON LARGE OBJECT 50001 IS 'first'} ],
    [ 'a sequence behind', q{SELECT setval('counter', 40)}, 'sequence public.counter', q{SELECT setval('counter', 41)} ],
    [ 'a sequence ahead', q{SELECT nextval('never')}, 'sequence public.never', q{SELECT setval('never', 1, false)} ],
);

subtest 'what was planted is found' => sub {
    $migration->wait_until_caught_up;
    # Those that are of different tables and rows go together: a comparison of each by itself would say no more.
    $target->sql('postgres', join(";\n", 'SET extra_float_digits = 3', map { $_->[1] } @planted));
    my $document = verify(1);
    my %found = map { $_ => 1 } split /\n/, found($document);
    foreach my $plant (@planted) {
        my @missing = grep { !delete $found{$_} } split /\n/, $plant->[2];
        is("@missing", '', $plant->[0]);
    }
    is(join(', ', sort keys %found), '', 'and nothing else') or diag(encode_json($document));
    $target->sql('postgres', join(";\n", map { $_->[3] } @planted));
    is(found(verify(0)), '', 'put back, both sides are equal again');
};

my @definitions = (
    [ 'a missing index', 'DROP INDEX by_a', 'definition index public.by_a' ],
    [ 'an index that is not valid', q{UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_b'::regclass}, 'definition index public.by_b' ],
    [ 'a trigger that is disabled', 'ALTER TABLE defined DISABLE TRIGGER fires', 'definition trigger public.defined fires, enabled' ],
    [ 'a constraint that is not validated', q{ALTER TABLE refers DROP CONSTRAINT to_defined;
        ALTER TABLE refers ADD CONSTRAINT to_defined FOREIGN KEY (d) REFERENCES defined NOT VALID},
        'definition constraint public.refers to_defined, definition' ],
    [ 'a missing constraint', 'ALTER TABLE defined DROP CONSTRAINT few', 'definition constraint public.defined few' ],
    [ 'a lost grant', 'REVOKE INSERT ON defined FROM reader', 'definition table public.defined, grants' ],
    [ 'another owner', 'ALTER VIEW seen OWNER TO reader', "definition table public.seen, owner\ndefinition table public.seen, grants" ],
    [ 'another function', q{CREATE OR REPLACE FUNCTION plus(n int) RETURNS int LANGUAGE sql AS 'SELECT n + 2'},
        'definition function public.plus(n integer), body' ],
    [ 'another view', 'CREATE OR REPLACE VIEW seen AS SELECT id, a FROM defined WHERE a > 2', 'definition table public.seen, definition' ],
    [ 'a missing rule', 'DROP RULE quiet ON refers', 'definition rule public.refers quiet' ],
    [ 'another policy', 'ALTER POLICY own ON defined USING (true)', 'definition policy public.defined own, definition' ],
    [ 'a missing statistics object', 'DROP STATISTICS together', 'definition statistics public.together' ],
    [ 'another comment', q{COMMENT ON TABLE defined IS 'another'}, 'definition table public.defined, comment' ],
    [ 'another default', q{ALTER TABLE defined ALTER b SET DEFAULT 'c'}, 'definition table public.defined, column b' ],
    [ 'another storage', 'ALTER TABLE defined ALTER b SET STORAGE EXTENDED', 'definition table public.defined, storage of column b' ],
    [ 'another statistics target', 'ALTER TABLE defined ALTER a SET STATISTICS 8', 'definition table public.defined, statistics target of column a' ],
    [ 'an event trigger that is disabled', 'ALTER EVENT TRIGGER tells DISABLE', 'definition event trigger tells, enabled' ],
    [ 'a missing operator', 'DROP OPERATOR === (mood, text)', 'definition operator public.=== (public.mood, text)' ],
    [ 'a missing cast', 'DROP CAST (mood AS int)', 'definition cast public.mood to integer' ],
    [ 'a missing collation', 'DROP COLLATION mine', 'definition collation public.mine' ],
    [ 'another dictionary', 'ALTER TEXT SEARCH DICTIONARY words (STOPWORDS)', 'definition text search dictionary public.words, definition' ],
    [ 'another search', 'ALTER TEXT SEARCH CONFIGURATION searched DROP MAPPING FOR word',
        'definition text search configuration public.searched, definition' ],
    [ 'another server', q{ALTER SERVER far OPTIONS (SET a '3')}, 'definition foreign server far, definition' ],
    [ 'lost default privileges', 'ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM reader',
        'definition default privileges (made the cluster) in public for r' ],
    [ 'a lost setting', 'ALTER DATABASE postgres RESET work_mem', 'definition database (the database), setting work_mem' ],
);

subtest 'what is defined in another way is found' => sub {
    $target->sql('postgres', "SET allow_system_table_mods = on; $_->[1]") foreach @definitions;
    my $document = verify(1);
    my %found = map { $_ => 1 } split /\n/, found($document);
    foreach my $plant (@definitions) {
        my @missing = grep { !delete $found{$_} } split /\n/, $plant->[2];
        is("@missing", '', $plant->[0]);
    }
    is(join(', ', sort keys %found), '', 'and nothing else') or diag(encode_json($document->{objects}));
};

subtest 'a sequence that the source has moved on waits for the switch' => sub {
    $source->sql('postgres', q{SELECT nextval('counter'), nextval('never')});
    is(join(' ', grep { $_->{kind} eq 'sequence' } @{verify(1)->{objects}}), '', 'which is no difference');
    $target->sql('postgres', q{ALTER SEQUENCE counter RESTART WITH 7});
    is(join(' ', grep { $_->{kind} eq 'sequence' } @{verify(1)->{objects}}), '', 'nor is one that was restarted, as TRUNCATE in the stream does');
    $target->sql('postgres', q{SELECT setval('counter', 41)});
};

subtest 'large objects that the source has changed since wait for the switch' => sub {
    my $large = sub { return join(' ', map { $_->{object} . (defined $_->{part} ? ", $_->{part}" : '') } grep { $_->{kind} eq 'large object' } @{verify(1)->{objects}}) };
    $source->sql('postgres', q{SELECT lo_put(60000 + i, 0, '\x01') FROM generate_series(1, 39) AS i; GRANT UPDATE ON LARGE OBJECT 50002 TO reader;
        COMMENT ON LARGE OBJECT 50001 IS 'said since'; COMMENT ON LARGE OBJECT 50003 IS NULL});
    is($large->(), '', 'which is no difference');
    $target->sql('postgres', q{SELECT lo_put(60040, 0, '\x02'); SELECT lo_put(50001, 0, '\x02')});
    is($large->(), '50001 60040', 'but hides none, however many these are');
};

subtest 'a sample' => sub {
    $target->sql('postgres', q{UPDATE swapped SET v = 'x'});
    my $document = verify(1, '--sample', 10);
    my ($table) = grep { $_->{table} eq 'swapped' } @{$document->{tables}};
    cmp_ok($table->{source_rows}, '<', 200, 'about a tenth of the rows');
    cmp_ok($table->{source_rows}, '>', 30, '...');
    is($table->{source_rows}, $table->{target_rows}, 'the same on both sides');
    is($document->{sample_percent}, 10, 'and it says so');
    $target->sql('postgres', q{UPDATE swapped SET v = md5(id::text)});
    like($migration->ok('verify', '--sample', '0.5', '--rows-only')->{stdout}, qr/^This was a sample: 0\.5 %/m, 'to people, too');
};

is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
