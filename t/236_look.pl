# A look through the proxy before anybody is let go there; a comparison that outlives the command that kept its moment; and the
# proxy's file, looked at until finish.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use PenstockTest;
use PenstockTest::Journal;
use PenstockTest::Pgcat;
use PenstockTest::Writers;

my $source = start_source('source');
my $target = start_target('target');
app_database('app', $source, $target);
my $writers = PenstockTest::Writers->new($source, 'app');
my $migration = migration($source, $target, database => 'app');
$migration->ok('copy');
my $journal = PenstockTest::Journal->new($target, 'app');

sub follow
{
    $migration->follow unless $migration->{applier} && $migration->{applier}->is_running;
    $migration->wait_until_caught_up;
    return;
}
sub fence { return $source->sql('postgres', q{SELECT datconnlimit FROM pg_database WHERE datname = 'app'}) }
sub keepers
{
    return $target->sql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'penstock cutover snapshot'});
}

# Writers behind that proxy; what they were told is there when the tests end, on the source.
sub with_writers
{
    my ($name, $proxy, $tests) = @_;
    follow();
    my $before = $writers->rows($source);
    $writers->start("load_$name", $proxy->uri('app'));
    $writers->go_on($source, 'before');
    $tests->();
    my ($load) = splice(@{$writers->{loads}});
    is($load->stop('ALRM'), 0, 'the clients end well');
    unlike($load->log_text, qr/aborted|ERROR|FATAL/, 'and saw no error');
    my ($count) = $load->log_text =~ /number of transactions actually processed: (\d+)/;
    is($writers->rows($source) - $before, $count, 'every acknowledged row is there, and no other');
    return;
}

# Clients could not log in at the target: seen while all can be undone, and nobody notices.
sub look_in_vain
{
    my ($proxy) = @_;
    my $config = slurp_file($proxy->config);
    my $held = $journal->stand_at('cutover look begin', $migration->command($migration->cutover_words($proxy), '--yes'));
    is(fence(), '0', 'clients are held');
    $target->sql('postgres', 'ALTER ROLE app NOLOGIN');
    $journal->go_on;
    is($held->wait, 3, 'a look that fails ends the cutover');
    like($held->log_tail, qr/error  look: as "app" of .*Nobody was let go there/s, 'that is said');
    unlike($held->log_text, qr/release/, 'before the release');
    $target->sql('postgres', 'ALTER ROLE app LOGIN');
    is(fence(), '-1', 'the source is open');
    is(slurp_file($proxy->config), $config, 'the file of the proxy is what it was');
    $writers->go_on($source, 'undone');
    return;
}

my $proxy = start_pgbouncer('pgbouncer', app => $source);
subtest 'PgBouncer' => sub { with_writers('pgbouncer', $proxy, sub {
    look_in_vain($proxy);

    # The applier dies while clients are held: nobody waits for it.
    my @cutover = ($migration->cutover_words($proxy), '--yes');
    my $held = $journal->stand_at('cutover position begin', $migration->command(@cutover));
    $migration->{applier}->kill9;
    $journal->go_on;
    is($held->wait, 3, 'without an applier all is undone');
    like($held->log_tail, qr/catch up: the applier has died/, 'since it has died, not after a while of silence');
    follow();

    # Killed when clients had been let go: the moment of the switch is compared by who carries on, though they have written since.
    $journal->kill_behind('cutover gone begin', $migration->command(@cutover, '--verify'));
    $writers->go_on($target, 'there');
    like($migration->exits(3, 'verify')->{stderr}, qr/a cutover .* was begun and not ended.*cutover --resume/s, 'nothing else can compare now');
    my $result = $migration->ok('cutover', '--resume');
    like($result->{stdout}, qr/1 tables?, \d+ rows: 0 different, 0 without/, 'the moment of the switch is compared by another run');
    unlike(slurp_file($proxy->config), qr/penstock_rehearsal/, 'nothing of ours is left in the file');
    wait_until('its keeper to end', sub { keepers() == 0 });

    # The file is changed behind our back.
    my $status = decode_json($migration->ok('status', '--json', '--exit-code')->{stdout});
    is($status->{proxy_files}[0]{as_switched}, JSON::PP::true, 'the file is as the switch left it');
    my $config = slurp_file($proxy->config);
    my ($new, $old) = map { $_->port } $target, $source;
    write_file($proxy->config, $config =~ s/port=$new/port=$old/r);
    like($migration->exits(1, 'status', '--exit-code')->{stdout}, qr/^.*pgbouncer\.ini was changed since the switch: "app" leads to 127\.0\.0\.1:$old/m,
        'a file that was written back is said');
    write_file($proxy->config, $config);

    # And back, with the same look.
    my @rollback = ($migration->rollback_words($proxy), '--yes');
    $held = $journal->stand_at('rollback look begin', $migration->command(@rollback));
    $source->sql('postgres', 'ALTER ROLE app NOLOGIN');
    $journal->go_on;
    is($held->wait, 3, 'a look that fails ends the rollback');
    like($held->log_tail, qr/error  look: /, 'by the look');
    $source->sql('postgres', 'ALTER ROLE app LOGIN');
    $writers->go_on($target, 'not back');
    $migration->ok(@rollback);
    $writers->go_on($source, 'back');

    # The moment is gone with its keeper: said, and not taken for a success.
    follow();
    $journal->kill_behind('cutover gone begin', $migration->command(@cutover, '--verify', '--probe' => $proxy->uri('app')));
    $target->sql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'penstock cutover snapshot'});
    wait_until('the keeper to be gone', sub { keepers() == 0 });
    like($migration->exits(1, 'cutover', '--resume')->{stderr}, qr/not shown: the moment of the switch cannot be compared any more/, 'that is said');
    $migration->ok(@rollback);
}) };

PenstockTest::Pgcat::with_each(sub {
    my ($name, $program) = @_;
    my $pgcat = PenstockTest::Pgcat->start_new("pgcat_$name", $program, 'app', $source);
    with_writers($name, $pgcat, sub {
        # Who cannot log in there is found beforehand, too, by pgcat itself.
        $target->sql('postgres', 'ALTER ROLE app NOLOGIN');
        # The target is still fenced by the rollback; pgcat can only try where it is not.
        $target->sql('postgres', q{ALTER DATABASE app CONNECTION LIMIT -1});
        my $result = $migration->exits(3, $migration->cutover_words($pgcat), '--yes');
        like($result->{stderr}, qr/"app", a user of pool "app", cannot log in at .* as pgcat does it/, 'the preflight tries it as pgcat does');
        $target->sql('postgres', q{ALTER DATABASE app CONNECTION LIMIT 0});
        $target->sql('postgres', 'ALTER ROLE app LOGIN');
        look_in_vain($pgcat);
    });

    # Nobody gets through any more once all were let go: back, since nobody has written.
    follow();
    my $held = $journal->stand_at('cutover release begin', $migration->command($migration->cutover_words($pgcat), '--yes', '--probe' => $pgcat->uri('app')));
    $target->sql('postgres', 'ALTER ROLE app NOLOGIN');
    $journal->go_on;
    is($held->wait, 3, 'a look that fails after the release');
    like($held->log_tail, qr/nobody has written to the target: going back.*Undone: clients go on/s, 'goes back when nobody has written');
    is(fence(), '-1', 'the source is open');
    is($pgcat->run($pgcat->uri('app'), 'SHOW server_version')->{stdout} =~ /^11/, 1, 'where clients are again');
    ok(!-e $pgcat->config . '.penstock-gate', 'nobody is held');
    $target->sql('postgres', 'ALTER ROLE app LOGIN');
});
# A proxy that is restarted when its file leads to the target already: its clients write nothing that an undo would lose.
subtest 'a proxy that forgets the hold' => sub {
    follow();
    my $held = $journal->stand_at('cutover prove begin', $migration->command($migration->cutover_words($proxy), '--yes'));
    $proxy->kill9;
    $proxy->process->start;
    $proxy->wait_until_it_answers;
    my $early = $proxy->run($proxy->uri('app'), 'INSERT INTO written (client, n) VALUES (1, 1)');
    like($early->{stderr}, qr/read-only transaction/, 'a client that comes too early writes nothing');
    my $reader = PenstockTest::Blocker->start($target, 'app', 'SELECT', $proxy->uri('app'));
    $journal->go_on;
    is($held->wait, 0, 'the switch goes on') or diag($held->log_tail);
    is($proxy->run($proxy->uri('app'), 'INSERT INTO written (client, n) VALUES (1, 2)')->{status}, 0, 'and clients write after it');
    is($target->sql('app', q{SELECT count(*) FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()}), '0', 'who began read-only was ended');
    is($target->sql('app', q{SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = 'app'}), '0',
        'nothing is left of it');
};
# The target crashes before anything has come back: a slot that was moved on forgets that, and nothing comes twice all the same.
subtest 'a target that crashes before the way back flows' => sub {
    $migration->ok($migration->rollback_words($proxy), '--yes');
    follow();
    $journal->kill_behind('cutover hold begin', $migration->command($migration->cutover_words($proxy), '--yes', '--no-helper'));
    $source->sql('app', 'INSERT INTO written (client, n) VALUES (-2, 1)');
    my $held = $journal->stand_at('cutover gone begin', $migration->command('cutover', '--resume', '--no-helper'));
    $target->stop('immediate');
    $target->start;
    $journal->go_on;
    is($held->wait, 3, 'the cutover stops there');
    $target->sql('app', 'INSERT INTO written (client, n) VALUES (-2, 2)');
    # 1: the applier, which lost its server, may be silent yet, and does not see that nobody has passed the fence.
    like($migration->run('cutover', '--resume', '--probe' => $proxy->uri('app'))->{status}, qr/^[01]$/, 'and is carried on with');
    wait_until('what was written to come back', sub { $source->sql('app', 'SELECT count(*) FROM written WHERE client = -2') == 2 });
    unlike(slurp_file($source->logfile), qr/duplicate key/, 'and nothing twice');
};
done_testing();
