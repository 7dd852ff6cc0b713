# The fence: no write lands on the source behind the final position. Clients go around the proxy, straight to the source,
# each transaction on a connection of its own, as fast as they can: an ordinary role, the owner of the table, a superuser.
# What they were able to write is on the target; none of them keeps the fence from standing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $superuser = getpwuid($<);
app_database('app', $source, $target);
$_->sql('postgres', 'CREATE ROLE owner LOGIN') foreach $source, $target;
$source->sql('app', <<'SQL');
CREATE TABLE around (id bigserial PRIMARY KEY, who text DEFAULT current_user);
ALTER TABLE around OWNER TO owner;
GRANT ALL ON around, around_id_seq TO app;
SQL
my $migration = migration($source, $target, database => 'app');
$migration->ok('copy');
my $applier = $migration->follow;
$migration->wait_until_caught_up;

# pgbench ends at its first error, and is begun again for as long as the loop runs; a line for each time.
my $folder = PostgreSQL::Test::Utils::tempdir('around');
write_file("$folder/insert.sql", "INSERT INTO around DEFAULT VALUES;\n");
my $pgbench = $source->installed_command('pgbench');
my @who = ('app', 'owner', $superuser);
foreach my $who (@who) {
    my $uri = $source->uri('app', user => $who);
    background("around_$who", 'sh', '-c', "while :; do '$pgbench' --no-vacuum --connect --client=2 --transactions=100000 "
          . "--file=$folder/insert.sql '$uri' >/dev/null 2>&1; echo again >>$folder/$who; done");
}
sub written { return map { [split /\|/] } split /\n/, $_[0]->sql('app', 'SELECT who, count(*) FROM around GROUP BY who') }
wait_until('each of them to write', sub { (grep { $_->[1] > 20 } written($source)) == 3 });

# A long transaction is named beforehand; a session with an open one is ended by the fence, and rolled back.
my $idle = PenstockTest::Blocker->start($source, 'app', 'INSERT INTO around DEFAULT VALUES',
    $source->uri('app', user => 'app'));
wait_until('it to be old', sub { $idle->ask(q{now() - xact_start > interval '0.1 s'}) eq 't' });
my @cutover = ('cutover', '--proxy', 'none', '--yes', '--no-reverse', '--max-lag', '1000000000');
my $result = $migration->exits(3, @cutover, '--max-transaction-age', '0.1');
like($result->{stderr}, qr/pid \d+ \(app\).*pg_sleep/, 'a transaction that is open for long is named beforehand');

$result = $migration->ok(@cutover, '--max-transaction-age', '3600');
like($result->{stderr}, qr/superusers are connected to the source \(pid \d+: \Q$superuser\E/,
    'a superuser is named beforehand');
isnt($idle->wait, 0, 'the open transaction was ended');

# They go on trying: every one of them has been turned away again and again.
sub tries { my ($who) = @_; return -e "$folder/$who" ? scalar(split /\n/, slurp_file("$folder/$who")) : 0 }
my %before = map { $_ => tries($_) } @who;
wait_until('each of them to try again', sub { !grep { tries($_) < $before{$_} + 5 } @who });
same_rows($source, $target, 'app', 'everything that could be written to the source is on the target');
my $final = $source->sql('app', 'SELECT count(*) FROM around');
wait_until('each of them to try once more', sub { !grep { tries($_) < $before{$_} + 10 } @who });
is($source->sql('app', 'SELECT count(*) FROM around'), $final, 'and nothing is written any more');
done_testing();
