# The ground of all other tests: the servers start and are the ones we mean, the comparison sees what differs, PgBouncer
# forwards.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my %servers = (
    11 => start_source('source11'),
    14 => start_target('target14'),
    15 => start_source('source15', major => 15),
);

my %versions = (11 => '11.22', 14 => '14.23', 15 => '15.\d+');
foreach my $major (sort keys %servers) {
    like($servers{$major}->sql('postgres', 'SHOW server_version'),
        qr/^$versions{$major}\b/, "a server of major $major runs");
    is($servers{$major}->sql('postgres', 'SHOW wal_level'), 'logical', "$major has wal_level logical");
    is($servers{$major}->sql('postgres', 'SHOW server_encoding'), 'UTF8', "$major has encoding UTF8");
}

subtest 'servers come back' => sub {
    $servers{11}->sql('postgres', 'CREATE TABLE kept AS SELECT generate_series(1, 100) AS id');
    $servers{11}->crash_and_restart;
    is($servers{11}->sql('postgres', 'SELECT count(*) FROM kept'), '100', 'after a crash');
    $servers{11}->restart;
    is($servers{11}->sql('postgres', 'SELECT count(*) FROM kept'), '100', 'after a restart');
};

subtest 'pg_dump of 15 reads the source' => sub {
    my $dump = run_program($servers{11}->installed_command('pg_dump'), '--schema-only', $servers{11}->uri('postgres'));
    is($dump->{status}, 0, 'status');
    like($dump->{stdout}, qr/CREATE TABLE public\.kept/, 'the table is in the dump');
};

subtest 'logical decoding works' => sub {
    my $source = $servers{11};
    $source->sql('postgres', q{SELECT pg_create_logical_replication_slot('test', 'test_decoding')});
    my $mark = $source->mark('postgres');
    like($mark, qr{^[0-9A-F]+/[0-9A-F]+$}, 'a mark is an LSN');
    my @frames = $source->frames('postgres', 'test');
    ok((grep { $_->[1] =~ /penstock_test/ } @frames), 'the mark arrives as a message');
    $source->sql('postgres', q{SELECT pg_drop_replication_slot('test')});
};

subtest 'the comparison' => sub {
    my ($source, $target) = @servers{11, 14};
    my $schema = <<'SQL';
CREATE TABLE parent (id int, f float8, g float4[], "odd ""name" text);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE empty ();
INSERT INTO child SELECT i, 1.0 / i, ARRAY[0.1, 1.0 / i], NULL FROM generate_series(1, 50) AS i;
CREATE SEQUENCE s;
SQL
    foreach my $server ($source, $target) {
        $server->sql('postgres', 'CREATE DATABASE compared');
        $server->sql('compared', $schema);
    }
    same_rows($source, $target, 'compared', 'equal databases');
    same_sequences($source, $target, 'compared', 'equal databases');

    $target->sql('compared', 'UPDATE child SET f = f + 1e-15 WHERE id = 7');
    $source->sql('compared', 'CREATE TABLE only_here (id int)');
    my @differences = row_differences($source, $target, 'compared');
    is(@differences, 2, 'two differences are seen');
    is($differences[0], 'public.only_here is missing at the target', 'a missing table');
    like($differences[1], qr/^public\.child differs: 50 rows.*Of 2 rows.*^< \(7,.*^> \(7,/ms,
        'the last bit of a float, with the row of each side');
};

subtest 'PgBouncer forwards' => sub {
    my $pgbouncer = start_pgbouncer('pgbouncer', postgres => $servers{11});
    my $answer = $pgbouncer->run($pgbouncer->uri('postgres', user => scalar(getpwuid($<))), 'SHOW server_version');
    like($answer->{stdout}, qr/^11\.22/, 'to the server that it is configured for');
    like($pgbouncer->run($pgbouncer->admin_uri, 'SHOW DATABASES')->{stdout},
        qr/^postgres\|127\.0\.0\.1\|/m, 'its admin console answers');
    is($pgbouncer->process->stop('INT'), 0, 'it ends when asked to');
};

subtest 'programs in the background' => sub {
    my $program = background('cat', 'sh', '-c', 'echo started; exec tail -f /dev/null');
    wait_until('its output', sub { $program->log_text =~ /started/ });
    is($program->status, undef, 'runs');
    $program->kill9;
    is($program->status, 'signal 9', 'is killed');
    is(background('false', 'false')->wait, 1, 'its status is known');
};

done_testing();
