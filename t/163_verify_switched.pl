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

subtest 'after the switch' => sub {
    $migration->ok(@cutover, '--yes');
    $target->sql('postgres', q{INSERT INTO t (v) VALUES ('new'); UPDATE t SET v = 'written on the target' WHERE id = 7});
    ok(verify(0)->{equal}, 'what was written to the target is on the source');
    $source->sql('postgres', q{SET default_transaction_read_only = off; SET session_replication_role = replica; DELETE FROM t WHERE id = 9});
    my $found = verify(1);
    is($found->{tables}[0]{rows}[0]{key}, '(9)', 'and what differs is found');
    like($migration->exits(3, 'verify', '--repair')->{stderr}, qr/after the switch nothing is repaired/, 'but not repaired');
};

done_testing();
