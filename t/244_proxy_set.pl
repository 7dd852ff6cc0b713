# penstock proxy: what leads where, and leading it elsewhere. What would send writes where they must not go is refused, with
# the file as it was; what is set is seen in the proxy, and is taken back to the byte.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use JSON::PP qw(decode_json);
use PenstockTest::Pgcat;

my $source = start_source('source');
my $target = start_target('target');
app_database('app', $source, $target);
$_->sql('app', 'CREATE TABLE written (n int); GRANT ALL ON written TO app') foreach $source, $target;
my $replica = $target->start_standby('replica');
my ($at_source, $at_target, $at_replica) = map { $_->address } $source, $target, $replica;

my $migration = migration($source, $target, database => 'app');

# What `show --json` says, as texts: role, place, and which it is.
sub shown
{
    my ($option) = @_;
    my $rows = decode_json($migration->ok('proxy', 'show', '--json', '--proxy', $option)->{stdout});
    return join('; ', map { "$_->{role} $_->{host}:$_->{port} $_->{is}" } grep { $_->{pool} eq 'app' } @$rows);
}

# set(OPTION, WORD …): the words of a call.
sub set_words { my ($option, @words) = @_; return ('proxy', 'set', '--proxy', $option, @words) }

sub refused
{
    my ($proxy, $option, $pattern, @words) = @_;
    my $before = slurp_file($proxy->config);
    my $result = $migration->run(set_words($option, @words));
    like($result->{status}, qr/^[23]$/, "@words is refused");
    like($result->{stderr}, $pattern, 'with the reason');
    is(slurp_file($proxy->config), $before, 'the file is as it was');
    return;
}

sub pgcat
{
    my ($name, $program) = @_;
    my $proxy = PenstockTest::Pgcat->start_new($name, $program, 'app', $source);
    my $config = slurp_file($proxy->config);
    my $option = $proxy->option;
    my $ask = sub { return $proxy->run($proxy->uri('app'), $_[0])->{stdout} };
    like($migration->ok('proxy', 'show', '--proxy', $option)->{stdout},
        qr/^pgcat\s+app\s+app\s+primary\s+\Q$at_source\E\s+the source\s+transaction\s+no\s+no\s+\d+\s+\d+$/m, 'show');
    is(shown($option), "primary $at_source the source", 'as JSON, too');

    my @refused = (
        [qr/--primary is missing/, '--split', 'off'],
        [qr/primary 127.0.0.1:1, as "app"/, '--primary', '127.0.0.1:1'],
        [qr/takes no writes/, '--primary', $at_replica],
        [qr/is no replica/, '--primary', $at_source, '--replica', $at_target],
        [qr/not of this primary/, '--primary', $at_source, '--replica', $at_replica],
        [qr/without a replica/, '--primary', $at_source, '--split', 'on'],
        [qr/prepared.*--accept-prepared/s, '--primary', $at_target, '--replica', $at_replica, '--split', 'on'],
        [qr/is the migration's target/, '--primary', $at_source, '--mirror', $at_target],
        [qr/its own mirror/, '--primary', $at_source, '--mirror', $at_source],
        [qr/is the primary, or follows it/, '--primary', $at_target, '--mirror', $at_replica],
    );
    refused($proxy, $option, @$_) foreach @refused;
    write_file($proxy->config, $config =~ s/default_role = "primary"/default_role = "any"/r);
    refused($proxy, $option, qr/default_role.*"any"/, '--primary', $at_target);
    write_file($proxy->config, $config =~ s/@{[$source->port]}/1/r);
    refused($proxy, $option, qr/does not use the servers that its file names/, '--primary', $at_target);
    write_file($proxy->config, $config);

    my @split = ('--primary', $at_target, '--replica', $at_replica, '--split', 'on', '--accept-prepared');
    my $result = $migration->ok(set_words($option, @split, '--dry-run'));
    like($result->{stdout}, qr/query_parser_read_write_splitting\n\s+from  not set\n\s+to    true.*Nothing was changed/s,
        'a dry run says what would change');
    is(slurp_file($proxy->config), $config, 'and changes nothing');
    $migration->ok(set_words($option, @split));
    is(shown($option), "primary $at_target the target; replica $at_replica another", 'it is set, and shown');
    like(slurp_file($proxy->config), qr/\["127.0.0.1", @{[$target->port]}, "primary"\], # the source\n\s+\["127.0.0.1", @{[$replica->port]}, "replica"\],\n/,
        'comments stay where they were');
    if (defined $program) {
        is($ask->('SELECT pg_is_in_recovery()'), "t\n", 'reads go to the replica');
        is($proxy->run($proxy->uri('app'), 'INSERT INTO written VALUES (1)')->{status}, 0, 'writes go to the primary');
    }
    $migration->ok(set_words($option, '--undo'));
    is(slurp_file($proxy->config), $config, 'taken back to the byte');
    is(shown($option), "primary $at_source the source", 'and in the proxy');
    like($ask->('SHOW server_version'), qr/^11/, 'the clients, too');
    $migration->exits(3, set_words($option, '--undo'));

    $migration->ok(set_words($option, '--primary', $at_target, '--mirror', $at_source));
    is(shown($option), "primary $at_target the target; mirror $at_source the source", 'a mirror');
    $migration->ok(set_words($option, '--undo'));
    is(slurp_file($proxy->config), $config, 'taken back to the byte');

    # The file is not the one that it reads.
    write_file($proxy->config . '.copy', $config);
    $result = $migration->exits(3, set_words($option . '.copy', '--primary', $at_target));
    like($result->{stderr}, qr/taken back.*does not use/, 'what the proxy does not show is taken back');
    is(slurp_file($proxy->config . '.copy'), $config, 'and so is the file');
    ok(!-e $proxy->config . '.copy.penstock-set', 'there is nothing to take back');
    $proxy->kill9;
    return;
}

subtest 'PgBouncer' => sub {
    my $proxy = start_pgbouncer('pgbouncer', app => $source);
    my $config = slurp_file($proxy->config);
    my $option = $proxy->option;
    my $version = sub { return $proxy->run($proxy->uri('app'), 'SHOW server_version')->{stdout} };
    like($version->(), qr/^11/, 'it leads to the source');
    is(shown($option), "primary $at_source the source", 'show');
    refused($proxy, $option, qr/one server for each entry/, '--primary', $at_target, '--replica', $at_replica);
    refused($proxy, $option, qr/primary 127.0.0.1:1, as "\w+"/, '--primary', '127.0.0.1:1');
    refused($proxy, $option, qr/takes no writes/, '--primary', $at_replica);
    $migration->ok(set_words($option, '--primary', $at_target, '--dry-run'));
    is(slurp_file($proxy->config), $config, 'a dry run changes nothing');
    $migration->ok(set_words($option, '--primary', $at_target));
    is(shown($option), "primary $at_target the target", 'it is set, and shown');
    like($version->(), qr/^14/, 'clients are there');
    $migration->ok(set_words($option, '--undo'));
    is(slurp_file($proxy->config), $config, 'taken back to the byte');
    like($version->(), qr/^11/, 'clients, too');
    $migration->exits(3, set_words($option, '--undo'));
};
PenstockTest::Pgcat::with_each(\&pgcat);
done_testing();
