# What a user has that the way back would make, or that acts on what it defines, is found before anything is done: publications,
# subscription and slot of its names, and event triggers that refuse. Nothing of it is dropped.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
app_database('app', $source, $target);
$source->sql('app', 'CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (1)');
my $migration = migration($source, $target, database => 'app');
my @switch = ('--proxy' => 'none', '--max-lag' => '1000000000');

sub theirs
{
    return join ' ', map { $_->[0]->sql('app', $_->[1]) } (
        [$target, q{SELECT string_agg(pubname, ' ' ORDER BY pubname) FROM pg_publication}],
        [$target, q{SELECT string_agg(slot_name, ' ') FROM pg_replication_slots WHERE plugin = 'pgoutput'}],
        [$source, q{SELECT string_agg(subname || ' of ' || array_to_string(subpublications, ','), ' ') FROM pg_subscription}],
    );
}

$migration->ok('copy');
my $applier = $migration->follow;
$migration->wait_until_caught_up;
$target->sql('app', 'CREATE PUBLICATION penstock_reverse_default FOR TABLE kept; CREATE PUBLICATION penstock_inserts_default');
$target->sql('app', q{SELECT pg_create_logical_replication_slot('penstock_reverse_default', 'pgoutput')});
$source->sql('app', q{CREATE SUBSCRIPTION penstock_reverse_default CONNECTION 'dbname=nowhere' PUBLICATION other WITH (connect = false, slot_name = NONE)});
my $theirs = theirs();
foreach my $run (['cutover', @switch, '--dry-run'], ['cutover', @switch, '--yes']) {
    my $said = $migration->exits(3, @$run)->{stderr};
    like($said, qr/a publication penstock_${_}_default is there, on the target, that this migration did not make.*?DROP PUBLICATION penstock_${_}_default/s, "publication $_ is named, and the cure")
      foreach qw(reverse inserts);
    like($said, qr/a subscription penstock_reverse_default is there, on the source/, 'the subscription is named');
    like($said, qr/a replication slot penstock_reverse_default is there, on the target/, 'the slot is named');
}
is(theirs(), $theirs, 'they stay');
$applier->stop;
$migration->ok('finish', '--abandon', '--no-report');
is(theirs(), $theirs, 'finish leaves them');
$source->sql('app', 'DROP SUBSCRIPTION penstock_reverse_default');
$target->sql('app', q{DROP PUBLICATION penstock_reverse_default, penstock_inserts_default; SELECT pg_drop_replication_slot('penstock_reverse_default')});

# Ours are known again, there and back and there again.
$target->sql('app', 'DROP TABLE kept');
$migration->ok('copy');
foreach my $time (1, 2) {
    $migration->follow;
    $migration->wait_until_caught_up;
    $migration->ok('cutover', @switch, '--yes');
    next if $time == 2;
    $migration->ok('rollback', @switch, '--yes');
    is(theirs(), '  ', 'nothing of the way back is left');
}

# An event trigger that is ENABLE does not act on what we define; one that is ALWAYS would end the rollback behind its release.
my $writable = 'SET default_transaction_read_only = off;';
foreach my $side ($source, $target) {
    $side->sql('app', "$writable CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no % here'', tg_tag; END'");
    $side->sql('app', "$writable CREATE EVENT TRIGGER refuses ON ddl_command_start EXECUTE PROCEDURE refuse()");
    $side->sql('app', "$writable ALTER EVENT TRIGGER refuses ENABLE ALWAYS");
}
my @rollback = ('rollback', @switch, '--accept-drift');
my $said = $migration->exits(3, @rollback, '--yes')->{stderr};
like($said, qr/event triggers of the target.*refuses.*no CREATE PUBLICATION here.*ALTER EVENT TRIGGER refuses DISABLE/s, 'one on the target is foreseen');
like($said, qr/event triggers of the source.*refuses.*no CREATE SUBSCRIPTION here/s, 'and one on the source');
$_->sql('app', "$writable ALTER EVENT TRIGGER refuses ENABLE") foreach $source, $target;

# What keeps the way back from running is said at once, or that it is waited for.
my $own = "$writable SET session_replication_role = replica;";
$source->sql('app', "$own ALTER SUBSCRIPTION penstock_reverse_default DISABLE");
like($migration->exits(3, @rollback, '--yes')->{stderr}, qr/subscription penstock_reverse_default on the source is disabled.*ALTER SUBSCRIPTION penstock_reverse_default ENABLE/s, 'a subscription that was disabled is not waited for');
my $conninfo = $source->sql('app', 'SELECT subconninfo FROM pg_subscription');
$source->sql('app', "$own ALTER SUBSCRIPTION penstock_reverse_default CONNECTION 'host=/nowhere'");
$source->sql('app', "$own ALTER SUBSCRIPTION penstock_reverse_default ENABLE");
my $waits = background('rollback', $migration->command(@rollback, '--yes'));
wait_until('it to say what it waits for', sub { !$waits->is_running || $waits->log_text =~ /waiting for the subscription penstock_reverse_default on the source, which does not run/ });
ok($waits->is_running, 'the wait is said while it goes on');
$source->sql('app', $own . ' ALTER SUBSCRIPTION penstock_reverse_default CONNECTION ' . ($conninfo =~ s/'/''/gr =~ s/^|$/'/gr));
is($waits->wait, 0, 'and the rollback goes on; event triggers that are ENABLE do not act on it') or diag($waits->log_tail(12));
is(theirs(), '  ', 'nothing of the way back is left');

# Nor on what a finish takes away, and a copy makes.
$migration->ok('finish', '--abandon', '--no-report');
is($_->sql('app', q{SELECT count(*) FROM pg_namespace WHERE nspname = 'penstock'}), '0', 'schema penstock is gone') foreach $source, $target;
$_->sql('postgres', 'CREATE DATABASE guarded') foreach $source, $target;
$source->sql('guarded', 'CREATE TABLE kept (id int PRIMARY KEY)');
$source->sql('guarded', q{CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no % here'', tg_tag; END'});
$source->sql('guarded', 'CREATE EVENT TRIGGER refuses ON ddl_command_start EXECUTE PROCEDURE refuse()');
my $guarded = migration($source, $target, database => 'guarded');
$guarded->ok('copy');
$guarded->ok('finish', '--abandon', '--no-report');
is($_->sql('guarded', q{SELECT count(*) FROM pg_namespace WHERE nspname = 'penstock'}), '0', 'and of a copy') foreach $source, $target;
done_testing();
