# How much memory there is for unfinished transactions changes nothing of what is sent, only where it waits for its commit.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IPC::Run qw(start);
use PenstockTest;
use PenstockTest::Decoder;

# A transaction of one of several sessions, of some 20,000 changes: subtransactions of which some fail, values out of line,
# new tables in the middle; every fourth is rolled back as a whole.
sub transaction
{
    my ($session) = @_;
    my $first = $session * 1_000_000;
    my $end = $session % 4 == 0 ? 'RAISE division_by_zero' : 'NULL';
    return <<"SQL";
DO \$\$
BEGIN
    INSERT INTO t SELECT $first + i, CASE WHEN i % 100 = 0 THEN (SELECT string_agg(md5((i * j)::text), '')
        FROM generate_series(1, 100) j) ELSE 'short' END FROM generate_series(1, 6000) i;
    FOR part IN 1 .. 6 LOOP
        BEGIN
            UPDATE t SET v = v || part WHERE id BETWEEN $first AND $first + random() * 6000;
            IF random() < 0.4 THEN
                EXECUTE format('CREATE TABLE made_${session}_%s (id int)', part);
                EXECUTE format('INSERT INTO made_${session}_%s SELECT generate_series(1, 5000)', part);
            END IF;
            IF random() < 0.3 THEN
                RAISE division_by_zero;
            END IF;
        EXCEPTION WHEN division_by_zero THEN
            NULL;
        END;
    END LOOP;
    DELETE FROM t WHERE id BETWEEN $first AND $first + 5000;
    $end;
END
\$\$
SQL
}

foreach my $major (11, 15) {
    my $conf = $major == 11 ? '' : 'logical_decoding_work_mem = 64kB';
    my $server = start_source("source$major", major => $major, conf => $conf);
    my $sql = sub { $server->sql('postgres', $_[0]) };
    note("PostgreSQL $major");
    $sql->('CREATE TABLE t (id int PRIMARY KEY, v text)');

    subtest 'the same is sent' => sub {
        my $slot = PenstockTest::Decoder->new($server, 'postgres', 'slot');
        my @sessions = map {
            my $input = transaction($_);
            start([$server->installed_command('psql'), '-X', '-q', '-d', $server->uri('postgres')], '<', \$input, '>', \my $out, '2>', \my $err)
        } 1 .. 8;
        $_->finish foreach @sessions;
        my ($by_rule, @others) =
            map { $slot->peek_raw_text(collect_memory => $_) =~ s/^hello .*\n//mr } 0, '16MB', '32MB', '64MB', '256MB';
        cmp_ok(scalar(() = $by_rule =~ /^(insert|update|delete) /mg), '>', 50_000, 'many changes');
        ok($_ eq $by_rule, 'with other limits') foreach @others;
        $slot->drop;
    };

    # Files that a transaction which goes on has been spilled to, when it has this many changes and the reader this memory.
    my $spilled = sub {
        my ($memory, $changes) = @_;
        my $slot = PenstockTest::Decoder->new($server, 'postgres', 'open');
        my ($out, $err) = ('', '');
        my $reader = start([$server->installed_command('pg_recvlogical'), '--dbname=' . $server->uri('postgres'), '--slot=open',
            '--start', '--no-loop', '--file=/dev/null', "--option=collect_memory=$memory"], '<', \undef, '>', \$out, '2>', \$err);
        my $input = '';
        my $writer = start([$server->installed_command('psql'), '-X', '-q', '-d', $server->uri('postgres')], '<', \$input, '>', \my $o, '2>', \my $e);
        $input = "BEGIN; CREATE TABLE IF NOT EXISTS u (id int, v text); INSERT INTO u SELECT i, repeat('x', 100) FROM generate_series(1, $changes) i;\n"
            . "SELECT pg_advisory_lock(1);\n";
        wait_until('the transaction to wait',
            sub { $writer->pump_nb; $sql->(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}) eq '1' });
        my $here = $server->mark('postgres');
        wait_until('all of it to be decoded',
            sub { $sql->("SELECT count(*) FROM pg_stat_replication WHERE sent_lsn >= '$here'") eq '1' });
        my $files = $sql->(q{SELECT count(*) FROM pg_ls_dir('pg_replslot/open') f WHERE f LIKE 'xid-%'});
        $input .= "ROLLBACK;\n\\q\n";
        $writer->finish;
        $reader->kill_kill;
        wait_until('the reader to be gone',
            sub { $sql->(q{SELECT active FROM pg_replication_slots WHERE slot_name = 'open'}) eq 'f' });
        $slot->drop;
        return $files;
    };
    is($spilled->('64MB', 60_000), 0, 'a transaction that fits into the memory is not spilled');
    cmp_ok($spilled->('16MB', 150_000), '>', 0, 'a larger one is');
    cmp_ok($spilled->('0', 60_000), '>', 0, '0 leaves it to the server');
}

done_testing();
