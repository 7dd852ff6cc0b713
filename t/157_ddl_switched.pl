# Capture over the switch, the way back and a second switch: publications and subscriptions of the source's own do not travel; what is
# defined on the new primary does not either, and the rollback refuses and names it with what mends the source; once it is mended the
# way back flows, and behind the rollback DDL is captured again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;


my $source = start_source('source', conf => 'fsync = off');
my $target = start_target('target', conf => "wal_level = logical\nfsync = off");
$_->sql('postgres', 'CREATE ROLE app') foreach $source, $target;
$source->sql('postgres', <<'SQL');
CREATE TABLE a (id int PRIMARY KEY, t text);
INSERT INTO a SELECT g, 'x' FROM generate_series(1, 100) g;
CREATE TABLE b (id serial PRIMARY KEY, v int);
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
CREATE PUBLICATION own FOR TABLE a;
SQL
my $migration = migration($source, $target);
$migration->ok('copy', '--lanes', 4);
$migration->follow;

sub caught_up
{
    my ($name) = @_;
    eval { $migration->wait_until_caught_up; 1 } or diag($@, $migration->{applier}->log_tail(5));
    same_rows($source, $target, 'postgres', $name);
    return;
}

my $secret = q{'host=127.0.0.1 port=1 password=s3cret'};
$source->sql('postgres', "CREATE PUBLICATION two FOR TABLE b; ALTER PUBLICATION own ADD TABLE b; ALTER TABLE b ADD w int;
    CREATE SUBSCRIPTION sub CONNECTION $secret PUBLICATION p WITH (connect = false); ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub;
    DROP PUBLICATION two; ALTER TABLE a ADD c int DEFAULT 5; INSERT INTO a VALUES (101, 'before', 6)");
$source->sql('postgres', q{CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'localhost');
    CREATE USER MAPPING FOR app SERVER far OPTIONS (user 'u', password 's3cret')});
caught_up('beside publications and subscriptions');
is_deeply($migration->drift, [], 'definitions are the same') or diag(explain($migration->drift));
is($target->sql('postgres', 'SELECT string_agg(concat(pubname, prrelid::regclass), $$,$$) FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid'),
    'owna', 'publications are those of the copy: they do not travel');
is($target->sql('postgres', q{SELECT umoptions::text FROM pg_user_mappings}), '{user=u,password=s3cret}', 'a user mapping does');
unlike($target->sql('postgres', 'SELECT d.*::text FROM penstock.ddl d') . $migration->{applier}->log_text . $migration->ok('ddl', 'list')->{stdout},
    qr/s3cret/, 'and what is secret is not written down');

my @cutover = ('cutover', '--proxy', 'none', '--max-lag', '1000000000', '--yes');
my @rollback = ('rollback', '--proxy', 'none', '--max-lag', '1000000000', '--yes');
$migration->ok(@cutover);
is_deeply($migration->drift, [], 'behind the switch, too') or diag(explain($migration->drift));
my $streams = sub { $source->sql('postgres', 'SELECT count(*) FROM pg_stat_subscription WHERE received_lsn IS NOT NULL') eq '1' };
wait_until('the way back', $streams);

# What changes no row would be lost without a word.
$target->sql('postgres', q{CREATE OR REPLACE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n + n'; CREATE INDEX a_t ON a (t);
    ALTER TABLE b ADD CHECK (v > 0); ALTER TABLE a ADD d int DEFAULT 9; INSERT INTO a VALUES (102, 'behind', 7, 8)});
my $refused = $migration->exits(3, @rollback)->{stderr};
like($refused, qr/the two sides differ in \d+ definitions/, 'the rollback refuses');
like($refused, qr/index public\.a_t is on the target alone; to mend it, at the source: CREATE INDEX a_t ON public\.a/, 'and says what mends the source');
unlike($refused, qr/DROP/, 'never what would take away on the side that applications work on');
my @differences = @{ $migration->drift };
is(scalar @differences, 4, 'status --schema names each') or diag(explain(\@differences));
like($migration->run('status', '--schema')->{stdout}, qr/4 definitions differ, which the rollback refuses/, 'for people, too');
foreach my $difference (@differences) {
    my ($mend) = $difference =~ /; to mend it, at the source: (.*)/s or fail("what mends $difference");
    $source->sql('postgres', "SET default_transaction_read_only = off; $mend") if defined $mend;
}
is_deeply($migration->drift, [], 'mended as it says, nothing differs') or diag(explain($migration->drift));
$migration->ok(@rollback);
is($source->sql('postgres', 'SELECT c, d FROM a WHERE id = 102'), '7|8', 'what was written with the new column is on the source');

# And again: behind the rollback the stream has DDL as before.
$migration->follow;
$source->sql('postgres', 'ALTER TABLE a ADD e int DEFAULT 3; INSERT INTO a VALUES (103, $$again$$, 1, 2, 4); CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)');
caught_up('behind the rollback');
is_deeply($migration->drift, [], 'with the same definitions') or diag(explain($migration->drift));
$migration->ok(@cutover);
is($target->sql('postgres', 'SELECT count(e), max(e) FROM a'), '103|4', 'and a second switch');
wait_until('the applier to end with the switch', sub { !$migration->{applier}->is_running });
$migration->ok('finish', '--yes', '--no-report');
is($source->sql('postgres', q{SELECT count(*) FROM pg_event_trigger}), '0', 'finish removes the event triggers');
done_testing();
