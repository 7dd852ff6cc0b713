# What goes wrong is said in words that help, with the exit status that scripts can rely on: 2 for a wrong command line, 3
# for a failure.
use strict;
use warnings;

use File::Copy qw(copy);
use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $penstock = program('penstock');

# says(STATUS, PATTERN, NAME, COMMAND …)
sub says
{
    my ($status, $pattern, $name, @command) = @_;
    my $result = run_program(@command);
    is($result->{status}, $status, "$name: status");
    like($result->{stderr} . $result->{stdout}, $pattern, "$name: message");
    unlike($result->{stderr} . $result->{stdout}, qr/geheim/, "$name: no password");
    return;
}

subtest 'command line' => sub {
    says(2, qr/chekc.*check/s, 'a misspelt command', $penstock, 'chekc');
    says(2, qr/frobnicate/, 'an unknown option', $penstock, 'copy', '--frobnicate');
    says(2, qr/--jobs.*many/, 'a number that is none', $penstock, 'copy', '--jobs=many');
};

subtest 'servers that cannot be reached' => sub {
    my $nowhere = 'postgresql://someone:geheim@127.0.0.1:1/nothing';
    says(3, qr/source.*127\.0\.0\.1.*refused/s, 'the source', $penstock, 'copy', "--source=$nowhere",
        '--target=' . $target->uri('postgres'));
    foreach my $command (qw(copy follow)) {
        says(3, qr/target.*127\.0\.0\.1.*refused/s, "the target of $command", $penstock, $command,
            '--source=' . $source->uri('postgres'), "--target=$nowhere");
    }
    says(3, qr/no_such_database/, 'a database that is not there', $penstock, 'copy',
        '--source=' . $source->uri('no_such_database'), '--target=' . $target->uri('postgres'));
    says(2, qr/source/, 'a connection string that is none', $penstock, 'copy', '--source=postgresql://%zz',
        '--target=' . $target->uri('postgres'));
};

subtest 'commands before their time' => sub {
    my $early = migration($source, $target);
    foreach my $words (['follow'], ['cutover', '--proxy=none']) {
        my $result = $early->exits(3, @$words);
        like($result->{stderr}, qr/penstock copy/, "$words->[0] says what comes first");
    }
    $early->exits(2, 'cutover');
};

subtest 'roles that may not' => sub {
    $source->sql('postgres', 'CREATE ROLE weak LOGIN; CREATE TABLE private (id int PRIMARY KEY)');
    $target->sql('postgres', 'CREATE ROLE weak LOGIN');
    says(3, qr/replicat|permission/i, 'the source', $penstock, 'copy',
        '--source=' . $source->uri('postgres', user => 'weak'), '--target=' . $target->uri('postgres'));
    says(3, qr/permission|privilege|superuser/i, 'the target', $penstock, 'copy',
        '--source=' . $source->uri('postgres'), '--target=' . $target->uri('postgres', user => 'weak'));
    $source->sql('postgres', "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
    $target->sql('postgres', 'DROP SCHEMA IF EXISTS penstock CASCADE');
};

subtest 'another plugin under our name' => sub {
    my $folder = PostgreSQL::Test::Utils::tempdir();
    copy("$ENV{PENSTOCK_SERVERS}/pg11/native/lib/postgresql/test_decoding.so", "$folder/penstock.so") or die "copy: $!\n";
    my $wrong = start_source('wrong_plugin', conf => "dynamic_library_path = '$folder:\$libdir'");
    $target->sql('postgres', 'CREATE DATABASE wrong');
    $wrong->sql('postgres', 'CREATE DATABASE wrong');
    my $migration = migration($wrong, $target, database => 'wrong');
    like($migration->exits(1, 'check')->{stdout}, qr/plugin/i, 'check says so');
    $wrong->sql('wrong', 'CREATE TABLE t (id int PRIMARY KEY)');
    $migration->run('copy');
    $wrong->sql('wrong', 'INSERT INTO t VALUES (1)');
    my $result = $migration->run('follow');
    is($result->{status}, 3, 'follow fails');
    like($result->{stderr}, qr/plugin|wire_version/, 'and says why');
};

subtest 'a target that does not fit' => sub {
    foreach my $server ($source, $target) {
        $server->sql('postgres', 'CREATE DATABASE misfit');
    }
    $source->sql('misfit', <<'SQL');
CREATE TABLE kept (id int PRIMARY KEY, v int);
CREATE TABLE lost (id int PRIMARY KEY, v int);
CREATE TABLE narrow (id int PRIMARY KEY, v int, w int);
INSERT INTO kept SELECT i, i FROM generate_series(1, 10) AS i;
SQL
    my $migration = migration($source, $target, database => 'misfit', name => 'misfit');
    $migration->ok('copy');

    $target->sql('misfit', 'ALTER TABLE lost RENAME TO lost_and_found');
    my $applier = $migration->follow;
    $source->sql('misfit', 'INSERT INTO kept VALUES (100, 1); INSERT INTO lost VALUES (7, 1)');
    is($applier->wait, 3, 'a missing table: status');
    like($applier->log_text, qr/public\.lost\b.*/, 'a missing table: its name');
    like($applier->log_text, qr{error .*\b[0-9A-F]+/[0-9A-F]+: .*public\.lost}, 'a missing table: the LSN');
    $target->sql('misfit', 'ALTER TABLE lost_and_found RENAME TO lost');

    $target->sql('misfit', 'ALTER TABLE narrow DROP COLUMN w');
    $applier = $migration->follow;
    $migration->wait_until_caught_up;
    is($target->sql('misfit', 'SELECT id FROM lost'), '7', 'the applier goes on once the table is back');
    $source->sql('misfit', 'INSERT INTO narrow VALUES (1, 2, 3)');
    is($applier->wait, 3, 'a missing column: status');
    like($applier->log_text, qr/narrow.*\bw\b/, 'a missing column: its name');
    $target->sql('misfit', 'ALTER TABLE narrow ADD COLUMN w int');

    $target->sql('misfit', 'DELETE FROM kept WHERE id = 5');
    $applier = $migration->follow;
    $migration->wait_until_caught_up;
    $source->sql('misfit', 'UPDATE kept SET v = 50 WHERE id = 5');
    is($applier->wait, 3, 'a missing row: status');
    like($applier->log_text, qr/kept/, 'a missing row: its table');
    like($applier->log_text, qr/\b5\b/, 'a missing row: its key');
    like($migration->run('status')->{stdout}, qr/failed/, 'status says that the applier has failed');
    $target->sql('misfit', 'INSERT INTO kept VALUES (5, 5)');

    $target->sql('misfit', 'INSERT INTO kept VALUES (200, 0)');
    $applier = $migration->follow;
    $migration->wait_until_caught_up;
    $source->sql('misfit', 'INSERT INTO kept VALUES (200, 1)');
    is($applier->wait, 3, 'a row that is there already: status');
    like($applier->log_text, qr/23505/, 'a row that is there already: its SQLSTATE');
    $target->sql('misfit', 'DELETE FROM kept WHERE id = 200');

    $applier = $migration->follow;
    $migration->wait_until_caught_up;
    same_rows($source, $target, 'misfit', 'once all is mended');
    is($applier->stop, 0, 'the applier ends cleanly');
};

# What a policy settles does not stop the applier, is counted, and is listed.
subtest 'policies for what does not fit' => sub {
    my $migration = migration($source, $target, database => 'misfit', name => 'misfit');
    like($migration->exits(2, 'follow', '--on-conflict', 'public.kept=ignore')->{stderr}, qr/neither stop, overwrite or skip/, 'no such policy');
    $target->sql('misfit', q{DELETE FROM kept WHERE id IN (1, 2); INSERT INTO lost VALUES (50, -50)});
    my $applier = $migration->follow('--on-conflict', 'public.lost=overwrite', '--on-conflict=public.kept=skip');
    $source->sql('misfit', <<'SQL');
UPDATE kept SET v = 0 WHERE id <= 3;
INSERT INTO lost SELECT i, i FROM generate_series(45, 55) AS i;
DELETE FROM kept WHERE id = 2;
SQL
    $migration->wait_until_caught_up;
    is($target->sql('misfit', 'SELECT id, v FROM lost WHERE id BETWEEN 49 AND 51 ORDER BY id'), "49|49\n50|50\n51|51", 'overwritten');
    is($target->sql('misfit', 'SELECT id, v FROM kept WHERE id <= 3'), '3|0', 'skipped');
    is($target->sql('misfit', q{SELECT table_name, kind, action, key::text FROM penstock.conflict ORDER BY commit_lsn, sequence}), <<'END' =~ s/\n$//r, 'all listed');
kept|update|skipped|{"id" : "1"}
kept|update|skipped|{"id" : "2"}
lost|insert|overwritten|{"id" : "50"}
kept|delete|skipped|{"id" : "2"}
END
    like($migration->run('status')->{stdout}, qr/^conflicts +1 overwritten, 3 skipped/m, 'status counts them');
    like($migration->run('status', '--json')->{stdout}, qr/"conflicts": ?\{[^}]*"count": ?4/, 'status --json too');
    is($applier->stop, 0, 'the applier ends cleanly');

    $applier = $migration->follow;
    $migration->wait_until_caught_up;
    $target->sql('misfit', 'INSERT INTO lost VALUES (61, -61)');
    $source->sql('misfit', 'INSERT INTO lost SELECT i, i FROM generate_series(60, 62) AS i; INSERT INTO lost VALUES (70, 70)');
    is($applier->wait, 3, 'without a policy it stops');
    my ($lsn) = $applier->log_text =~ qr{insert .*"lost" \(id=61\) at ([0-9A-F]+/[0-9A-F]+), change 2.*SQLSTATE 23505.*\n.*--on-conflict public\.lost=overwrite or =skip, or with --skip-lsn \1};
    ok($lsn, 'and says the SQLSTATE, the key, where, and what to do') or diag($applier->log_tail(3));
    like($migration->exits(3, 'follow', '--skip-lsn', '0/1234')->{stderr}, qr/stopped at is \Q$lsn\E.*/, 'another transaction is not skipped');
    $applier = $migration->follow('--skip-lsn', $lsn);
    $migration->wait_until_caught_up;
    my $listed = q{SELECT (new_row ->> 'v')::int FROM penstock.conflict WHERE problem = 'transaction skipped'};
    is($target->sql('misfit', "SELECT v FROM lost WHERE id >= 60 UNION ALL ($listed) ORDER BY 1"), "-61\n60\n61\n62\n70",
        'of that transaction each change is on the target, in another lane, or listed; the next is not left out');
    is($target->sql('misfit', "SELECT 61 IN ($listed)"), 't', 'the one that did not fit is listed');
    is($applier->stop, 0, 'the applier ends cleanly');
    like($migration->exits(3, 'follow', '--skip-lsn', $lsn)->{stderr}, qr/did not stop at any transaction/, 'nothing is skipped twice');
};

subtest 'a second applier' => sub {
    my $migration = migration($source, $target, database => 'misfit', name => 'misfit');
    my $first = $migration->follow;
    $migration->wait_until_caught_up;
    my $second = $migration->run('follow');
    is($second->{status}, 3, 'is refused');
    like($second->{stderr}, qr/\d+/, 'with the pid of the first');
    ok($first->is_running, 'the first goes on');
    is($first->stop, 0, 'and ends cleanly');
};

# libpq tries once more without TLS, and the server has no line for that: which is not what is wrong.
subtest 'a wrong password where TLS is asked for' => sub {
    my $folder = $target->data_dir;
    my $made = run_program(qw(openssl req -new -x509 -days 2 -nodes -subj /CN=localhost -out), "$folder/server.crt", '-keyout', "$folder/server.key");
    plan skip_all => 'openssl makes no certificate' if $made->{status} != 0;
    chmod 0600, "$folder/server.key";
    write_file("$folder/pg_hba.conf", "hostssl all secretive 127.0.0.1/32 scram-sha-256\nlocal all all trust\n");
    $target->sql('postgres', $_) foreach q{SET password_encryption = 'scram-sha-256'; CREATE ROLE secretive LOGIN PASSWORD 'right'}, 'ALTER SYSTEM SET ssl = on';
    $target->reload;
    wait_until('TLS', sub { $target->sql('postgres', 'SHOW ssl') eq 'on' });
    local $ENV{PGPASSWORD} = 'geheim';
    my $wrong = $target->uri('postgres', user => 'secretive', tcp => 1);
    wait_until('the server to ask for it', sub { run_program('psql', '-X', '-c', 'SELECT 1', $wrong)->{stderr} =~ /password authentication failed/ });
    my $result = run_program($penstock, 'copy', '--source=' . $source->uri('postgres'), "--target=$wrong");
    like($result->{stderr}, qr/FATAL:  password authentication failed for user "secretive"/, 'the password is said to be wrong');
    like($result->{stderr}, qr/Check user and password of --target/, 'and to be looked at');
    unlike($result->{stderr}, qr/pg_hba|listen_addresses|FATAL:  28P01|geheim/, 'and nothing else is');
};

done_testing();
