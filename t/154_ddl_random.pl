# Transactions of rows and DDL of many kinds by several clients, with savepoints, rollbacks and kills: in the end both sides have the same
# definitions and the same rows.
#
# The seed is printed. From the environment:
#   SEED                  runs that seed first, and seeds that follow from it
#   PENSTOCK_DDL_SECONDS  how long new worlds are begun (12)
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Random;
use Time::HiRes qw(time usleep);

my $seconds = $ENV{PENSTOCK_DDL_SECONDS} || 12;
my $seed = $ENV{SEED} || (time * 1000 + $$) % 1_000_000;
my $source = start_source('source', conf => "deadlock_timeout = 50\nfsync = off");
my $target = start_target('target', conf => "deadlock_timeout = 200\nfsync = off");
my $random; # of the world

# What a client knows of its own tables; they are its alone, so that what it knows stays true.
sub new_world
{
    my ($client) = @_;
    return { client => $client, tables => {}, next => 0 };
}

sub copy_world
{
    my ($world) = @_;
    return { client => $world->{client}, next => $world->{next},
        tables => { map { my $t = $world->{tables}{$_}; $_ => { columns => [@{$t->{columns}}], rows => $t->{rows} } } keys %{$world->{tables}} } };
}

# What was rolled back is not known; its names are not used again.
sub go_back
{
    my ($world, $saved) = @_;
    %{$world} = (%{$saved}, next => $world->{next});
    return;
}

sub some_table
{
    my ($world) = @_;
    my @names = sort keys %{$world->{tables}};
    return @names ? $names[$random->below(scalar @names)] : undef;
}

my %types = (int => '1', text => q{'text "q" ''s'}, 'numeric(8,2)' => '1.5', boolean => 'true', timestamptz => 'now()', 'int[]' => q{'{1,2}'});

sub create
{
    my ($world) = @_;
    my $name = "t$world->{client}_" . ++$world->{next};
    $world->{tables}{$name} = { columns => [], rows => 0 };
    return "CREATE TABLE $name (id int PRIMARY KEY, v text)" . $random->pick('', " WITH (fillfactor = " . (50 + $random->below(50)) . ")");
}

sub definition
{
    my ($world) = @_;
    my $name = some_table($world);
    return create($world) if !defined $name || $random->below(12) == 0;
    my $table = $world->{tables}{$name};
    my $n = ++$world->{next};
    my $kind = $random->below(16);
    my @columns = @{$table->{columns}};
    if ($kind <= 4) {
        my $type = $random->pick(sort keys %types);
        push @columns, "c$n";
        $table->{columns} = \@columns;
        return "ALTER TABLE $name ADD c$n $type" . $random->pick('', '', " DEFAULT $types{$type}", " NOT NULL DEFAULT $types{$type}");
    }
    if ($kind == 5 && @columns) {
        my $gone = splice @columns, $random->below(scalar @columns), 1;
        $table->{columns} = \@columns;
        return "ALTER TABLE $name DROP COLUMN $gone CASCADE";
    }
    if ($kind == 6 && @columns) {
        my $at = $random->below(scalar @columns);
        my $old = $columns[$at];
        $columns[$at] = "r$n";
        $table->{columns} = \@columns;
        return "ALTER TABLE $name RENAME $old TO r$n";
    }
    if ($kind == 7) {
        my $new = "n$world->{client}_$n";
        $world->{tables}{$new} = delete $world->{tables}{$name};
        return "ALTER TABLE $name RENAME TO $new";
    }
    if ($kind == 8) {
        delete $world->{tables}{$name};
        return "DROP TABLE $name CASCADE";
    }
    return $random->pick('', 'UNIQUE ') eq '' ? "CREATE INDEX i$world->{client}_$n ON $name (v)" : "CREATE UNIQUE INDEX i$world->{client}_$n ON $name (id, v)" if $kind == 9;
    return "CREATE VIEW w$world->{client}_$n AS SELECT id, v FROM $name" if $kind == 10;
    return "ALTER TABLE $name ALTER v SET DEFAULT 'd$n'" if $kind == 11;
    return "COMMENT ON TABLE $name IS 'comment $n; ''quoted'' \"too\"'" if $kind == 12;
    return "ALTER TABLE $name ADD CHECK (id > -$n)" if $kind == 13;
    return "DO \$x\$ BEGIN EXECUTE 'COMMENT ON COLUMN $name.v IS ''in a block''; '; ALTER TABLE $name SET (fillfactor = " . (20 + $random->below(80)) . "); END \$x\$" if $kind == 14;
    return "GRANT " . $random->pick('SELECT', 'ALL') . " ON $name TO reader";
}

sub rows
{
    my ($world) = @_;
    my $name = some_table($world);
    return () unless defined $name;
    my $table = $world->{tables}{$name};
    my $from = $table->{rows} + 1;
    my $kind = $random->below(5);
    if ($kind <= 2) {
        $table->{rows} += 1 + $random->below(20);
        return "INSERT INTO $name (id, v) SELECT g, repeat('v' || g, 1 + g % 5) FROM generate_series($from, $table->{rows}) g ON CONFLICT DO NOTHING";
    }
    return "UPDATE $name SET v = 'u' || id WHERE id % 3 = " . $random->below(3) if $kind == 3;
    return "DELETE FROM $name WHERE id % 7 = " . $random->below(7);
}

# One client's script: transactions, of which some roll back, whole or to a savepoint. What is known goes back with them.
sub script
{
    my ($world, $transactions) = @_;
    my @lines;
    foreach (1 .. $transactions) {
        my $before = copy_world($world);
        push @lines, 'BEGIN';
        foreach (1 .. 1 + $random->below(5)) {
            if ($random->below(6) == 0) {
                my $saved = copy_world($world);
                push @lines, 'SAVEPOINT s', definition($world), rows($world);
                if ($random->below(2) == 0) {
                    push @lines, 'ROLLBACK TO s';
                    go_back($world, $saved);
                }
            } else {
                push @lines, $random->below(3) == 0 ? definition($world) : rows($world);
            }
        }
        if ($random->below(8) == 0) {
            push @lines, 'ROLLBACK';
            go_back($world, $before);
        } else {
            push @lines, 'COMMIT';
        }
    }
    return join('', "\\set ON_ERROR_STOP 1\n", map { "$_;\n" } @lines);
}

sub world
{
    my ($number) = @_;
    $random = PenstockTest::Random->new($number);
    my $database = "world_$number";
    my @worlds = map { new_world($_) } 1 .. 3;
    $_->sql('postgres', "CREATE DATABASE $database") foreach $source, $target;
    my $migration = migration($source, $target, database => $database, ddl => 'capture');
    $source->script($database, "client_0_$_->{client}", script($_, 4))->wait foreach @worlds;
    $migration->ok('copy', '--lanes', $random->pick(1, 3, 16));
    $migration->follow('--workers', $random->pick(1, 2, 4));
    my @clients = map { $source->script($database, "client_$_->{client}", script($_, 12)) } @worlds;
    foreach my $kill (1 .. 2) {
        usleep(1000 * (50 + $random->below(500)));    # at any moment: chance is the point
        return unless $migration->applier_runs;
        $migration->{applier}->kill9;
        $migration->follow('--workers', $random->pick(1, 2, 4));
    }
    wait_until('the clients to end', sub { !$migration->{applier}->is_running || !grep { $_->is_running } @clients });
    return unless $migration->applier_runs;
    foreach my $client (@clients) {
        is($client->wait, 0, 'the client did all of it') or diag($client->log_tail(5));
    }
    eval { $migration->wait_until_caught_up; 1 } or do { diag($@, $migration->{applier}->log_tail(6)); return };
    my $good = same_rows($source, $target, $database, 'in the end');
    my $drift = $migration->drift;
    if (!is_deeply($drift, [], 'and the same definitions')) {
        diag(explain($drift));
        $good = 0;
    }
    note($target->sql($database, q{SELECT string_agg(concat(state, ' ', n), ', ') FROM (SELECT state, count(*) AS n FROM penstock.ddl GROUP BY 1) c}));
    $migration->{applier}->stop;
    return unless $good;
    $migration->ok('finish', '--abandon');
    $_->sql('postgres', "DROP DATABASE $database") foreach $source, $target;
    return 1;
}

$_->sql('postgres', 'CREATE ROLE reader') foreach $source, $target;
my $end = time + $seconds;
for (my $good = 1; $good && time < $end; $seed++) {
    diag("SEED=$seed");
    my $number = $seed;
    $good = subtest "world of seed $number" => sub { world($number) or fail("this world holds (SEED=$number)") };
}
done_testing();
