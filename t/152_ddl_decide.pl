# A statement that cannot be applied stops the applier with the statement, its place and what to do; what the operator decides is
# done in that place, and nothing is skipped without it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
$_->sql('postgres', 'CREATE ROLE app LOGIN; CREATE ROLE owner LOGIN') foreach $source, $target;
$source->sql('postgres', <<'SQL');
CREATE TABLE a (id int PRIMARY KEY, t text);
INSERT INTO a SELECT g, 'x' FROM generate_series(1, 10) g;
GRANT ALL ON SCHEMA public TO app, owner;
CREATE FUNCTION by_owner() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN CREATE TABLE definers (id int PRIMARY KEY); END $$;
ALTER FUNCTION by_owner() OWNER TO owner;
SQL
my $migration = migration($source, $target, ddl => 'capture');
$migration->ok('copy', '--lanes', 4);
my $applier = $migration->follow;

sub waiting
{
    my ($row) = grep { $_->{state} eq 'waiting' } @{decode_json($migration->ok('ddl', 'list', '--json')->{stdout})};
    return $row;
}

# The source runs it, rows of other tables before and behind; the applier stops. Returns what waits.
sub stops_at
{
    my ($name, $sql, $why) = @_;
    $source->sql('postgres', "UPDATE a SET t = 'before'");
    $source->sql('postgres', $sql);
    $source->sql('postgres', "UPDATE a SET t = 'behind'");
    wait_until('the applier to stop', sub { !$applier->is_running });
    my $waits = waiting();
    like($waits->{reason}, $why, "$name stops the applier, with the reason");
    my $text = $applier->log_text;
    like($text, qr/DDL $waits->{id}, .* in transaction $waits->{lsn}, number $waits->{sequence} of it/, '... with its place');
    like($text, qr/penstock ddl apply $waits->{id} .*penstock ddl edit $waits->{id} .*penstock ddl skip $waits->{id}/, '... and what to do');
    is($target->sql('postgres', 'SELECT min(t) FROM a'), 'before', '... and what came before it is there, what came behind is not');
    return $waits;
}

sub goes_on
{
    my ($name) = @_;
    $applier = $migration->follow;
    $migration->wait_until_caught_up;
    is($target->sql('postgres', 'SELECT min(t) FROM a'), 'behind', "$name: the stream goes on");
    is(waiting(), undef, '... and nothing waits');
}

$target->sql('postgres', 'CREATE TABLE in_the_way (x int)');
my $waits = stops_at('what the target refuses', 'CREATE TABLE in_the_way (id int PRIMARY KEY)', qr/the target refuses it: .*already exists/);
like($waits->{statement}, qr/^CREATE TABLE in_the_way \(id int PRIMARY KEY\)$/, 'the statement is shown');
like($migration->ok('status')->{stdout}, qr/DDL $waits->{id} \(CREATE TABLE\) waits for a decision/, 'status says first that it waits');
$migration->follow;
wait_until('the applier to stop again', sub { !$migration->{applier}->is_running });
is(waiting()->{id}, $waits->{id}, 'started again without more ado it stops at the same place');
$target->sql('postgres', 'DROP TABLE in_the_way');
$migration->ok('ddl', 'apply', $waits->{id});
goes_on('with the obstacle away');
$source->sql('postgres', 'INSERT INTO in_the_way VALUES (1)');

$waits = stops_at('a kind that is asked about', 'ALTER TABLE a SET TABLESPACE pg_default', qr/tablespaces/);
like($migration->exits(3, 'ddl', 'skip', 4711)->{stderr}, qr/does not wait for a decision/, 'only what waits is decided');
like($migration->exits(2, 'ddl', 'edit', $waits->{id})->{stderr}, qr/--statement SQL or --file/, 'edit wants a statement');
$migration->ok('ddl', 'skip', $waits->{id});
goes_on('left out');
is($target->sql('postgres', "SELECT state FROM penstock.ddl WHERE id = $waits->{id}"), 'skipped', 'which is written down');

$waits = stops_at('a role that is missing', 'CREATE ROLE missing; GRANT ALL ON SCHEMA public TO missing; SET ROLE missing; CREATE TABLE of_missing (id int PRIMARY KEY)',
    qr/role "missing" does not exist/);
$target->sql('postgres', 'CREATE ROLE missing');
goes_on('the GRANT, once the role is there, and the table after it') if 1;

$waits = stops_at('a SECURITY DEFINER function', 'SET ROLE app; SELECT by_owner()', qr/as role owner; it would run as role app/);
$migration->ok('ddl', 'edit', $waits->{id}, '--statement', 'CREATE TABLE public.definers (id int PRIMARY KEY); ALTER TABLE public.definers OWNER TO owner', '--as-target-role');
goes_on('edited');
$source->sql('postgres', 'INSERT INTO definers VALUES (7)');

$waits = stops_at('a message that somebody else wrote',
    q{SET ROLE app; SELECT pg_logical_emit_message(true, 'penstock.ddl', '{"version": 1, "event": "end", "tag": "CREATE ROLE", "number": 1,
      "role": "postgres", "query": "CREATE TABLE forged ()"}')}, qr/does not have the seal/);
$migration->ok('ddl', 'skip', $waits->{id});
goes_on('the forged one left out');

$source->sql('postgres', 'REVOKE ALL ON SCHEMA penstock FROM PUBLIC');
$migration->wait_until_caught_up;
$waits = stops_at('what could not be captured', 'SET ROLE app; CREATE TABLE no_rights (id int PRIMARY KEY)', qr/could not capture it: permission denied/);
like($waits->{statement}, qr/CREATE TABLE no_rights/, 'with what the client sent');
$target->sql('postgres', 'CREATE TABLE no_rights (id int PRIMARY KEY); ALTER TABLE no_rights OWNER TO app');
$migration->ok('ddl', 'skip', $waits->{id});
goes_on('made by hand');
$source->sql('postgres', 'GRANT USAGE ON SCHEMA penstock TO PUBLIC');

$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'in the end');
like($migration->ok('ddl', 'list')->{stdout}, qr/applied +CREATE TABLE, made .* took .* ms\n +statement CREATE TABLE in_the_way/, 'the list is for people, too');
is_deeply($migration->drift, [], 'status --schema finds no difference');

# Somebody disables a trigger: that is said, and the next penstock copy makes all of them anew, which is nothing that travels.
$source->sql('postgres', 'ALTER EVENT TRIGGER penstock_ddl_drop DISABLE');
like($migration->ok('status')->{stdout}, qr/DDL at the source is not captured: .*penstock copy makes them anew/, 'status says that capture is broken');
is($applier->stop, 0, 'the applier ends');
like($migration->run('copy')->{stderr}, qr/event triggers that capture DDL at the source were removed or disabled.*made anew/s, 'copy makes them anew');
$applier = $migration->follow;
$source->sql('postgres', 'ALTER TABLE a ADD anew int; DROP TABLE no_rights; UPDATE a SET anew = 1');
$migration->wait_until_caught_up;
same_rows($source, $target, 'postgres', 'and DDL is captured again');
unlike($migration->ok('status')->{stdout}, qr/not captured/, '... which status sees');
$target->sql('postgres', 'CREATE INDEX only_here ON a (t)');
like($migration->ok('status', '--schema')->{stdout}, qr/index public\.only_here is on the target alone; to mend it: DROP INDEX public\.only_here/, '... until there is one');
is($applier->stop, 0, 'the applier ends');
done_testing();
