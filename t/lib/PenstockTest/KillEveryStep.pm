# The CLI is killed with SIGKILL at every step of the cutover and of the rollback, before the step is done and after, and
# in the undo of every step that has one: --resume and --undo work from each of these points, and the clients that write
# all the while notice nothing.
#
# The helper that ends the hold of a command that was killed is left out here; t/233_way_out.pl has it.
#
# The points are found in --plan, so a step that is added is killed, too. Killed behind the line "begin": nothing of the
# step was done. Killed before the line "done": all of it was, and the journal does not know.
#
#   kill_every_step(sub { my ($source) = @_; ... return $proxy })
#
# The function starts a PenstockTest::Proxy of database "app", which leads to $source.
package PenstockTest::KillEveryStep;

use strict;
use warnings;

use Exporter qw(import);
use PenstockTest;
use PenstockTest::Journal;
use PenstockTest::Writers;
use Test::More;

our @EXPORT = qw(kill_every_step);

my ($source, $target, $proxy, $migration, $journal, $writers, %words);

sub _start
{
    my ($start_proxy) = @_;
    $source = start_source('source');
    $target = start_target('target');
    app_database('app', $source, $target);
    $writers = PenstockTest::Writers->new($source, 'app');
    $proxy = $start_proxy->($source);
    my $uri = $proxy->uri('app');
    $migration = migration($source, $target, database => 'app');
    $migration->ok('copy');
    $journal = PenstockTest::Journal->new($target, 'app');
    $migration->follow;
    $migration->wait_until_caught_up;
    $writers->start('load', $uri, '--client=6', '--rate=150');

    # A resumed run has no credentials from its preflight: the probe gets its own.
    %words = (
        cutover  => [$migration->cutover_words($proxy), '--probe' => $uri, '--no-helper'],
        rollback => [$migration->rollback_words($proxy), '--probe' => $uri, '--no-helper'],
    );
    return;
}

# Whom clients write to, and what stands on both servers: fences, publications, slots, subscription.
my $limits = q{SELECT datconnlimit FROM pg_database WHERE datname = 'app'};
my $made = q{SELECT (SELECT count(*) FROM pg_subscription) || ' ' || (SELECT count(*) FROM pg_publication) || ' '
    || (SELECT string_agg(plugin, ',') FROM pg_replication_slots WHERE NOT temporary)};
sub standing
{
    return join('; ', map { $_->sql('postgres', $limits) . ' ' . $_->sql('app', $made) } $source, $target)
      . '; phase ' . $target->sql('app', 'SELECT phase FROM penstock.migration') . '; ' . slurp_file($proxy->config);
}

sub command { my ($road, @words) = @_; return $migration->command(@{$words{$road}}, @words) }
sub ok_road { my ($road, @words) = @_; return $migration->ok(@{$words{$road}}, @words) }
sub exits_road { my ($road, $status, @words) = @_; return $migration->exits($status, @{$words{$road}}, @words) }

sub steps
{
    my ($road) = @_;
    my ($commits, @steps) = (0);
    foreach my $line (split /\n/, ok_road($road, '--plan')->{stdout}) {
        next unless $line =~ /^ +\d+  (.{10})  /;
        my $name = $1 =~ s/ +$//r;
        $commits = 1 if $line =~ /point of no return/;
        push @steps, {name => $name, undo => !!($line =~ /undone if/), committed => $commits};
    }
    die "--plan shows no steps\n" unless @steps;
    return @steps;
}

# Undone from everywhere: what stands afterwards is what stood before. A step that has nothing to undo is killed once.
sub undo_everywhere
{
    my ($road) = @_;
    my $before = standing();
    foreach my $step (grep { !$_->{committed} } steps($road)) {
        my $name = $step->{name};
        if ($step->{undo}) {
            $journal->kill_behind("$road $name begin", command($road, '--yes'));
            ok_road($road, '--undo');
            is(standing(), $before, "$road, $name: undone before it was done");
        }
        $journal->kill_before("$road $name done", command($road, '--yes'));
        if ($step->{undo}) {
            $journal->kill_behind("$road $name undoing", command($road, '--undo'));
            $journal->kill_before("$road $name undone", command($road, '--undo'));
        }
        ok_road($road, '--undo');
        is(standing(), $before, "$road, $name: undone after it was done");
    }
    return;
}

# One road in which every step is killed both ways, and its undo too, and which is carried on with each time.
sub carry_on
{
    my ($road) = @_;
    my @how = ('--yes');
    foreach my $step (steps($road)) {
        my $name = $step->{name};
        $journal->kill_behind("$road $name begin", command($road, @how));
        @how = ('--resume');
        $journal->kill_before("$road $name done", command($road, @how));
        if ($step->{undo}) {
            $journal->kill_before("$road $name undone", command($road, '--undo'));
        } elsif ($step->{committed}) {
            my $refused = exits_road($road, 3, '--undo')->{stderr};
            like($refused, $road eq 'cutover' ? qr/released.*penstock rollback/s : qr/released.*penstock cutover/s,
                "$road, $name: there is no undo any more, and what to do instead is said");
        }
    }
    ok_road($road, '--resume');
    return;
}

sub kill_every_step
{
    my ($start_proxy) = @_;
    _start($start_proxy);
    my $config = slurp_file($proxy->config);
    subtest 'the cutover is undone' => sub {
        undo_everywhere('cutover');
        $writers->go_on($source, 'undone');
    };

    subtest 'the cutover is carried on with' => sub {
        carry_on('cutover');
        is($target->sql('app', 'SELECT phase FROM penstock.migration'), 'switched', 'switched');
        $writers->go_on($target, 'there');
    };
    subtest 'the rollback is undone' => sub {
        undo_everywhere('rollback');
        $writers->go_on($target, 'not back');
    };
    subtest 'the rollback is carried on with' => sub {
        carry_on('rollback');
        is($target->sql('app', 'SELECT phase FROM penstock.migration'), 'copied', 'back where it was');
        $migration->follow;
        $migration->wait_until_caught_up;
        $writers->go_on($source, 'back');
    };

    is(slurp_file($proxy->config), $config, 'the configuration of the proxy is what it was');
    $writers->end_well($source);
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'app', 'after all of it');
    return;
}

1;
