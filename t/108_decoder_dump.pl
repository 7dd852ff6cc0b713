# penstock-applier --dump shows the same whichever way the frames come, and says what is wrong with those that are none.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use File::Temp qw(tempfile);

my $server = start_source('source');
my $sql = sub { $server->sql('postgres', $_[0]) };
$sql->(q{CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pg_create_logical_replication_slot('slot', 'penstock')});
$sql->(q{INSERT INTO t SELECT i, md5(i::text) || E'\n' FROM generate_series(1, 20000) i});
$sql->(q{UPDATE t SET v = 'x' WHERE id <= 2; DELETE FROM t WHERE id = 2});

sub file_with
{
    my ($content) = @_;
    my ($file, $name) = tempfile(UNLINK => 1);
    print {$file} $content;
    close($file);
    return $name;
}

sub dump_of
{
    my $result = run_program(program('penstock-applier'), '--dump', @_);
    return $result->{status} == 0 ? $result->{stdout} : "status $result->{status}: $result->{stderr}";
}

my $peek = q{FROM pg_logical_slot_peek_binary_changes('slot', NULL, NULL)};
my $hex = $sql->("SELECT encode(data, 'hex') $peek");
my $text = dump_of(file_with("$hex\n"));
is(scalar(() = $text =~ /^insert "public"\."t" #/mg), 20000, 'lines of hex');
like($text, qr/^update "public"\."t" #1 id=1 v='x'\nupdate "public"\."t" #2 id=2 v='x'\ncommit /m, 'a line for each row');
is(dump_of(file_with($sql->("SELECT data $peek"))), $text, 'bytea as psql shows it');

my $name = file_with('');
my $received = run_program($server->installed_command('pg_recvlogical'), '--dbname=' . $server->uri('postgres'), '--slot=slot',
    '--start', "--file=$name", '--endpos=' . $server->mark('postgres'));
is($received->{status}, 0, 'pg_recvlogical');
is(dump_of($name), $text, 'what it wrote');

my $bytes = slurp_file($name);
like(dump_of(file_with(substr($bytes, 0, -9))), qr/^status 3: .*frame \d+/s, 'a frame that is cut off');
like(dump_of(file_with(substr($bytes, 500))), qr/^status 3: /, 'a stream without its beginning');
like(dump_of(file_with("zz\n")), qr/^status [23]: /, 'no frames at all');
is(dump_of(file_with('')), '', 'nothing');
like(dump_of('/no/such/file'), qr/^status 3: .*No such file/, 'no file');

done_testing();
