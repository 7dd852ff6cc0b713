# A server that was set back to an earlier state on the same timeline is noticed, on either side, before anything is taken for
# done that was not: what the source wrote since then would be left out as durable already, and what the target has lost the
# source has let go. The source is set back three times: its WAL ends before what the target has; it has grown past that; and
# it did the very same again, so that commits stand at the same places.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PostgreSQL::Test::RecursiveCopy;

# What writes WAL by the clock would make places differ by chance.
my $quiet = "autovacuum = off\nbgwriter_lru_maxpages = 0\ncheckpoint_timeout = 1h\n";
my $source = start_source('source', conf => $quiet);
my $target = start_target('target', conf => $quiet);
my $migration = migration($source, $target);
$source->sql('postgres', 'CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE filler (t text)');
$migration->ok('copy', '--lanes', 4);

my $applier = $migration->follow;
$source->sql('postgres', 'INSERT INTO t SELECT generate_series(1, 100)');
$migration->wait_until_caught_up;
is($applier->stop, 0, 'the applier ends cleanly');

sub keep
{
    my ($server) = @_;
    my $kept = PostgreSQL::Test::Utils::tempdir();
    $server->stop;
    PostgreSQL::Test::RecursiveCopy::copypath($server->data_dir, "$kept/data");
    $server->start;
    return "$kept/data";
}

sub set_back
{
    my ($server, $kept) = @_;
    $server->stop;
    PostgreSQL::Test::Utils::system_or_bail('rm', '-rf', $server->data_dir);
    PostgreSQL::Test::RecursiveCopy::copypath($kept, $server->data_dir);
    chmod(0700, $server->data_dir);
    $server->start;
    return;
}

sub stops_saying
{
    my ($pattern, $when) = @_;
    my $tried = $migration->follow;
    is($tried->wait, 3, "$when: the applier stops");
    like($tried->log_text, $pattern, "$when: it says why");
    return;
}

sub write_rows
{
    my ($from) = @_;
    $source->sql('postgres', "INSERT INTO t VALUES ($_)") foreach $from .. $from + 3;
    return;
}

my $old_source = keep($source);
my $old_target = keep($target);
$applier = $migration->follow;
write_rows(201);
$migration->wait_until_caught_up;
is($applier->stop, 0, 'the applier ends cleanly');
my $had = $target->sql('postgres', 'SELECT max(commit_lsn) FROM penstock.lane');

my $back = qr/the source's WAL ends at [0-9A-F\/]+, before .*hint .*penstock copy again/s;
my $other = qr/the source's WAL is another one than the target's rows come from: .* committed at .*hint .*penstock copy again/s;
set_back($source, $old_source);
$source->sql('postgres', 'INSERT INTO t VALUES (301)');
stops_saying($back, 'the WAL ends earlier');

set_back($source, $old_source);
write_rows(301);
$source->sql('postgres', 'CREATE TABLE before_the_mark (i int); INSERT INTO filler SELECT md5(i::text) FROM generate_series(1, 1000) AS i');
write_rows(305);
is($source->sql('postgres', "SELECT pg_current_wal_flush_lsn() > '$had'"), 't', 'the WAL has grown past what the target has');
stops_saying($other, 'the WAL is another one');

set_back($source, $old_source);
write_rows(401);
$source->sql('postgres', q{INSERT INTO filler SELECT 'x' FROM generate_series(1, 1000) AS i});
stops_saying($other, 'the same was done again');
is($target->sql('postgres', 'SELECT count(*) FROM t WHERE id > 300'), 0, 'nothing of it was applied');

# The target is set back; the source is as it was before it began to go back.
set_back($source, $old_source);
set_back($target, $old_target);
$applier = $migration->follow;
write_rows(501);
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'both were set back to one point: they go on from there');
is($applier->stop, 0, 'the applier ends cleanly');
set_back($target, $old_target);
stops_saying(qr/replication slot .* stands at .*, past .*, up to where the target has everything.*hint .*the target was restored/s,
    'the target was set back');
done_testing();
