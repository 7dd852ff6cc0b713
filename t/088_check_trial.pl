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
    ['CHECK CONSTRAINT public.spot near', 'INDEX public.spot_part', 'VIEW public.inside', 'VIEW public.slow', 'VIEW public.tagged'],
    'every object that is refused is named, and no other; not for a role that is missing, which has a check of its own')
  or diag(explain($found));
like($found->{'VIEW public.slow'}, qr/total_time does not exist/, 'in the words of the server');
is(databases(), $before, 'the database of the trial is gone');
is($target->sql('postgres', "SELECT count(*) FROM pg_class WHERE relname = 'spot'"), '0', 'and the target is as it was');

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
my ($outcome) = grep { $_->{id} eq 'schema-trial' } @{decode_json($result->{stdout})};
like($outcome->{error}, qr/CREATEDB/, 'without the right to make a database it is said that nothing was tried');
$source->sql('postgres', 'DROP VIEW inside, tagged, slow; DROP INDEX spot_part; ALTER TABLE spot DROP CONSTRAINT near');
($found, $status) = findings('schema-trial');
is($status, 'ok', 'mended, the schema is taken');

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
