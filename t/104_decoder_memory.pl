# The memory of a walsender does not grow with the transaction because of the decoder: it stays within 32 MiB of what the
# same walsender takes with the server's own plugin, whose memory is next to nothing. What collect_memory allows comes on top.
#
# PENSTOCK_LARGE=1 takes 5,000,000 rows and 100,000 subtransactions instead of a fifth of each.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IPC::Run qw(start);
use PenstockTest;
use PenstockTest::Decoder;

my $scale = $ENV{PENSTOCK_LARGE} ? 1 : 5;
my $limit_mb = 32;

my $server = start_source('source');
my $sql = sub { $server->sql('postgres', $_[0]) };
$sql->('CREATE TABLE t (id int PRIMARY KEY, n int, v text)');
$sql->('CREATE PUBLICATION everything FOR ALL TABLES');

# Private memory of a process, in MB.
sub private_mb
{
    my ($pid) = @_;
    open(my $file, '<', "/proc/$pid/status") or return 0;
    my $text = do { local $/; <$file> };
    return $text =~ /^RssAnon:\s+(\d+)/m ? $1 / 1024 : 0;
}

# The process that sends to a reader, found without asking the server: a short run would be over by then.
sub walsender
{
    my ($postmaster) = split /\n/, slurp_file($server->data_dir . '/postmaster.pid');
    open(my $file, '<', "/proc/$postmaster/task/$postmaster/children") or return;
    foreach my $pid (split ' ', do { local $/; <$file> } // '') {
        open(my $title, '<', "/proc/$pid/cmdline") or next;
        return $pid if (<$title> // '') =~ /walsender/;
    }
    return;
}

# Reads a slot up to a position, and returns the most private memory that the walsender had.
sub peak_mb
{
    my ($slot, $end, @options) = @_;
    my @command = (
        $server->installed_command('pg_recvlogical'),
        '--dbname=' . $server->uri('postgres'),
        "--slot=$slot", '--start', '--file=/dev/null', "--endpos=$end", map { "--option=$_" } @options);
    my ($out, $err) = ('', '');
    my $reader = start(\@command, '<', \undef, '>', \$out, '2>', \$err);
    my $highest = 0;
    my $pid;
    while ($reader->pumpable) {
        $pid ||= walsender();
        my $now = $pid ? private_mb($pid) : 0;
        $highest = $now if $now > $highest;
        select(undef, undef, undef, 0.01);
        $reader->pump_nb;
    }
    $reader->finish or BAIL_OUT("pg_recvlogical: $err");
    return $highest;
}

sub compare
{
    my ($what, $work, $collect_mb) = @_;
    $sql->("SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')");
    my $ours = PenstockTest::Decoder->new($server, 'postgres', 'ours');
    $sql->($work);
    my $end = $server->mark('postgres');
    my $theirs_mb = peak_mb('theirs', $end, 'proto_version=1', 'publication_names=everything');
    my $ours_mb = peak_mb('ours', $end, "collect_memory=${collect_mb}MB", 'read_ahead=4096');
    cmp_ok($ours_mb, '>', $collect_mb / 2, "$what: memory was looked at");
    cmp_ok($ours_mb - $theirs_mb, '<', $limit_mb + $collect_mb,
        sprintf('%s: %.0f MB with the decoder, %.0f MB with pgoutput', $what, $ours_mb, $theirs_mb));
    $ours->drop;
    $sql->("SELECT pg_drop_replication_slot('theirs')");
    return;
}

my $rows = 5_000_000 / $scale;
my $insert = sub { "INSERT INTO t SELECT i, i % 1000, 'value ' || i FROM generate_series($_[0] + 1, $_[0] + $rows) i" };
compare("$rows rows in one transaction", $insert->(0), 0);
compare("$rows rows with 64 MB for them", $insert->($rows), 64);

my $subtransactions = 100_000 / $scale;
compare("$subtransactions subtransactions", <<"SQL", 0);
DO \$\$
BEGIN
    FOR i IN 1 .. $subtransactions LOOP
        BEGIN
            UPDATE t SET n = -n WHERE id = i;
        EXCEPTION WHEN division_by_zero THEN
            NULL;
        END;
    END LOOP;
END
\$\$
SQL

done_testing();
