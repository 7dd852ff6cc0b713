# money is a number of the smallest unit of lc_monetary's currency. Databases between which amounts would change are refused
# by check and copy, column by column; where they mean the same, amounts arrive, text within other types too; and verify
# compares amounts, not the numbers that are stored.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use JSON::PP qw(decode_json);

# A currency without decimals, and one with another notation, of which only what is asked for here is defined.
my $locales = PostgreSQL::Test::Utils::tempdir();
my %notations = (ja_JP => [ 'JPY ', 0, ',', '.' ], de_DE => [ 'EUR ', 2, '.', ',' ]);
foreach my $name (sort keys %notations) {
    my ($symbol, $decimals, $thousands, $point) = @{ $notations{$name} };
    write_file("$locales/$name", join("\n", (map { "$_\ncopy \"POSIX\"\nEND $_" } qw(LC_CTYPE LC_COLLATE LC_NUMERIC LC_TIME LC_MESSAGES)),
        <<"MONETARY"));
LC_MONETARY
int_curr_symbol "$symbol"
currency_symbol "C"
mon_decimal_point "$point"
mon_thousands_sep "$thousands"
mon_grouping 3;3
positive_sign ""
negative_sign "-"
int_frac_digits $decimals
frac_digits $decimals
p_cs_precedes 1
p_sep_by_space 0
n_cs_precedes 1
n_sep_by_space 0
p_sign_posn 1
n_sign_posn 1
END LC_MONETARY
MONETARY
    run_program('localedef', '--no-archive', '-c', '-i', "$locales/$name", '-f', 'UTF-8', "$locales/$name.utf8");
    plan skip_all => "localedef makes no $name: the package locales is not installed" unless -d "$locales/$name.utf8";
}
$ENV{LOCPATH} = $locales;

my $source = start_source('source');
my $target = start_target('target');
app_database('app', $source, $target);
$source->sql('app', $_) foreach split /\n/, <<'SQL';
ALTER DATABASE app SET lc_monetary = 'ja_JP.utf8'
CREATE DOMAIN amount AS money; CREATE TYPE part AS (what text, cost money)
CREATE TABLE pay (id int PRIMARY KEY, m money, a amount, parts money[], p part); CREATE TABLE nothing (id int PRIMARY KEY)
INSERT INTO pay VALUES (1, '1000', '7', '{1000,25}', ('x', '12345')), (2, '-5', NULL, NULL, NULL)
SQL

my $migration;

sub money_findings
{
    my ($check) = grep { $_->{id} eq 'money' } @{ decode_json($migration->run('check', '--json')->{stdout}) };
    return join("\n", map { "$_->{object}: $_->{detail}; $_->{fix}" } @{ $check->{findings} });
}
$migration = migration($source, $target, database => 'app');

my $why = 'lc_monetary is ja_JP.utf8 at the source and C on the target, where money has another number of decimals; '
  . q{ALTER DATABASE app SET lc_monetary = 'ja_JP.utf8';};
is(money_findings(), join("\n", map { "public.pay.$_: $why" } qw(a m p parts)), 'check names each column');
my $result = $migration->exits(3, 'copy');
like($result->{stderr}, qr/4 columns of money, public\.pay\.a the first.*ALTER DATABASE app SET lc_monetary/s, 'copy refuses');
is($target->sql('app', q{SELECT to_regclass('public.pay') IS NULL}), 't', 'and has changed nothing');

# The same decimals in another notation matter only where money may be carried as text.
$source->sql('app', q{ALTER DATABASE app SET lc_monetary = 'de_DE.utf8'});
like(money_findings(), qr/\Apublic\.pay\.p: .*another notation; .*\npublic\.pay\.parts: .*\z/, 'another notation: what is inside of types');
$source->sql('app', q{ALTER DATABASE app SET lc_monetary = 'ja_JP.utf8'});

$target->sql('app', q{ALTER DATABASE app SET lc_monetary = 'ja_JP.utf8'});
is(money_findings(), '', 'the same on both sides: nothing to say');
$migration->ok('copy');
my $applier = $migration->follow;
$source->sql('app', q{INSERT INTO pay VALUES (3, 250::numeric::money, 251::numeric::money, '{250}', ('y', '99999'))});
$source->sql('app', q{UPDATE pay SET p = ('z', '1234567'), parts = '{7654321}' WHERE id = 1});
$migration->wait_until_caught_up;
my $amounts = q{SELECT id, m::numeric, a::numeric, parts::numeric[], (p).cost::numeric FROM pay ORDER BY id};
is($target->sql('app', $amounts), $source->sql('app', $amounts), 'amounts arrive');
is($source->sql('app', $amounts), "1|1000|7|{7654321}|1234567\n2|-5|||\n3|250|251|{250}|99999", 'as they were written');

# Whoever changes what they mean after the copy learns it from the comparison.
$target->sql('app', 'ALTER DATABASE app RESET lc_monetary');
my $proxy = start_pgbouncer('pgbouncer', app => $source);
$result = $migration->run($migration->cutover_words($proxy), '--yes', '--verify', '--accept-drift');
like($result->{stdout} . $result->{stderr}, qr/2 tables, 3 rows: 1 different/, 'verify compares amounts');
done_testing();
