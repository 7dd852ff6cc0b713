# Two switches behind one proxy at once, of two databases whose entries stand in one file: neither takes away what the other has put
# there, no edit of the one loses an edit of the other's, and both come through without an error for a client.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Journal;
use PenstockTest::Pgcat;
use PenstockTest::Writers;

my $source = start_source('source', conf => "max_replication_slots = 20\nmax_wal_senders = 20\n");
my $target = start_target('target', conf => "max_replication_slots = 20\nmax_wal_senders = 20\n");

# Databases copied and followed, each by a migration of its name.
sub prepare
{
    my ($proxy, @databases) = @_;
    my @all;
    foreach my $database (@databases) {
        my $migration = migration($source, $target, database => $database, name => $database);
        $migration->ok('copy');
        $migration->follow;
        $migration->wait_until_caught_up;
        push @all, {
            database  => $database,
            migration => $migration,
            journal   => PenstockTest::Journal->new($target, $database),
            cutover   => [$migration->cutover_words($proxy), '--yes'],
            rollback  => [$migration->rollback_words($proxy), '--yes'],
        };
    }
    return @all;
}

sub follow_again
{
    my (@all) = @_;
    $_->{migration}->follow   foreach @all;
    $_->{migration}->wait_until_caught_up foreach @all;
    return;
}

sub at_once
{
    my ($road, @all) = @_;
    my @runs = map { background("$_->{database}_$road", $_->{migration}->command(@{$_->{$road}})) } @all;
    is($_->wait, 0, "$road, both at once") or diag($_->log_tail(12)) foreach @runs;
    return;
}

sub lead_to
{
    my ($proxy, $server, @all) = @_;
    my $version = $server == $source ? qr/^11/ : qr/^14/;
    like($proxy->run($proxy->uri($_->{database}), 'SHOW server_version')->{stdout}, $version, "$_->{database} leads there") foreach @all;
    is(join(' ', glob($proxy->config . '*lock')), '', 'no lock is left');
    return;
}

subtest 'one PgBouncer' => sub {
    app_database($_, $source, $target) foreach qw(one two);
    my %writers = map { $_ => PenstockTest::Writers->new($source, $_) } qw(one two);
    my $proxy = start_pgbouncer('shared', one => $source, two => $source);
    my $config = slurp_file($proxy->config);
    my ($one, $two) = my @all = prepare($proxy, qw(one two));
    $writers{$_}->start("load_$_", $proxy->uri($_), '--rate=300', '--client=4') foreach qw(one two);

    # One has its lookout in the file, and holds its clients; the other begins and ends meanwhile. A check of the first rehearses, too.
    my $held = $one->{journal}->stand_at('cutover look begin', $one->{migration}->command(@{$one->{cutover}}));
    $two->{migration}->ok(@{$two->{cutover}});
    $one->{migration}->run('check', '--proxy' => $proxy->option, '--target-address' => $target->address);
    $one->{journal}->go_on;
    is($held->wait, 0, 'the one that stood is through, too') or diag($held->log_tail(12));
    lead_to($proxy, $target, @all);
    unlike(slurp_file($proxy->config), qr/penstock_rehearsal|; penstock|# penstock/, 'nothing of ours is left in the file');

    $held = $two->{journal}->stand_at('rollback point begin', $two->{migration}->command(@{$two->{rollback}}));
    $one->{migration}->ok(@{$one->{rollback}});
    $two->{journal}->go_on;
    is($held->wait, 0, 'and so on the way back') or diag($held->log_tail(12));
    lead_to($proxy, $source, @all);
    is(slurp_file($proxy->config), $config, 'the file is as before');

    # At once, as it comes.
    follow_again(@all);
    at_once('cutover', @all);
    lead_to($proxy, $target, @all);
    at_once('rollback', @all);
    lead_to($proxy, $source, @all);
    is(slurp_file($proxy->config), $config, 'the file is as before');
    $writers{$_}->end_well($source) foreach qw(one two);
    $proxy->kill9;
};

# It has one gate: the second waits until the first is through.
subtest 'one pgcat' => sub {
    app_database($_, $source, $target) foreach qw(three four);
    my %writers = map { $_ => PenstockTest::Writers->new($source, $_) } qw(three four);
    my $proxy = PenstockTest::Pgcat->start_new('pgcat', scalar PenstockTest::Pgcat::real(), 'three', $source);
    my $config = slurp_file($proxy->config);
    $config .= "\n" . ($config =~ s/.*?(?=^\[pools)//smr) =~ s/three/four/gr;
    write_file($proxy->config, $config);
    $proxy->run($proxy->admin_uri, 'RELOAD');
    my ($three, $four) = my @all = prepare($proxy, qw(three four));
    $writers{$_}->start("load_$_", $proxy->uri($_), '--rate=300', '--client=4') foreach qw(three four);

    my $held = $three->{journal}->stand_at('cutover look begin', $three->{migration}->command(@{$three->{cutover}}));
    my $waits = background('four', $four->{migration}->command(@{$four->{cutover}}));
    wait_until('the other to begin', sub { !$waits->is_running || $target->sql('postgres', q{SELECT 1 FROM pg_stat_activity WHERE datname = 'four' AND application_name = 'penstock cutover'}) });
    $three->{journal}->go_on;
    is($held->wait, 0, 'the one that holds clients is through') or diag($held->log_tail(12));
    is($waits->wait, 0, 'and then the one that waited for it') or diag($waits->log_tail(12));
    lead_to($proxy, $target, @all);
    at_once('rollback', @all);
    lead_to($proxy, $source, @all);
    unlike(slurp_file($proxy->config), qr/penstock_rehearsal|; penstock|# penstock/, 'nothing of ours is left in the file');
    $writers{$_}->end_well($source) foreach qw(three four);
    $proxy->kill9;
};
done_testing();
