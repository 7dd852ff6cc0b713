# What changes rows and is not in the WAL marks the table, which has to be copied again before a cutover: a table that was UNLOGGED
# for a while, also within one transaction, and one whose rows ALTER TABLE wrote anew. What only makes a new file marks nothing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Decoder;

use JSON::PP qw(decode_json);

my $unlogged = q{reason 'it was UNLOGGED for a while};
my $rewritten = q{reason 'ALTER TABLE has written all of its rows anew};
my $newer = start_source('decoder15', major => 15);
my $slot = PenstockTest::Decoder->new($newer, 'postgres', 'slot');
$newer->sql('postgres', $_) foreach 'CREATE UNLOGGED TABLE u (id int)', 'ALTER TABLE u SET LOGGED';
like($slot->text, qr/^begin\nrelation public\.u .*\nrecopy #1 public\.u at \S+ $unlogged.*\ncommit changes 1\n\z/, 'PostgreSQL 15: a table that was UNLOGGED');
$newer->sql('postgres', $_) foreach 'ALTER TABLE u ADD COLUMN r float8 DEFAULT random()', 'ALTER TABLE u ADD COLUMN c int DEFAULT 1', 'VACUUM FULL u';
like($slot->text, qr/^begin\nrelation public\.u .*\nrecopy #1 public\.u at \S+ $rewritten.*\ncommit changes 1\n\z/, 'one that was written anew, and what only makes a new file');
$newer->stop;

my $source = start_source('source');
my $target = start_target('target');
my $sql = sub { $source->sql('postgres', $_[0]) };
my @lost = qw(cart stays inside deep values_new random_new typed_new);
my @kept = qw(vacuumed clustered emptied defaulted longer swapped);
$sql->(join '; ', map {; "CREATE TABLE $_ (id int PRIMARY KEY, v int DEFAULT 0, t varchar(10))", "INSERT INTO $_ SELECT g, g, 'old' FROM generate_series(1, 10) g" } @lost, @kept);
$sql->('ALTER TABLE cart SET UNLOGGED');
my $migration = migration($source, $target, ddl => 'off');
$migration->ok('copy');
# What the target lacks of a new definition stops the applier, but for a table that is to be copied again anyway.
$target->sql('postgres', 'ALTER TABLE longer ALTER t TYPE varchar(20)');
my $applier = $migration->follow;

$sql->($_) foreach (
    q{INSERT INTO cart VALUES (11, 11)}, q{ALTER TABLE cart SET LOGGED}, q{INSERT INTO cart VALUES (12, 12)},
    q{ALTER TABLE stays SET UNLOGGED}, q{UPDATE stays SET v = 100}, q{ALTER TABLE stays SET LOGGED},
    q{BEGIN; ALTER TABLE inside SET UNLOGGED; INSERT INTO inside VALUES (11, 11); ALTER TABLE inside SET LOGGED; COMMIT},
    q{BEGIN; SAVEPOINT a; ALTER TABLE deep SET UNLOGGED; SAVEPOINT b; DELETE FROM deep; RELEASE b; ALTER TABLE deep SET LOGGED; RELEASE a; COMMIT},
    q{ALTER TABLE values_new ALTER v TYPE int USING v * 2},
    q{ALTER TABLE random_new ADD COLUMN r float8 DEFAULT random()}, q{ALTER TABLE typed_new ALTER v TYPE bigint},
    q{VACUUM FULL vacuumed}, q{CLUSTER clustered USING clustered_pkey},
    q{BEGIN; TRUNCATE emptied; ALTER TABLE emptied ALTER v SET DEFAULT 5; INSERT INTO emptied VALUES (1); COMMIT},
    q{ALTER TABLE defaulted ALTER v SET DEFAULT 7, ALTER t SET STATISTICS 50}, q{ALTER TABLE longer ALTER t TYPE varchar(20)},
    q{BEGIN; ALTER TABLE vacuumed SET UNLOGGED; DELETE FROM vacuumed; ROLLBACK},
    q{BEGIN; SAVEPOINT a; ALTER TABLE clustered SET UNLOGGED; ROLLBACK TO a; INSERT INTO clustered VALUES (11); COMMIT},
    # As tools do that rewrite a table beside it.
    q{BEGIN; CREATE TABLE other (LIKE swapped); INSERT INTO other SELECT * FROM swapped;
      WITH f AS (SELECT oid, relfilenode FROM pg_class WHERE oid IN ('other'::regclass, 'swapped'::regclass))
      UPDATE pg_class c SET relfilenode = f.relfilenode FROM f WHERE c.oid IN ('other'::regclass, 'swapped'::regclass) AND f.oid <> c.oid;
      DROP TABLE other; COMMIT},
);
$sql->("INSERT INTO $_ (id) VALUES (20)") foreach @lost, grep { $_ ne 'swapped' } @kept;
$migration->wait_until_caught_up;

my $marks = sub { [map {; "$_->{table}: $_->{reason}" } @{decode_json($migration->ok('status', '--json')->{stdout})->{copy}{again}}] };
is_deeply($marks->(), [map {; "public.$_: " . (/typed/ ? 'at the source it was made anew, swapped by rename, or given another type'
            : /_new/ ? 'ALTER TABLE has written all of its rows anew: the values that they have now are not in the WAL'
            : 'it was UNLOGGED for a while: what was written meanwhile is not in the WAL') } sort @lost], 'status names just those tables')
  or diag($applier->log_text);
like($migration->run('check')->{stdout}, qr/table public\.stays *: has to be copied again: it was UNLOGGED/, 'check does');
like($migration->exits(3, 'cutover', '--proxy=none', '--yes', '--no-reverse', '--accept-drift')->{stderr}, qr/to be copied: .*public\.cart.*public\.stays/, 'no cutover before that');

$applier->kill9;
$target->sql('postgres', 'ALTER TABLE cart SET LOGGED; ALTER TABLE emptied ALTER v SET DEFAULT 5; '
      . 'ALTER TABLE defaulted ALTER v SET DEFAULT 7; ALTER TABLE random_new ADD COLUMN r float8 DEFAULT random(); ALTER TABLE typed_new ALTER v TYPE bigint');
$migration->ok('copy');
is_deeply($marks->(), [], 'copied again, none is marked');
$applier = $migration->follow;
$migration->same_after('all rows are the same', join '; ', map {; "INSERT INTO $_ (id) VALUES (30); UPDATE $_ SET v = v + 1" } grep { $_ ne 'swapped' } @lost, @kept);
is_deeply($marks->(), [], 'and the stream, which comes by the same places, marks none again');
is($applier->stop, 0, 'the applier ends cleanly');
done_testing();
