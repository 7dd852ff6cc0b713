# Whole histories of migrations, in the manner of Rails, Django and Flyway, run against the source while it streams: in the end both
# sides have the same definitions and the same rows, and nothing stopped.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source', conf => 'fsync = off');
my $target = start_target('target', conf => 'fsync = off');
$_->sql('postgres', 'CREATE ROLE app; CREATE ROLE reader') foreach $source, $target;
foreach my $name (qw(rails django flyway)) {
    $_->sql('postgres', "CREATE DATABASE $name") foreach $source, $target;
    my $migration = migration($source, $target, database => $name, name => $name, ddl => 'capture');
    $migration->ok('copy', '--lanes', 4);
    my $applier = $migration->follow;
    my $run = run_program('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$FindBin::Bin/sql/history_$name.sql", $source->uri($name));
    is($run->{status}, 0, "$name: the history runs at the source") or diag($run->{stderr});
    eval { $migration->wait_until_caught_up; 1 } or diag($@, $applier->log_tail(5));
    same_rows($source, $target, $name, $name);
    my $drift = $migration->drift;
    is_deeply($drift, [], "$name: the same definitions") or diag(explain($drift));
    note("$name: ", $target->sql($name, q{SELECT string_agg(concat(n, ' ', state), ', ') FROM
        (SELECT state, count(*) AS n FROM penstock.ddl GROUP BY 1) c}));
    is($target->sql($name, q{SELECT string_agg(concat(schema_name, '.', table_name), ', ') FROM penstock.relation WHERE recopy_lsn IS NOT NULL}),
        '', "$name: no table has to be copied anew");
    is($applier->stop, 0, "$name: the applier ends");
}
done_testing();
