# Values are not bent to fit: where a column of the target may not keep a value of the source as it is, the applier stops, and so
# does a table that is copied again, unless it was told that in this table values may change. What keeps every value goes on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
$source->sql('postgres', <<'SQL');
CREATE DOMAIN amount AS numeric(8,2);
CREATE TYPE color AS ENUM ('red', 'green');
CREATE TABLE narrower (id int PRIMARY KEY, amount numeric(12,4), at timestamp, big float8, list numeric(12,4)[], note varchar(20));
CREATE TABLE wider (id int PRIMARY KEY, i int, v varchar(10), a amount, c color, n numeric(4,1), d date, cs color[], own amount DEFAULT 1.25);
INSERT INTO narrower VALUES (1, 1.2345, '2021-05-05 01:02:03.456', 1 / 7.0, '{1.2345}', 'a  ');
INSERT INTO wider VALUES (1, 1, 'v', 1.25, 'red', 1.5, '2021-05-05', '{red}');
SQL
my $migration = migration($source, $target);
$migration->ok('copy', '--lanes', 4);

$target->sql('postgres', 'ALTER TABLE wider ALTER i TYPE bigint, ALTER v TYPE text, ALTER a TYPE numeric, ALTER c TYPE text, '
      . 'ALTER n TYPE numeric(10,4), ALTER d TYPE timestamp');
my $applier = $migration->follow;
$source->sql('postgres', q{INSERT INTO wider VALUES (2, 2147483647, 'ten digits', 123456.78, 'green', 123.4, '2022-02-02', '{red,green}')});
$migration->wait_until_caught_up;
is($target->sql('postgres', 'SELECT i, v, a, c, n::numeric(4,1), d::date, cs FROM wider WHERE id = 2'),
    '2147483647|ten digits|123456.78|green|123.4|2022-02-02|{red,green}', 'what keeps every value goes on');
is($applier->stop, 0, 'the applier ends cleanly');

# [the target's column, its type there and at the source, what a value would become]
my @narrow = (
    ['amount', 'numeric(12,2)', 'numeric(12,4)'],
    ['amount', 'int', 'numeric(12,4)'],
    ['at', 'timestamp(0)', 'timestamp'],
    ['at', 'date', 'timestamp'],
    ['big', 'float4', 'float8'],
    ['list', 'numeric(12,2)[]', 'numeric(12,4)[]'],
    ['note', 'varchar(10)', 'varchar(20)'],
);
my $id = 100;
foreach (@narrow) {
    my ($column, $type, $was) = @$_;
    $target->sql('postgres', "ALTER TABLE narrower ALTER $column TYPE $type USING ${column}::$type");
    $applier = $migration->follow;
    $id++;
    $source->sql('postgres', "INSERT INTO narrower VALUES ($id, 1.9999, '2022-02-02 23:59:59.999', 0.1234567890123, '{1.9999}', 'b')");
    is($applier->wait, 3, "$column $type: the applier stops");
    like($applier->log_text, qr/values of column "$column" of "public"\."narrower" may change on their way: .* at the source, .* on the target.*hint .*--lossy-types public\.narrower/s,
        "$column $type: it names table, column and both types");
    $target->sql('postgres', "ALTER TABLE narrower ALTER $column TYPE $was");
}
$applier = $migration->follow;
$migration->wait_until_caught_up;
is($target->sql('postgres', 'SELECT DISTINCT amount, at, big, list FROM narrower WHERE id > 100'),
    '1.9999|2022-02-02 23:59:59.999|0.1234567890123|{1.9999}', 'with its types again, all values are as at the source');
is($applier->stop, 0, 'the applier ends cleanly');

$target->sql('postgres', 'ALTER TABLE narrower ALTER amount TYPE numeric(12,2)');
$applier = $migration->follow('--', '--lossy-types', 'public.narrower');
$source->sql('postgres', q{INSERT INTO narrower (id, amount) VALUES (200, 1.9999)});
$migration->wait_until_caught_up;
is($target->sql('postgres', 'SELECT amount FROM narrower WHERE id = 200'), '2.00', 'told to, it lets them change');
is($applier->stop, 0, 'the applier ends cleanly');

# Copied again, a table keeps its values, too.
$source->sql('postgres', 'INSERT INTO narrower (id, amount) VALUES (300, 1.4999)');
my $copied = q{SELECT amount FROM narrower WHERE id = 300};
$target->sql('postgres', q{UPDATE penstock.relation SET copy_state = 'pending', copy_lsn = NULL, snapshot = NULL, }
      . q{recopy_lsn = '0/1', recopy_reason = 'by hand' WHERE table_name = 'narrower'});
like($migration->exits(3, 'copy')->{stderr}, qr/values of column "amount" of public\.narrower may change on their way: .*numeric\(12,4\) at the source, .*numeric"\(12,2\) on the target.*--lossy-types public\.narrower/s,
    'a copy refuses a narrower column');
is($target->sql('postgres', 'SELECT count(*), max(id) FROM narrower'), '9|200', 'and leaves what is there');
$migration->ok('copy', '--lossy-types', 'public.narrower');
is($target->sql('postgres', $copied), '1.50', 'told to, it lets them change');
$target->sql('postgres', 'ALTER TABLE narrower ALTER amount TYPE numeric(14,4)');
$target->sql('postgres', q{UPDATE penstock.relation SET copy_state = 'pending', copy_lsn = NULL, snapshot = NULL, }
      . q{recopy_lsn = '0/1', recopy_reason = 'by hand' WHERE table_name = 'narrower'});
$migration->ok('copy');
is($target->sql('postgres', $copied), '1.4999', 'a wider one it takes');
done_testing();
