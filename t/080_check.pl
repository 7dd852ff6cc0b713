# penstock check: content with two good servers; names each thing that would not work; goes on when a check cannot be
# made; changes nothing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use JSON::PP qw(decode_json);

my $source = start_source('source', conf => 'max_prepared_transactions = 5');
my $target = start_target('target');
my $migration = migration($source, $target);

# The outcomes of a run by id.
sub outcomes
{
    my ($status, @options) = @_;
    my $result = $migration->exits($status, 'check', '--json', @options);
    return { map { $_->{id} => $_ } @{ decode_json($result->{stdout}) } };
}

# A finding of a check as one text, fix included.
sub finding
{
    my ($outcomes, $id, $number) = @_;
    my $finding = $outcomes->{$id}{findings}[ $number // 0 ] or return '';
    return join ' | ', map { $_ // '' } @$finding{qw(object detail fix)};
}

$source->sql('postgres', 'CREATE TABLE good (id int PRIMARY KEY, t text)');
my $good = outcomes(0);
is_deeply([ grep { $good->{$_}{status} !~ /^(ok|skipped)$/ } sort keys %$good ], ['proxy'], 'two good servers: all is well');
is($good->{proxy}{status}, 'note', 'but for a proxy that nobody has named');
like($migration->ok('check')->{stdout}, qr/0 problems\.\nNext: `penstock copy`/, 'and says what comes next');
is($source->sql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '0', 'no slot is left behind');

# A target that is yet to be made.
$good = outcomes(1, '--target', $target->uri('not_yet'));
like(finding($good, 'target-reachable'),
    qr/database "not_yet" does not exist \| CREATE DATABASE not_yet ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;$/,
    'a target that is not there is made by the statement that is printed');
is($good->{$_}{status}, 'ok', "$_ is looked at on its server") foreach qw(schema-trial way-back-servers way-back-connection target-superuser extensions);
is("$good->{$_}{status}: $good->{$_}{error}", 'skipped: the target database is not there yet', "$_ has to wait")
  foreach qw(same-database target-empty encoding locale target-create sort-order);
my $conninfo = "host=127.0.0.1 port=" . $target->port . " dbname=not_yet user=" . getpwuid($<);
is(outcomes(1, '--target', $target->uri('not_yet'), '--reverse-conninfo', $conninfo)->{'way-back-connection'}{status}, 'ok', 'nor does the way back fail for it');

# The source as the target, also by another name.
my $loop = migration($source, $source);
my $same = decode_json($loop->exits(1, 'check', '--json', '--target', $source->uri('postgres', tcp => 1))->{stdout});
is((grep { $_->{id} eq 'same-database' } @$same)[0]{status}, 'problem', 'one database on both ends is a problem');
is((grep { $_->{id} eq 'target-empty' } @$same)[0]{count}, 0, 'and nobody is told to drop what is in it');
like($loop->exits(2, $_)->{stderr}, qr/one and the same database/, "$_ refuses") foreach qw(copy roles verify);
is($source->sql('postgres', q(SELECT to_regnamespace('penstock'))), '', 'before it makes anything');

$source->sql('postgres', $_) for split /;\n/, <<'SQL';
CREATE ROLE "Odd Owner" LOGIN;
CREATE TABLE nokey (a int, b text);
CREATE TABLE "With.Index" (a int, b int NOT NULL UNIQUE);
CREATE TABLE inserts_only (a int);
CREATE TABLE a_late_key (a int PRIMARY KEY DEFERRABLE);
CREATE TABLE identity_nothing (a int PRIMARY KEY);
ALTER TABLE identity_nothing REPLICA IDENTITY NOTHING;
CREATE TABLE identity_full (a int);
ALTER TABLE identity_full REPLICA IDENTITY FULL;
CREATE UNLOGGED TABLE unlogged (a int PRIMARY KEY);
CREATE TABLE oids (a int PRIMARY KEY) WITH OIDS;
CREATE TYPE color AS ENUM ('red', 'green');
CREATE DOMAIN colors AS color[];
CREATE TABLE by_enum (c color, n int) PARTITION BY HASH (n, c);
CREATE TABLE by_enums (c colors) PARTITION BY HASH (c);
CREATE TABLE by_number (c color, n int) PARTITION BY HASH (n);
CREATE TABLE list_of_enum (c color) PARTITION BY LIST (c);
CREATE TABLE old_times (a int PRIMARY KEY, t abstime, r reltime[]);
CREATE TABLE identifiers (a int PRIMARY KEY, b information_schema.sql_identifier);
CREATE VIEW factorials AS SELECT id, id::bigint ! AS f FROM good;
CREATE MATERIALIZED VIEW seen AS SELECT 1 AS x;
CREATE AGGREGATE gather(anyelement) (sfunc = array_append, stype = anyarray, initcond = '{}');
CREATE OPERATOR #! (leftarg = int8, procedure = numeric_fac);
CREATE CONVERSION own_conversion FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE VIEW catalog AS SELECT relname, relhasoids FROM pg_class;
CREATE SEQUENCE lonely;
CREATE PUBLICATION everything FOR TABLE good;
ALTER DATABASE postgres SET work_mem = '8MB';
ALTER TABLE good OWNER TO "Odd Owner";
SELECT pg_create_logical_replication_slot('forgotten', 'test_decoding');
SELECT lo_create(4711)
SQL
$source->sql('postgres', q(INSERT INTO nokey VALUES (1, 'a'); UPDATE nokey SET b = 'b'));
$source->sql('postgres', 'INSERT INTO "With.Index" VALUES (1, 1); DELETE FROM "With.Index"');
wait_until('the statistics to show both changes',
    sub { $source->sql('postgres', 'SELECT sum(n_tup_upd + n_tup_del) FROM pg_stat_user_tables') eq '2' });
$target->sql('postgres', 'CREATE TABLE "in the way" (a int)');

my $bad = outcomes(1);
is(join(', ', map { "$_->{object} $_->{detail}" } @{ $bad->{'hash-partitions'}{findings} }),
    'public.by_enum HASH (n, c), public.by_enums HASH (c)', 'partitions by the hash of an enum');
for (
    [ 'replica-identity', 'problem', qr/^public\.nokey \| no primary key; 1 .* \| ALTER TABLE public\.nokey REPLICA IDENTITY FULL;$/, 1 ],
    [ 'replica-identity', 'problem', qr/^public\."With\.Index" .* REPLICA IDENTITY USING INDEX "With\.Index_b_key";$/ ],
    [ 'replica-identity-unused', 'warning', qr/^public\.a_late_key \| its primary key is deferrable/ ],
    [ 'replica-identity-unused', 'warning', qr/^public\.identity_nothing \| replica identity nothing/, 1 ],
    [ 'replica-identity-unused', 'warning', qr/^public\.inserts_only \| no primary key/, 2 ],
    [ 'unlogged-tables', 'warning', qr/^public\.unlogged / ],
    [ 'large-objects', 'note', qr/1 of them/ ],
    [ 'tables-with-oids', 'problem', qr/^public\.oids .*SET WITHOUT OIDS;$/ ],
    [ 'removed-types', 'problem', qr/^public\.old_times\.r \| reltime\[\]/ ],
    [ 'removed-types', 'problem', qr/^public\.old_times\.t \| abstime/, 1 ],
    [ 'sql-identifier', 'problem', qr/^public\.identifiers\.b / ],
    [ 'factorial-operators', 'problem', qr/^public\.factorials \| definition/ ],
    [ 'postfix-operators', 'problem', qr/^public\.#! \| on type bigint/ ],
    [ 'array-aggregates', 'problem', qr/^aggregate public\.gather\(anyelement\) \| uses array_append/ ],
    [ 'conversions', 'problem', qr/^conversion public\.own_conversion / ],
    [ 'catalog-views', 'warning', qr/^public\.catalog \| reads pg_class/ ],
    [ 'publications', 'warning', qr/^publication everything/ ],
    [ 'materialized-views', 'note', qr/^public\.seen / ],
    [ 'sequences', 'note', qr/1 of them/ ],
    [ 'roles', 'problem', qr/^role "Odd Owner" .*CREATE ROLE "Odd Owner" LOGIN;$/ ],
    [ 'way-back-tables', 'warning', qr/only INSERT and TRUNCATE will come back: .*public\.inserts_only.*unlogged, or its rows .*nothing will come back: public\.unlogged/ ],
    [ 'idle-slots', 'warning', qr/^forgotten .*pg_drop_replication_slot\('forgotten'\);$/ ],
    [ 'target-empty', 'problem', qr/^public\."in the way"/ ],
  )
{
    my ($id, $status, $pattern, $number) = @$_;
    is($bad->{$id}{status}, $status, "$id is a $status");
    like(finding($bad, $id, $number), $pattern, "$id names it");
}
is_deeply([ grep { $bad->{$_}{status} eq 'error' } sort keys %$bad ], [], 'every check could be made')
  or diag(map { "$_->{id}: $_->{error}\n" } grep { $_->{status} eq 'error' } values %$bad);
unlike($migration->run('check')->{stdout}, qr/identity_full/, 'replica identity full is fine');

subtest 'a role without rights' => sub {
    $_->sql('postgres', 'CREATE ROLE poor LOGIN') for $source, $target;
    my $result = run_program(program('penstock'), 'check', '--json', '--source', $source->uri('postgres', user => 'poor'),
        '--target', $target->uri('postgres', user => 'poor'));
    is($result->{status}, 1, 'check says no');
    my %status = map { $_->{id} => $_->{status} } @{ decode_json($result->{stdout}) };
    is($status{$_}, 'problem', $_)
      for qw(source-replication source-select replication-connection target-create target-session-replication-role);
    is($status{plugin}, 'error', 'what cannot be looked at is said to be so');
};

subtest 'a transaction that a slot would wait for' => sub {
    $source->sql('postgres', q(BEGIN; INSERT INTO inserts_only VALUES (1); PREPARE TRANSACTION 'forgotten'));
    my $waiting = outcomes(1);
    is($waiting->{plugin}{status}, 'ok', 'the plugin can be loaded');
    is($waiting->{'plugin-version'}{status}, 'warning', 'its version was not seen');
    $source->sql('postgres', q(ROLLBACK PREPARED 'forgotten'));
};

subtest 'no plugin' => sub {
    $source->sql('postgres', q(ALTER SYSTEM SET dynamic_library_path = '$libdir'));
    $source->sql('postgres', 'SELECT pg_reload_conf()');
    wait_until('the setting to arrive', sub { $source->sql('postgres', 'SHOW dynamic_library_path') eq '$libdir' });
    like(finding(outcomes(1), 'plugin'), qr/could not access file "penstock"/, 'it is missed');
};

subtest 'no source' => sub {
    $source->stop;
    my $alone = outcomes(1);
    is($alone->{'source-reachable'}{status}, 'problem', 'said first');
    is($alone->{'target-create'}{status}, 'ok', 'the target is looked at all the same');
    is($alone->{'replica-identity'}{status}, 'skipped', 'the rest is skipped');
};

done_testing();
