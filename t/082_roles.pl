# Roles that the target lacks are made with all that belongs to them, and one that is there is never touched. Who may not read
# passwords brings them over without.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target', conf => 'log_statement = all');
$source->sql('postgres', <<'SQL');
SET password_encryption = 'scram-sha-256';
CREATE ROLE "Odd ""Role""" LOGIN PASSWORD 'hush' CONNECTION LIMIT 7 VALID UNTIL '2031-01-01' NOINHERIT;
CREATE ROLE team CREATEDB;
CREATE ROLE there LOGIN CREATEROLE PASSWORD 'of the source';
CREATE ROLE boss SUPERUSER LOGIN;
GRANT team TO "Odd ""Role""" WITH ADMIN OPTION;
GRANT team TO there;
GRANT pg_monitor TO team;
ALTER ROLE team SET search_path = team, "$user", "Odd, one";
ALTER ROLE team SET statement_timeout = '7s';
ALTER ROLE team SET operator_precedence_warning = on;
COMMENT ON ROLE team IS 'it''s us';
CREATE TABLE t (id int PRIMARY KEY);
ALTER TABLE t OWNER TO team;
CREATE ROLE poor LOGIN;
SQL
$target->sql('postgres', "CREATE ROLE there NOLOGIN CONNECTION LIMIT 3");

my $migration = migration($source, $target);
my ($found) = grep { $_->{id} eq 'role-attributes' } @{decode_json($migration->run('check', '--json', '--no-trial')->{stdout})};
is($found->{findings}[0]{object}, 'role there', 'check names a role that is another on the target');
like($found->{findings}[0]{detail}, qr/LOGIN, CREATEROLE, member of team at the source; CONNECTION LIMIT 3 on the target/, 'and in what');

# The role that we connect as has on each side what it needs there.
$source->sql('postgres', 'CREATE ROLE mover LOGIN SUPERUSER REPLICATION CREATEDB');
$target->sql('postgres', 'CREATE ROLE mover LOGIN SUPERUSER');
($found) = grep { $_->{id} eq 'role-attributes' } @{decode_json($migration->run('check', '--json', '--no-trial',
    '--source', $source->uri('postgres', user => 'mover'), '--target', $target->uri('postgres', user => 'mover'))->{stdout})};
is_deeply([ map { $_->{object} } @{ $found->{findings} } ], ['role there'], 'that it is another on the target is not said of our own role');
$_->sql('postgres', 'DROP ROLE mover') foreach $source, $target;

sub role
{
    my ($server, $role) = @_;
    return $server->sql('postgres', <<"SQL");
SELECT rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolconnlimit, rolvaliduntil, rolpassword,
       shobj_description(oid, 'pg_authid'), ARRAY(SELECT m.rolname || a.admin_option FROM pg_auth_members a JOIN pg_roles m ON m.oid = roleid
       WHERE member = r.oid ORDER BY 1) FROM pg_authid r WHERE rolname = '$role'
SQL
}

# --- As a role that may not read pg_authid
my $there = role($target, 'there');
my $result = run_program(PenstockTest::Program::path('penstock'), 'roles', '--source' => $source->uri('postgres') . '&user=poor',
    '--target' => $target->uri('postgres'));
is($result->{status}, 0, 'a role without rights brings them over');
like($result->{stdout}, qr/made role team.*4 roles made, without passwords/s, 'and says that it had no passwords');
is($target->sql('postgres', q{SELECT count(*) FROM pg_authid WHERE rolpassword IS NOT NULL AND rolname <> current_user}), '0', 'so none has one');
$target->sql('postgres', 'DROP ROLE "Odd ""Role""", team, boss, poor');

# --- As superuser
$result = $migration->ok('roles');
like($result->{stdout}, qr/4 roles made\./, 'the missing ones');
is(role($target, $_), role($source, $_), "$_: attributes, password, memberships and comment") foreach 'Odd "Role"', 'team', 'boss';
is(role($target, 'there'), $there, 'one that was there is as it was');
is($target->sql('postgres', q{SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setrole = 'team'::regrole ORDER BY 1}),
    "search_path=team, \"\$user\", \"Odd, one\"\nstatement_timeout=7s", 'settings, but for one that the target does not know');
unlike(slurp_file($target->logfile), qr/SCRAM-SHA-256\$/, 'no password is in the log of the target');
$result = $migration->ok('roles', '--json');
is(decode_json($result->{stdout})->{made}, 0, 'a second time nothing is left to make');

# --- With the copy
$target->sql('postgres', 'DROP ROLE "Odd ""Role""", team, boss, poor');
$result = $migration->exits(3, 'copy');
like($result->{stderr}, qr/missing on the target: team.*penstock roles/s, 'the copy says how to make them');
$migration->ok('copy', '--roles');
is($target->sql('postgres', "SELECT tableowner FROM pg_tables WHERE tablename = 't'"), 'team', 'copy --roles makes them first');

# --- A target whose role may not make superusers: the rest goes on.
$target->sql('postgres', 'DROP ROLE boss; CREATE ROLE maker LOGIN CREATEROLE');
$source->sql('postgres', 'CREATE ROLE late');
$result = run_program(PenstockTest::Program::path('penstock'), 'roles', '--source' => $source->uri('postgres'),
    '--target' => $target->uri('postgres') . '&user=maker');
is($result->{status}, 3, 'what is refused is an error');
like($result->{stderr}, qr/role boss: .*superuser/, 'in the words of the server');
is($target->sql('postgres', "SELECT count(*) FROM pg_roles WHERE rolname = 'late'"), '1', 'and the others are made');

done_testing();
