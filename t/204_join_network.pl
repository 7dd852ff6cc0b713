# Two hosts copy along with each other, each in a network of its own; one of them is cut off in the kernel, so that nobody is told:
# what it was at is done again, and when its network is back it learns that it was given up.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest::Network;
use PenstockTest;

my $source = start_source('source', conf => "listen_addresses = '*'\n");
my $target = start_target('target', conf => "listen_addresses = '*'\n");

# On the target each row waits for whoever has the advisory lock 55.
$source->sql('postgres', <<'SQL');
CREATE FUNCTION gate() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
    IF current_setting('server_version_num')::int >= 120000 THEN
        PERFORM pg_advisory_lock_shared(55), pg_advisory_unlock_shared(55);
    END IF;
    RETURN true;
END $$;
CREATE DOMAIN gated AS int CHECK (VALUE > 1 OR gate());
DO $$ BEGIN FOR i IN 1 .. 6 LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v gated, filler text);'
    'INSERT INTO t%1$s SELECT i, i, repeat(''x'', 900) FROM generate_series(1, %2$s) AS i', i, 400 + i); END LOOP; END $$;
ANALYZE;
SQL

my $network = PenstockTest::Network->start_new;
my ($to_source, $to_target) = map { $network->cable($_) } $source, $target;
my $migration = migration($source, $target);

sub at_the_gate
{
    return $target->sql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE '%COPY %'});
}

my ($copy, $go) = $migration->copy_up_to('data', '--jobs', 1, '--cycle', 1);
my $gate = $target->background_psql('postgres');
$gate->query_safe('SELECT pg_advisory_lock(55)');
$go->();
my $far = background('far', $network->far_side(program('penstock'), 'copy', '--join', '--jobs', 2,
    '--source' => $to_source->uri('postgres'), '--target' => $to_target->uri('postgres')));
wait_until('three jobs to run', sub { !$copy->is_running || at_the_gate() == 3 });
is($target->sql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE client_addr = '10.77.2.2' AND query LIKE '%COPY %'}), '2', 'two of them by the host at the far side');

$_->cut foreach $to_source, $to_target;
# A minute later, so to speak.
$target->sql('postgres', q{UPDATE penstock.copier SET seen_at = seen_at - interval '1 hour'});
wait_until('it to be given up', sub { !$copy->is_running || at_the_gate() == 1 });
$copy->says(qr/which copied along, was not seen/, 'the copy says so');
$gate->query_safe('SELECT pg_advisory_unlock(55)');
is($copy->wait, 0, 'and ends well without it') or diag($copy->log_tail(20));
$_->mend foreach $to_source, $to_target;
is($far->wait, 3, 'when its network is back, the host learns that') or diag($far->log_tail(5));
my $applier = $migration->follow;
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'nothing is missing, nothing twice');
is($applier->stop, 0, 'the applier ends cleanly');
$gate->quit;

done_testing();
