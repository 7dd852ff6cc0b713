# penstock status: what it says before a migration, after the copy, and when a server is away.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

sub status
{
    return decode_json($migration->ok('status', '--json', @_)->{stdout});
}

is(status()->{phase}, 'none', 'no migration yet');
like(status()->{next}, qr/penstock check/, 'it begins with check');

$source->sql('postgres', 'CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 100)');
$migration->ok('copy');

my $copied = status('--tables');
is($copied->{phase}, 'copied', 'after the copy');
ok($copied->{slot}{exists}, 'the slot is there');
is($copied->{copy}{tables_copied}, 1, 'one table is copied');
is($copied->{tables}[0]{table}, 'public.a', 'and named');
is($copied->{tables}[0]{copied_rows}, 100, 'with its rows');
like($copied->{next}, qr/penstock follow/, 'now follow');
is_deeply([ map { "$_->{where}: $_->{what}" } @{ $copied->{made} } ],
    [ 'source: replication slot penstock_default', 'target: schema penstock' ], 'everything that was made is listed');

my $text = $migration->ok('status')->{stdout};
like($text, qr/^slot +penstock_default, not active/m, 'people see the slot');
like($text, qr/^next: +`penstock follow`/m, 'and what comes next');

my $watch = background('watch', $migration->command('status', '--watch', '--json'));
wait_until('two looks', sub { 2 <= grep { /^\{/ } split /\n/, $watch->log_text });
is($watch->stop, 0, '--watch ends cleanly');

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
