# Findings of check that take a database of its own to be seen: each on a source that has it, none on the target, which has not. A
# statement that is printed mends what it is printed for, and nothing else.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use JSON::PP qw(decode_json);

# One locale, in which a comes before b on one machine and behind it on the other.
my $locales = PostgreSQL::Test::Utils::tempdir();
foreach my $machine ([ 'source', 'a', 'b' ], [ 'target', 'b', 'a' ]) {
    my ($name, @letters) = @$machine;
    mkdir "$locales/$name";
    write_file("$locales/$name.def", join("\n", "LC_COLLATE", "order_start forward", (map { sprintf '<U%04X>', ord } @letters, 'c' .. 'z'),
        'order_end', 'END LC_COLLATE', map { "$_\ncopy \"POSIX\"\nEND $_" } qw(LC_CTYPE LC_NUMERIC LC_TIME LC_MESSAGES LC_MONETARY)));
    run_program('localedef', '--no-archive', '-c', '-i', "$locales/$name.def", '-f', 'UTF-8', "$locales/$name/xx_XX.utf8");
    plan skip_all => 'localedef makes no locale: the package locales is not installed' unless -d "$locales/$name/xx_XX.utf8";
}
sub start_with_locales
{
    my ($start, $name, @options) = @_;
    local $ENV{LOCPATH} = "$locales/$name";
    return $start->($name, @options);
}
my $source = start_with_locales(\&start_source, 'source', conf => 'autovacuum = off');
my $target = start_with_locales(\&start_target, 'target');
$target->sql('postgres', q{CREATE COLLATION pg_catalog."xx_XX.utf8" (locale = 'xx_XX.utf8')});

$source->sql('postgres', $_) foreach split /;;\n/, <<'SQL';
CREATE COLLATION odd (locale = 'xx_XX.utf8'); CREATE TABLE words (id int PRIMARY KEY, w text COLLATE odd);;
CREATE TABLE large (id int PRIMARY KEY, b text); ALTER TABLE large ALTER b SET STORAGE EXTERNAL;;
INSERT INTO large SELECT 1, repeat('x', 270000000);;
CREATE TABLE shop (id int PRIMARY KEY); CREATE TABLE line (id int PRIMARY KEY, shop int CONSTRAINT of_shop REFERENCES shop);;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';;
CREATE TRIGGER off AFTER INSERT ON shop FOR EACH ROW EXECUTE PROCEDURE noted();;
CREATE TRIGGER always AFTER INSERT ON shop FOR EACH ROW EXECUTE PROCEDURE noted();;
CREATE TRIGGER replica AFTER INSERT ON line FOR EACH ROW EXECUTE PROCEDURE noted();;
CREATE TRIGGER usual AFTER INSERT ON line FOR EACH ROW EXECUTE PROCEDURE noted();;
CREATE RULE quiet AS ON UPDATE TO line DO ALSO NOTHING;;
ALTER TABLE shop DISABLE TRIGGER ALL; ALTER TABLE shop ENABLE ALWAYS TRIGGER always;;
ALTER TABLE line ENABLE REPLICA TRIGGER replica, ENABLE ALWAYS RULE quiet;;
INSERT INTO pg_catalog.pg_extension (extname, extowner, extnamespace, extrelocatable, extversion)
  SELECT name, 10, 'pg_catalog'::regnamespace, false, '1' FROM unnest(ARRAY['timescaledb', 'pg_cron']) name
SQL

# Some library under the name of pg_cron's.
my $libraries = PostgreSQL::Test::Utils::tempdir();
symlink($target->sql('postgres', q{SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'}) . '/auto_explain.so', "$libraries/pg_cron.so");
$target->append_conf('postgresql.conf', "dynamic_library_path = '$libraries:\$libdir'\nshared_preload_libraries = 'auto_explain, \"pg_cron\"'");
{
    local $ENV{LOCPATH} = "$locales/target";
    $target->restart;
}

my $migration = migration($source, $target);

# Id of a check → its findings as texts.
sub found
{
    my $outcomes = decode_json($migration->run('check', '--json', '--no-trial')->{stdout});
    is(join(' ', map { $_->{error} // '' } grep { $_->{status} eq 'error' } @$outcomes), '', 'every check is made');
    return map {
        my $outcome = $_;
        $outcome->{id} => [ map { join ' | ', map { $_ // '' } @$_{qw(object detail fix)} } @{ $outcome->{findings} } ]
    } @$outcomes;
}

# An hour in which much was written: files of WAL that stand for it, far ahead of the server.
my $written = $source->data_dir . '/pg_wal/0000000100000000000000F0';
open(my $file, '>', $written) or die "$written: $!";
truncate($file, 12_000_000_000_000) or die "$written: $!";
close $file;
my %found = found();
unlink $written;

is_deeply($found{'large-values'}, [ 'public.large | has a value of more than 256 MB as it is stored | ' ], 'a value near the limit');
like($found{'wal-rate'}[0] // '', qr/^pg_wal \| \d+ [GT]B an hour are written; for a copy whose longest job takes 00:10:00, \d+ [GT]B must fit, and only [\d.]+ GB are free there/,
    'WAL that is kept while the copy runs, and the disk that it is on');
is(@{ $found{'collation-order'} }, 1, 'one collation') or diag explain $found{'collation-order'};
like($found{'collation-order'}[0] // '', qr/^public\.odd \| source .*; target /, 'that sorts otherwise on the target');
is_deeply($found{'always-triggers'}, [ 'rule quiet on public.line | ALWAYS | ', 'trigger always on public.shop | ALWAYS | ',
    'trigger replica on public.line | REPLICA | ' ], 'triggers and rules that fire for replicated rows');
is_deeply($found{'own-storage'}, [ 'extension timescaledb |  | ' ], 'an extension that keeps tables in its own way');
is_deeply($found{'own-workers'}, [ 'extension pg_cron |  | ' ], 'an extension that acts by itself');
like($found{'workers-on-target'}[0] // '', qr/^library "?pg_cron"? \| .*extension pg_cron .* \| ALTER SYSTEM SET cron\.launch_active_jobs = off;/,
    'whose jobs would run on the target');

# The foreign key is off by its triggers on the table that it points to.
my ($key) = @{ $found{'disabled-constraints'} };
like($key // '', qr/^public\.line of_shop \| its triggers are disabled on public\.shop, so that rows may break it \| ALTER TABLE public\.shop ENABLE TRIGGER /,
    'a foreign key that is switched off');
$source->sql('postgres', $_) foreach split /; ?/, ($key // '') =~ s/.*\| //r;
is($source->sql('postgres', q(SELECT tgenabled FROM pg_trigger WHERE tgname = 'off')), 'D', 'its statement leaves other triggers as they are');
$source->sql('postgres', q(DELETE FROM pg_catalog.pg_extension WHERE extname = 'timescaledb'; DROP TABLE large;
    ALTER TABLE line ENABLE TRIGGER replica, DISABLE RULE quiet; ALTER TABLE shop DISABLE TRIGGER always; ALTER TABLE words ALTER w TYPE text));
$target->append_conf('postgresql.conf', 'cron.launch_active_jobs = off');
$target->reload;
%found = found();
is_deeply($found{'workers-on-target'}, [], 'jobs that are off are none') or diag explain $found{'workers-on-target'};
is_deeply($found{$_}, [], "$_: nothing any more")
  foreach qw(large-values wal-rate collation-order always-triggers own-storage disabled-constraints);

# A database that is another one as a whole: the statement makes a new one, and keeps what was there.
$target->sql('postgres', q{CREATE DATABASE other ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
my ($fix) = (decode_json($migration->run('check', '--json', '--no-trial', '--target' => $target->uri('other'))->{stdout}));
($fix) = map { $_->{findings}[0]{fix} } grep { $_->{id} eq 'encoding' } @$fix;
$target->sql('postgres', $_) foreach split /; ?/, $fix // 'SELECT 1';
is($target->sql('other', q{SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname IN ('other', 'other_old') ORDER BY datname}),
    "UTF8\nLATIN1", 'another encoding: a new database, beside the old one');

# What the target's database sets by itself is what applications will find; its statement is for the database.
$migration = migration($source, $target);
$target->sql('postgres', q{ALTER DATABASE postgres SET TimeZone = 'America/Lima'});
%found = found();
my ($zone) = grep { /TimeZone/ } @{ $found{'server-settings'} };
like($zone // '', qr/^TimeZone is \S+ at the source, America\/Lima at the target \| .*\| ALTER DATABASE postgres SET TimeZone TO '/, 'a setting of the target database');
$target->sql('postgres', $_) foreach split /; ?/, ($zone // '') =~ s/.*\| //r;
%found = found();
is_deeply([ grep { /TimeZone/ } @{ $found{'server-settings'} } ], [], 'is mended by its statement');
done_testing();
