# What the copy, the cutover and the way back will need of the two servers is named before anything is copied, each with its statement.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source',
    conf => "max_locks_per_transaction = 10\nmax_connections = 30\nmax_logical_replication_workers = 0\ntimezone = 'Europe/Vienna'");
my $target = start_target('target', conf => "wal_level = replica\nmax_replication_slots = 0\nmax_locks_per_transaction = 10\nmax_connections = 25");
$source->sql('postgres', 'CREATE ROLE lowly LOGIN REPLICATION');
$source->sql('postgres', <<'SQL');
CREATE TABLE tenant (id int PRIMARY KEY, who text);
ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenant USING (who = current_user);
CREATE TABLE twice (id int);
INSERT INTO twice VALUES (1), (1);
ALTER TABLE twice ADD CONSTRAINT small CHECK (id < 1) NOT VALID;
GRANT SELECT ON tenant, twice TO lowly;
DO $$ BEGIN FOR i IN 1..900 LOOP EXECUTE format('CREATE TABLE t_%s ()', i); END LOOP; END $$;
SQL
run_program('psql', '-X', '-d', $source->uri('postgres'), '-c', 'CREATE UNIQUE INDEX CONCURRENTLY broken ON twice (id)');

# {id => [status, object, detail, fix]} of the first finding of each check.
sub outcomes
{
    my (@options) = @_;
    my $result = run_program(PenstockTest::Program::path('penstock'), 'check', '--json', '--no-trial',
        '--source' => $source->uri('postgres'), '--target' => $target->uri('postgres'), @options);
    my %outcomes;
    foreach my $outcome (@{decode_json($result->{stdout})}) {
        my $first = $outcome->{findings}[0] // {};
        $outcomes{$outcome->{id}} = [$outcome->{status}, map { $_ // '' } @{$first}{qw(object detail fix)}];
    }
    return \%outcomes;
}

my $found = outcomes();
my %expected = (
    'source-locks'          => qr/^problem max_locks_per_transaction 902 tables.*room for \d+ locks ALTER SYSTEM SET max_locks_per_transaction = \d+;/,
    'way-back-servers'      => qr/^problem the way back: the target has wal_level = replica, not logical  ALTER SYSTEM SET wal_level = logical;/,
    'broken-constraints'    => qr/^ok/,
    'fewer-connections'     => qr/^warning max_connections 25, 30 at the source/,
    'server-settings'       => qr/^problem TimeZone is Europe\/Vienna at the source, .* at the target  ALTER SYSTEM SET TimeZone TO 'Europe\/Vienna'; SELECT pg_reload_conf\(\);/,
    'invalid-indexes'       => qr/^note public\.broken/,
    'constraints-not-valid' => qr/^note public\.twice small/,
    'row-security'          => qr/^ok/,
    'programs'              => qr/^ok/,
    'sort-order'            => qr/^ok/,
    'own-workers'           => qr/^ok/,
);
like(join(' ', @{$found->{$_}}), $expected{$_}, $_) foreach sort keys %expected;

my $uri = $source->uri('postgres');
$found = outcomes('--source' => "$uri&user=lowly");
like(join(' ', @{$found->{'row-security'}}), qr/^problem public\.tenant .* ALTER ROLE lowly BYPASSRLS;/, 'row security that applies to the role');
$source->sql('postgres', 'ALTER ROLE lowly BYPASSRLS');
$found = outcomes('--source' => "$uri&user=lowly");
is($found->{'row-security'}[0], 'ok', 'and does not with BYPASSRLS');

# What check has said comes true, and is said again, whoever meets it: pg_dump at the source. (The table has some room beyond its size:
# somebody has that.)
my $crowd = $source->background_psql('postgres');
$crowd->query_safe(<<'SQL');
DO $$ DECLARE i int := 0; BEGIN
    BEGIN LOOP i := i + 1; PERFORM pg_advisory_lock(i); END LOOP; EXCEPTION WHEN out_of_memory THEN NULL; END;
    PERFORM pg_advisory_unlock(n) FROM generate_series(i - 500, i - 1) AS n;
END $$;
SQL
my $refused = migration($source, $target)->exits(3, 'copy', '--force', '--no-trial', '--roles', '--no-owner', '--no-privileges')->{stderr};
like($refused, qr/out of shared memory.*The source's table of locks is full: raise max_locks_per_transaction there to what `penstock check` says/s,
    'a table of locks that is full is named with what to raise');

$crowd->quit;

done_testing();
