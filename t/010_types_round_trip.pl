# Values of every type arrive bit for bit, by copy and by stream, in inserts and in updates.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');

sub rows_from
{
    my ($base) = @_;
    return "\\set base $base\n" . slurp_file("$FindBin::Bin/sql/all_types_rows.sql");
}

$source->sql('postgres', slurp_file("$FindBin::Bin/sql/all_types.sql"));
$source->sql('postgres', rows_from(1000));
$source->sql('postgres', 'CREATE TABLE untouched AS SELECT * FROM every_type; ALTER TABLE untouched ADD PRIMARY KEY (id)');

my $migration = migration($source, $target);
$migration->ok('copy');
same_rows($source, $target, 'postgres', 'after the copy');

$migration->follow;
$source->sql('postgres', rows_from(2000));
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'after inserts');

# Every column of a row gets the values of another row, the nulls among them.
my $columns = $source->sql('postgres', <<'SQL');
SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = 'every_type'::regclass AND attnum > 1
SQL
my $others = join(', ', map { "o.$_" } split /, /, $columns);
$source->sql('postgres', <<"SQL");
UPDATE every_type AS e SET ($columns) = ($others) FROM untouched AS o
WHERE o.id = 1000 + (e.id + 1) % 4 AND e.id BETWEEN 2000 AND 2003
SQL
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'after updates of every column');

$source->sql('postgres', "UPDATE every_type SET $_ = NULL WHERE id BETWEEN 1000 AND 1003") foreach split /, /, $columns;
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'after updates of one column each');

$source->sql('postgres', 'UPDATE every_type SET id = id + 100000 WHERE id % 3 = 0; DELETE FROM every_type WHERE id % 2 = 0');
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'after key changes and deletes');

is($migration->{applier}->stop, 0, 'the applier ends cleanly');
done_testing();
