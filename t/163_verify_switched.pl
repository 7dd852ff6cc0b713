# After the switch both sides are compared, too: the source behind its fence gets what is written to the target by the way back.
# What was compared is shown by status, and a cutover may ask for it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target', conf => "wal_level = logical\n");
$source->sql('postgres', <<'SQL');
CREATE TABLE t (id serial PRIMARY KEY, v text);
INSERT INTO t (v) SELECT md5(i::text) FROM generate_series(1, 500) AS i;
SQL
my $migration = migration($source, $target);
$migration->ok('copy');
$migration->follow;
$migration->wait_until_caught_up;

sub verify
{
    my ($status, @options) = @_;
    my $result = $migration->exits($status, 'verify', '--json', @options);
    return $result->{stdout} =~ /^\{/ ? decode_json($result->{stdout}) : { stderr => $result->{stderr} };
}

my @cutover = ('cutover', '--proxy', 'none', '--max-lag', '1000000000');
my @dry_run = (@cutover, '--dry-run');

subtest 'a cutover that wants to know it' => sub {
    like($migration->exits(3, @dry_run, '--require-verified', '1h')->{stderr}, qr/--require-verified: nothing was compared yet/, 'refuses');
    $target->sql('postgres', q{UPDATE t SET v = 'wrong' WHERE id = 3});
    verify(1);
    like($migration->exits(3, @dry_run, '--require-verified', '1h')->{stderr}, qr/found 1 difference/, 'refuses with a difference');
    my $text = $migration->ok('status')->{stdout};
    like($text, qr/^verified .*1 DIFFERENT/m, 'status shows it') or diag($text);
    verify(0, '--repair');
    like($migration->exits(3, @dry_run, '--require-verified', '0.001s')->{stderr}, qr/ended at .*, more than 0 s ago/, 'refuses what is too old');
    unlike($migration->run(@dry_run, '--require-verified', '2h')->{stderr}, qr/require-verified/, 'and is content with one that is not');
    my $status = decode_json($migration->ok('status', '--json')->{stdout});
    is($status->{verify}{last}{different}, 0, 'status has the last complete comparison');
    is($status->{verify}{repaired}, 1, 'and what was repaired');
    like($migration->ok('status')->{stdout}, qr/^verified .*no difference; 1 rows repaired in all$/m, 'for people, too');
    verify(0, '--only', 'public.t');
    is(decode_json($migration->ok('status', '--json')->{stdout})->{verify}{last}{pass}, $status->{verify}{last}{pass},
        'one of a part of the tables is no complete one');
};

sub status_text { return $migration->ok('status')->{stdout} }

subtest 'what a part was found to be counts, too' => sub {
    $target->sql('postgres', q{UPDATE t SET v = 'wrong' WHERE id = 5});
    verify(1, '--only', 'public.t');
    like($migration->exits(3, @dry_run, '--require-verified', '2h')->{stderr},
        qr/--require-verified: penstock verify found these different.*\(1\): table public\.t \(PST-\d+\)$/m, 'a complete one before it is not enough');
    like($migration->ok(@dry_run)->{stderr}, qr/found these different.*\(1\): table public\.t/, 'and who asks for none is told');
    my $text = status_text();
    like($text, qr/^ATTENTION .*table public\.t was found different/m, 'status says it first') or diag($text);
    like($text, qr/^verified .*no difference.*\n\s+.*ago, --only public\.t: 1 table, 500 rows, 1 DIFFERENT.*\n(.*\n)*?\s+STILL DIFFERENT: table public\.t$/m,
        'and below the complete one') or diag($text);
    verify(0, '--sample', '0.01');
    like(status_text(), qr/STILL DIFFERENT: table public\.t$/m, 'a sample finds nothing right');
    verify(0, '--only', 'public.t', '--repair');
    $text = status_text();
    unlike($text, qr/DIFFERENT:|^ATTENTION.*different/m, 'once it is repaired it is not said any more') or diag($text);
    like($text, qr/ago, --only public\.t: 1 table, 500 rows, no difference; 1 rows repaired$/m, 'but that it was');
    unlike($migration->run(@dry_run, '--require-verified', '2h')->{stderr}, qr/require-verified|found these/, 'and a cutover is content');
};

subtest 'after a repair of what a complete comparison found' => sub {
    $source->sql('postgres', 'CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)');
    $migration->wait_until_caught_up;
    $target->sql('postgres', q{UPDATE t SET v = 'wrong' WHERE id IN (6, 7); INSERT INTO other VALUES (2)});
    verify(1);
    verify(0, '--repair', '--only', 'public.t');
    verify(0, '--only', 'public.t') foreach 1 .. 3;
    my $text = status_text();
    like($text, qr/^verified .*2 DIFFERENT.*\n(.*\n)*?\s+STILL DIFFERENT: table public\.other$/m, 'status has what is left') or diag($text);
    verify(0, '--repair', '--only', 'public.other');
    $text = status_text();
    like($text, qr/what it found was found right since/, 'and says when nothing is') or diag($text);
    my $json = decode_json($migration->ok('status', '--json')->{stdout});
    is($json->{verify}{still_different}{count}, 0, 'as the document does');
    is(scalar @{$json->{verify}{since}}, 5, 'with the last comparisons');
    is(scalar(grep { $_->{id} eq 'found-different' } @{$json->{health}}), 0, 'and health');
    cmp_ok($target->sql('postgres', 'SELECT count(*) FROM penstock.verify_table'), '<=', 6, 'what says nothing any more is deleted');
    like($migration->exits(3, @dry_run, '--require-verified', '1h')->{stderr}, qr/found 2 differences/, 'a complete one is asked for all the same');
    verify(0);
};

subtest 'after the switch' => sub {
    # Beside a comparison that takes its time: it holds up nothing, and is told why it ends.
    $source->sql('postgres', q{CREATE TABLE wide AS SELECT i, repeat('x', 500) AS v FROM generate_series(1, 3000) i; ALTER TABLE wide ADD PRIMARY KEY (i)});
    $migration->wait_until_caught_up;
    my $slow = background('slow', $migration->command('verify', '--rows-only', '--rate', '10kB'));
    wait_until('it reads in bursts', sub { $source->sql('postgres', q{SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'penstock verify' AND wait_event = 'PgSleep'}) > 0 });
    $migration->ok(@cutover, '--yes');
    is($slow->wait, 3, 'a comparison is ended by the switch');
    like($slow->log_text, qr/error  a cutover of migration "default" has ended the comparison \(PST-1902\)/, 'and says so') or diag($slow->log_text);
    $target->sql('postgres', q{INSERT INTO t (v) VALUES ('new'); UPDATE t SET v = 'written on the target' WHERE id = 7});
    ok(verify(0)->{equal}, 'what was written to the target is on the source');
    $source->sql('postgres', q{SET default_transaction_read_only = off; SET session_replication_role = replica; DELETE FROM t WHERE id = 9});
    my $found = verify(1);
    is($found->{tables}[0]{rows}[0]{key}, '(9)', 'and what differs is found');
    like($migration->exits(3, 'verify', '--repair')->{stderr}, qr/after the switch nothing is repaired/, 'but not repaired');
};

done_testing();
