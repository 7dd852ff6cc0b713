# check makes the source's schema, without rows, in a database of its own on the target, and names every object that is refused in
# the server's words: what no list of removed features can know. The database is gone afterwards, and nobody else's is touched.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
$source->sql('postgres', 'CREATE ROLE ours LOGIN; CREATE ROLE nobody_there');
$source->sql('postgres', <<'SQL');
CREATE EXTENSION hstore;
CREATE EXTENSION pg_stat_statements;
CREATE TABLE spot (id int PRIMARY KEY, p point, b box, h hstore);
CREATE VIEW inside AS SELECT id FROM spot WHERE p @ b;
CREATE INDEX spot_part ON spot (id) WHERE b ~ '((0,0),(1,1))'::box;
ALTER TABLE spot ADD CONSTRAINT near CHECK (p @ '((-100,-100),(100,100))'::box) NOT VALID;
CREATE VIEW tagged AS SELECT id FROM spot WHERE h @ 'a=>1'::hstore;
CREATE VIEW slow AS SELECT query, calls, total_time FROM pg_stat_statements;
CREATE TABLE ringed (id int, "mitte ö" point, CONSTRAINT ringed_once CHECK (id > 0), CONSTRAINT ringed_in CHECK ("mitte ö" @ '<(0,0),1>'::circle));
CREATE VIEW fine AS SELECT id FROM spot;
ALTER VIEW fine OWNER TO nobody_there;
SQL

# The finding of a check: {object => detail}, and its status.
sub findings
{
    my ($id, @options) = @_;
    my $outcomes = decode_json(migration($source, $target)->run('check', '--json', @options)->{stdout});
    my ($outcome) = grep { $_->{id} eq $id } @{$outcomes};
    return ({map { $_->{object} => $_->{detail} } @{$outcome->{findings}}}, $outcome->{status}, $outcome->{error});
}

sub databases { return $target->sql('postgres', 'SELECT string_agg(datname, \' \' ORDER BY datname) FROM pg_database') }

my $before = databases();
my ($found, $status) = findings('schema-trial');
is($status, 'problem', 'a schema that the target refuses is a problem');
is_deeply([sort keys %{$found}],
    ['CHECK CONSTRAINT public.spot near', 'INDEX public.spot_part', 'TABLE public.ringed', 'VIEW public.inside', 'VIEW public.slow', 'VIEW public.tagged'],
    'every object that is refused is named, and no other; not for a role that is missing, which has a check of its own')
  or diag(explain($found));
like($found->{'VIEW public.slow'}, qr/total_time does not exist/, 'in the words of the server');
like($found->{'TABLE public.ringed'}, qr/does not exist: point @ circle.* IN: CONSTRAINT ringed_in CHECK /s, 'and with the line of the statement that they are about');
is(databases(), $before, 'the database of the trial is gone');
is($target->sql('postgres', "SELECT count(*) FROM pg_class WHERE relname = 'spot'"), '0', 'and the target is as it was');

$source->sql('postgres', 'CREATE SCHEMA many');
$source->sql('postgres', join ';', map { "CREATE TABLE many.t_$_ (id int)" } 1 .. 600);
my $told = migration($source, $target)->run('check', '--verbose')->{stderr};
like($told, qr/ debug  trying the schema on the target: 500 of \d{3} objects\n/, 'how far it is is said on the way');
$source->sql('postgres', 'DROP SCHEMA many CASCADE');

($found, $status) = findings('schema-trial', '--no-trial');
is($status, 'skipped', '--no-trial');

# What an interrupted trial left is taken away; somebody's database of that name is not.
$target->sql('postgres', 'CREATE DATABASE penstock_trial_default');
($found, $status, my $error) = findings('schema-trial');
is($status, 'error', 'a database of that name without our comment');
like($error, qr/penstock_trial_default that is in the way/, 'is named, and stays');
$target->sql('postgres', "COMMENT ON DATABASE penstock_trial_default IS 'Penstock trial of a schema: may be dropped'");
($found, $status) = findings('schema-trial');
is($status, 'problem', 'one with it is taken');
is(databases(), $before, 'and dropped');

# A role that may not make databases does without; mended at the source, nothing is found.
$target->sql('postgres', 'CREATE ROLE weak LOGIN; GRANT ALL ON DATABASE postgres TO weak');
my $result = run_program(PenstockTest::Program::path('penstock'), 'check', '--json', '--source' => $source->uri('postgres'),
    '--target' => $target->uri('postgres') . '&user=weak');
my %outcomes = map { $_->{id} => $_ } @{decode_json($result->{stdout})};
like($outcomes{'schema-trial'}{error}, qr/CREATEDB/, 'without the right to make a database it is said that nothing was tried');
is($outcomes{'target-createdb'}{status}, 'warning', 'as a warning of its own, which is shown');
is($outcomes{'target-createdb'}{findings}[0]{fix}, 'ALTER ROLE weak CREATEDB;', 'with what gives the right');
$source->sql('postgres', 'DROP VIEW inside, tagged, slow; DROP INDEX spot_part; DROP TABLE ringed; ALTER TABLE spot DROP CONSTRAINT near');
($found, $status) = findings('schema-trial');
is($status, 'ok', 'mended, the schema is taken');

# --- What the trial found is known from then on: copy names it, and goes on without it when it is forced; check says it once more, as
# accepted, from what the copy has written down; what the trial did not find is still an error. What holds rows cannot be gone on without.
$_->sql('postgres', 'CREATE DATABASE known') foreach $source, $target;
$source->sql('known', <<'SQL');
CREATE TABLE spot (id int PRIMARY KEY, p point, b box, parent int);
CREATE VIEW inside AS SELECT id FROM spot WHERE p @ b;
CREATE SCHEMA penstock;
CREATE TABLE penstock.own (id int PRIMARY KEY);
INSERT INTO spot VALUES (1, '(0,0)', '((1,1),(2,2))', 1);
CREATE DOMAIN letter AS "char";
CREATE TYPE pair AS (n int, c letter);
CREATE TABLE letters (id int PRIMARY KEY, alone "char", as_domain letter, several letter[], p pair);
SQL
my $known = migration($source, $target, database => 'known', name => 'known', checks_first => 1);

# Id of a check → {status, findings as text}, beside the exit status of check.
sub outcomes_of_known
{
    my $result = $known->run('check', '--json');
    return ($result->{status}, map {
        $_->{id} => [$_->{status}, join("\n", map { join(' | ', map { $_ // '' } @$_{qw(object detail fix)}) } @{$_->{findings}})]
    } @{decode_json($result->{stdout})});
}

$source->sql('known', 'CREATE EXTENSION citext');
$target->sql('known', 'CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext');
my ($exit, %found) = outcomes_of_known();
is($exit, 1, 'check says no');
is($found{'schema-penstock'}[0], 'problem', "a schema penstock of the source's own");
like($found{'schema-penstock'}[1], qr/stays behind.*1 relations.*ALTER SCHEMA penstock RENAME TO/, 'is named, with what it has');
is($found{'extension-schemas'}[1],
    'extension citext | in schema public at the source, in ext on the target | ALTER EXTENSION citext SET SCHEMA public;',
    'an extension that is in another schema, where what needs it would not find it');
$target->sql('known', 'ALTER EXTENSION citext SET SCHEMA public; DROP SCHEMA ext');
is($found{'nested-char'}[1], qq(public.letters.p | public.pair: of its "char" only ASCII can be followed | \npublic.letters.several | public.letter[]: of its "char" only ASCII can be followed | ),
    '"char" that has to be followed as text');
$source->sql('known', 'ALTER SCHEMA penstock RENAME TO ours; DROP TABLE letters');
$source->sql('known', 'CREATE TABLE gone (id int PRIMARY KEY, b box CHECK (b @ b))');
like($known->exits(3, 'copy', '--ddl' => 'off', '--force')->{stderr}, qr/refuses TABLE public.gone, which rows need: --force does not help/,
    'a table that is refused ends the copy before it begins, forced or not');
is($target->sql('known', q{SELECT to_regclass('public.spot')}), '', 'and nothing was made');
$source->sql('known', 'DROP TABLE gone');
like($known->exits(3, 'copy', '--ddl' => 'off')->{stderr}, qr/VIEW public.inside.*--force/s, 'copy names the view that the trial found, and refuses');
like($known->exits(0, 'copy', '--ddl' => 'off', '--force')->{stderr}, qr/as the check has found, and was accepted, the target refuses 1 object of the schema: VIEW public.inside\./,
    'forced, it is copied without it, which is no error any more');
(undef, %found) = outcomes_of_known();
is($found{'schema-trial'}[0], 'accepted', 'check remembers what was accepted of the trial');
like($found{'schema-trial'}[1], qr/^VIEW public.inside \| operator does not exist/, 'in the words that the copy heard');
$target->sql('known', q{UPDATE penstock.schema_object SET state = 'refused', words = 'another' WHERE object_name ~ 'spot_pkey'});
(undef, %found) = outcomes_of_known();
is($found{'schema-trial'}[0], 'problem', 'what the trial had not found is a problem');
$source->sql('known', 'CREATE OR REPLACE VIEW inside AS SELECT id FROM spot');
$known->exits(0, 'copy', '--ddl' => 'off');
is($target->sql('known', 'SELECT count(*) FROM inside'), '1', 'mended at the source, it is made');
(undef, %found) = outcomes_of_known();
is($found{'schema-trial'}[0], 'ok', 'and check has nothing to say of it');

# --- The grants that check prints are enough for copy and follow.
$source->sql('postgres', 'DROP OWNED BY nobody_there; DROP ROLE nobody_there; CREATE TABLE tenant (id int PRIMARY KEY);'
      . ' ALTER TABLE tenant ENABLE ROW LEVEL SECURITY; INSERT INTO tenant VALUES (1); CREATE SEQUENCE counted;');
$target->sql('postgres', 'CREATE ROLE ours');
$result = migration($source, $target)->run('check', '--grants=mover');
my ($at_source, $at_target) = split /\n\n/, $result->{stdout};
$source->sql('postgres', $at_source);
$target->sql('postgres', $at_target);
my @as_mover = ('--source' => $source->uri('postgres') . '&user=mover', '--target' => $target->uri('postgres') . '&user=mover');
$result = run_program(PenstockTest::Program::path('penstock'), 'copy', @as_mover);
is($result->{status}, 0, 'a role with the grants of check --grants copies') or diag($result->{stderr});
is($target->sql('postgres', 'SELECT count(*) FROM tenant'), '1', 'rows that a policy would hide, too');
my $applier = background('follow_as_mover', PenstockTest::Program::path('penstock'), 'follow', @as_mover);
$source->sql('postgres', 'INSERT INTO tenant VALUES (2)');
wait_until('the row to follow', sub { $target->sql('postgres', 'SELECT count(*) FROM tenant') eq '2' });
is($applier->stop, 0, 'and follows');

done_testing();
