# Databases in LATIN1, to LATIN1 and to UTF8: every character arrives, in names too, and names in messages, options and state are
# the operator's UTF-8, wherever they come from.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
$ENV{PGCLIENTENCODING} = 'UTF8';
$_->sql('postgres', q{CREATE ROLE app LOGIN}) foreach ($source, $target);

# The rows as UTF-8, which is what both servers make of them for a client.
sub same
{
    my ($database, $name) = @_;
    my $rows = join(';', map { qq{SELECT '$_', t::text FROM "$_" t} } 'Größe', 'k', 'e', 'Übrig', 'ohne Schlüssel');
    my ($here, $there) = map { [ sort split /\n/, $_->sql($database, $rows) ] } ($source, $target);
    return is_deeply($there, $here, "$name: the same rows on both sides");
}

foreach my $encoding ('LATIN1', 'UTF8') {
    my $database = "to_" . lc $encoding;
    $source->sql('postgres', "CREATE DATABASE $database ENCODING 'LATIN1' TEMPLATE template0");
    $target->sql('postgres', "CREATE DATABASE $database ENCODING '$encoding' TEMPLATE template0");
    $source->sql($database, <<'SQL');
CREATE TABLE "Größe" (id int PRIMARY KEY, "Länge" text, "straße" varchar(5)); INSERT INTO "Größe" VALUES (1, 'öäü', 'ßßßßß');
CREATE TABLE k (t text PRIMARY KEY, v int); INSERT INTO k VALUES ('café', 1), ('naïve', 2);
CREATE TYPE m AS ENUM ('grün', 'rot'); CREATE TYPE "Maß" AS (w text);
CREATE TABLE e (id int PRIMARY KEY, m m, a text[], j jsonb, p "Maß"); INSERT INTO e VALUES (1, 'grün', '{ä,"ö,ü"}', '{"ä": "ö"}', ROW ('é'));
CREATE TABLE "Übrig" (id int PRIMARY KEY, "Wörter" text UNIQUE); INSERT INTO "Übrig" VALUES (1, 'ä');
CREATE SEQUENCE "Zähler"; SELECT nextval('"Zähler"'); COMMENT ON TABLE "Größe" IS 'groß'; CREATE TABLE "ohne Schlüssel" (a int);
SQL
    my $migration = migration($source, $target, database => $database, name => $database);
    my $check = $migration->run('check');
    like($check->{stdout}, qr/public\."ohne Schlüssel"/, "$encoding: check names tables");
    like($check->{stdout}, qr/ok +Encoding of both databases$/m, "$encoding: and has nothing against the encoding");
    $migration->ok('copy');
    same($database, "$encoding: copied");
    $target->sql($database, q{INSERT INTO "Übrig" VALUES (2, 'schön')});
    my $applier = $migration->follow;
    $source->sql($database, <<'SQL');
UPDATE "Größe" SET "Länge" = 'ÄÖÜ' WHERE id = 1; INSERT INTO "Größe" VALUES (2, 'é', NULL); UPDATE k SET v = v + 1;
DELETE FROM k WHERE t = 'naïve'; INSERT INTO k VALUES ('über', 3); UPDATE e SET m = 'rot', p = ROW ('ÿ');
INSERT INTO e VALUES (2, 'grün', '{é}', '{"é": 1}', NULL); UPDATE "Größe" SET id = 7 WHERE id = 2; TRUNCATE "ohne Schlüssel";
SELECT nextval('"Zähler"');
SQL
    $migration->wait_until_caught_up;
    $source->sql($database, q{INSERT INTO "Übrig" VALUES (2, 'süß')});
    is($applier->wait, 3, "$encoding: a conflict ends the applier");
    like($applier->log_text, qr/public\."?Übrig"?/, "$encoding: which names the table");
    like($migration->run('status')->{stdout}, qr/Übrig/, "$encoding: status shows the error");
    $applier = $migration->follow('--on-conflict', 'public.Übrig=overwrite');
    $migration->wait_until_caught_up;
    same($database, "$encoding: with a policy for a table of that name");
    is($target->sql($database, q{SELECT table_name, key, new_row ->> 'Wörter' FROM penstock.conflict}), 'Übrig|{"id" : "2"}|süß',
        "$encoding: the conflict is recorded");

    my $proxy = start_pgbouncer("pgbouncer_$database", $database => $source);
    my $result = $migration->ok($migration->cutover_words($proxy), '--yes', '--verify');
    like($result->{stdout}, qr/public\.Größe  2 \/ 2  equal/, "$encoding: the switch point is equal, and names are shown");
    same_sequences($source, $target, $database, "$encoding: switched");
    $target->sql($database, q{UPDATE "Größe" SET "Länge" = 'zurück' WHERE id = 7});
    wait_until("$encoding: the way back", sub { $source->sql($database, q{SELECT "Länge" FROM "Größe" WHERE id = 7}) eq 'zurück' });
    $migration->ok($migration->rollback_words($proxy), '--yes', '--accept-loss');
    same($database, "$encoding: rolled back");
    $migration->ok('finish', '--abandon', '--yes');
}

# Names that come in another order in the other encoding: they are the same names.
$source->sql('postgres', q{CREATE DATABASE japanese ENCODING 'EUC_JP' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$target->sql('postgres', q{CREATE DATABASE japanese ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$source->sql('japanese', 'CREATE TABLE "色" (id int PRIMARY KEY, "色" int, "新" int); CREATE TABLE "新" (id int PRIMARY KEY); CREATE VIEW "表" AS SELECT 1 AS a');
my $japanese = migration($source, $target, database => 'japanese', name => 'japanese');
$japanese->ok('copy', '--leave-out', 'VIEW public.表');
my ($drift) = grep { $_->{id} eq 'drift' } @{decode_json($japanese->run('check', '--json')->{stdout})};
is_deeply([map { "$_->{object}: $_->{detail}" } @{$drift->{findings}}], [], 'EUC_JP to UTF8: no definition differs');
$japanese->ok('finish', '--abandon', '--yes');
done_testing();
