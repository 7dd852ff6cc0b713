# penstock status: what it says before a migration, after the copy, of an applier at work, idle, blocked and stopped, and
# when a server is away.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use JSON::PP qw(decode_json);
use PenstockTest::Blocker;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

sub status
{
    my $result = $migration->run('status', '--json', @_);
    die "penstock status ends with $result->{status}: $result->{stderr}\n" if $result->{status} ne '0';
    return decode_json($result->{stdout});
}

is(status()->{phase}, 'none', 'no migration yet');
like(status()->{next}, qr/penstock check/, 'it begins with check');

$source->sql('postgres', <<'SQL');
CREATE TABLE a (id int PRIMARY KEY, v int NOT NULL DEFAULT 0);
INSERT INTO a SELECT generate_series(1, 100);
CREATE TABLE noted (n int);
DO $$ BEGIN FOR i IN 1 .. 20 LOOP EXECUTE format('CREATE TABLE quiet_%s (id int PRIMARY KEY)', i); END LOOP; END $$;
SQL
$migration->ok('copy');

my $copied = status('--tables');
is($copied->{phase}, 'copied', 'after the copy');
ok($copied->{slot}{exists}, 'the slot is there');
is($copied->{copy}{tables_copied}, 22, 'all tables are copied');
is($copied->{lag}{seconds}, undef, 'no lag is known before the applier has run');
is($copied->{tables}[0]{table}, 'public.a', 'and named');
is($copied->{tables}[0]{copied_rows}, 100, 'with its rows');
like($copied->{next}, qr/penstock follow/, 'now follow');
is_deeply([ map { "$_->{where}: $_->{what}" } @{ $copied->{made} } ],
    [ 'source: replication slot penstock_default', map({ "source: event trigger penstock_ddl_$_, which captures DDL, with its function in schema penstock" } qw(drop end rewrite start)),
        'target: schema penstock' ], 'everything that was made is listed');

my $text = $migration->ok('status')->{stdout};
like($text, qr/^slot +penstock_default, not active/m, 'people see the slot');
like($text, qr/^next: +`penstock follow`/m, 'and what comes next');

my $watch = background('watch', $migration->command('status', '--watch', '--json'));
wait_until('two looks', sub { 2 <= grep { /^\{/ } split /\n/, $watch->log_text });
is($watch->stop, 0, '--watch ends cleanly');

# --tables and --all.
is(@{ $copied->{tables} }, 20, '--tables lists 20');
is(@{ status('--all')->{tables} }, 22, '--all lists all');
like($migration->ok('status', '--tables')->{stdout}, qr/^The 20 busiest of 22 tables; --all lists the others\.$/m, 'people are told');

# Under load.
sub write_some
{
    $source->sql('postgres', 'UPDATE a SET v = v + 1; INSERT INTO noted VALUES (1), (2)');
    return;
}

sub table
{
    my ($document, $name) = @_;
    return (grep { $_->{table} eq "public.$name" } @{ $document->{tables} })[0];
}

my $applier = $migration->follow;
my $busy;
wait_until('rates and counts under load', sub {
    write_some();
    $busy = status('--tables');
    my $noted = table($busy, 'noted');
    return $busy->{rates}{rows_per_second} > 0 && $busy->{rates}{transactions_per_second} > 0
      && $busy->{rates}{applied_bytes_per_second} > 0 && defined $busy->{rates}{source_bytes_per_second}
      && $noted->{rows_per_second} > 0 && $busy->{tables}[0]{rows_per_second} > 0 && $noted->{lane} ne ''
      && grep { $_->{rows_per_second} > 0 } @{ $busy->{lanes}{list} };
});
is($busy->{tables}[0]{table}, 'public.a', 'the busiest table is the first');
is(table($busy, 'a')->{lane}, 'all', 'a table with a key spreads');
like(table($busy, 'a')->{why}, qr/its key is all that is unique/, 'and says why');
is(table($busy, 'noted')->{why}, 'it has no replica identity', 'one without a key does not, and says why');
my $lane = $busy->{lanes}{list}[ table($busy, 'noted')->{lane} ];
cmp_ok($lane->{rows}, '>=', table($busy, 'noted')->{rows_applied}, 'its rows are in the lane that is named');
is(table($busy, 'quiet_1')->{lane}, undef, 'a table without changes has no lane') if table($busy, 'quiet_1');

# docs/commands.md says what a document has, and it has that.
sub documented
{
    my ($section) = slurp_file("$FindBin::Bin/../docs/commands.md") =~ /^## status$(.*?)^## /ms;
    my %keys;
    while ($section =~ /^\| `([\w.]+)` \| (.*) \|$/mg) {
        my ($member, $what) = ($1, $2);
        $keys{$member} = [ $what =~ /`([a-z_]+)`/g ];
    }
    return \%keys;
}

my $keys = documented();
my @missing;
foreach my $member (grep { $_ ne 'proxy_files' } keys %$keys) { # which is there once switched
    my $at = $busy;
    foreach my $name (split /\./, $member) {
        push @missing, $member unless exists $at->{$name};
        $at = $at->{$name};
    }
    $at = $at->[0] if ref $at eq 'ARRAY';
    next unless ref $at eq 'HASH' && $member ne 'migration';
    push @missing, map { "$member.$_" } grep { !exists $at->{$_} } @{ $keys->{$member} };
}
cmp_ok(keys %$keys, '>', 15, 'the members are documented');
is_deeply(\@missing, [], 'and all that is documented is there');
is_deeply([ grep { !$keys->{$_} } keys %$busy ], [], 'and nothing else');

# Idle: the source commits nothing in this database, and writes WAL elsewhere.
$migration->wait_until_caught_up;
my $then = $source->sql('postgres', 'SELECT clock_timestamp()');
wait_until('a heartbeat', sub {
    $source->sql('template1', 'SELECT txid_current()');
    return $migration->applier_says("heartbeat_time > '$then'") eq 't';
});
my $idle = status();
is($idle->{applier}{complete_by}, 'heartbeat', 'of an idle source the heartbeat tells until when everything is here');
wait_until('rates to fall', sub {
    $idle = status();
    return !grep { $_->{rows_per_second} > 0 } $idle->{rates}, @{ $idle->{lanes}{list} };
});
wait_until('no lag', sub { $idle = status()->{lag}; $idle->{bytes} == 0 });
is_deeply($idle, { bytes => 0, seconds => 0, seconds_by => 'position', catch_up_seconds => 0 }, 'an idle source has no lag');
like($migration->ok('status')->{stdout}, qr/^lag +none.*\nrate +0 transactions.s, 0 rows.s\ncaught up +yes\nblocked +by nobody$/m,
    'people see that nothing is missing');

# Healthy, and not.
like($migration->ok('status', '--exit-code')->{stdout}, qr/\Ahealth +good/, 'the first line says that all is well');
$migration->exits(2, 'status', '--watch', '--exit-code');

# Blocked.
my $blocker = PenstockTest::Blocker->start($target, 'postgres', 'LOCK TABLE noted');
write_some();
my $blocked;
wait_until('who is in the way', sub {
    $blocked = $migration->run('status')->{stdout};
    $blocked =~ /^blocked +on (?:public\.)?noted for \d+ s by process \d+ of the target \(.*\): BEGIN; LOCK TABLE noted/m;
});
pass('the session that has the lock is named');
$blocker->end;
$migration->wait_until_caught_up;

# Stopped.
is($applier->stop, 0, 'the applier ends');
write_some();
my $stopped = status();
cmp_ok($stopped->{lag}{bytes}, '>', 0, 'the lag in bytes goes up while it is stopped');
wait_until('the lag in seconds to go up', sub { status()->{lag}{seconds} > $stopped->{lag}{seconds} });
is($stopped->{rates}{rows_per_second}, 0, 'nothing is applied');
is($stopped->{health}[0]{id}, 'applier-not-running', 'that needs attention');
like($migration->exits(1, 'status', '--exit-code')->{stdout}, qr/\AATTENTION +the applier is not running/, 'and is said first');
ok(!(grep { $_->{rows_per_second} > 0 } @{ status('--tables')->{tables} }), 'to no table');
like($migration->ok('status')->{stdout}, qr/^caught up +no: nothing is being applied$/m, 'people see it');
$applier = $migration->follow;
wait_until('the lag to go down', sub { status()->{lag}{bytes} == 0 });
is($applier->stop, 0, 'the applier ends');
my $counted = status('--tables');
foreach my $of (['a', 'SELECT sum(v) FROM a'], ['noted', 'SELECT count(*) FROM noted']) {
    my ($name, $sum) = @$of;
    is(table($counted, $name)->{rows_applied}, $source->sql('postgres', $sum), "every row of $name is counted once");
}

# Clients that a cutover left held, as its journal says it.
my $note = sub {
    my ($step, $event) = @_;
    return "INSERT INTO penstock.journal (migration, operation, step, event) VALUES ('default', 'cutover', '$step', '$event')";
};
$target->sql('postgres', $note->('hold', 'begin'));
$target->sql('postgres', $note->('hold', 'done'));
like($migration->exits(1, 'status', '--exit-code')->{stdout},
    qr/\AATTENTION +CLIENTS ARE HELD at the proxy for .*, since \d{4}-\S+: nobody works on the cutover; at once `penstock cutover --resume`/,
    'held clients come first, and since when');
is(status()->{held}{operation}, 'cutover', 'they are in the document');
$target->sql('postgres', $note->('hold', 'undone'));
is(status()->{held}, undef, 'and no longer when they were let go');

my $lost = migration($source, $target, name => 'other');
is(decode_json($lost->ok('status', '--json')->{stdout})->{phase}, 'none', 'another name is another migration');

$source->stop;
my $away = status();
ok(!$away->{source}{reachable}, 'a source that is away is shown');
is($away->{phase}, 'copied', 'with all that the target knows');
ok(!defined $away->{slot}{exists}, 'the slot is not said to be gone');
like($away->{next}, qr/source cannot be reached/, 'and comes first');
$source->start;

$target->stop;
$migration->exits(3, 'status');
done_testing();
