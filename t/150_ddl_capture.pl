# What the source's event triggers write into the stream, and that they never make a statement of the application fail or wait.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
$_->sql('postgres', 'CREATE ROLE app LOGIN; CREATE ROLE owner') foreach $source, $target;
$source->sql('postgres', <<'SQL');
CREATE TABLE first (id int PRIMARY KEY, t text);
INSERT INTO first SELECT g, 'x' FROM generate_series(1, 10) g;
GRANT ALL ON SCHEMA public TO app;
SQL
my $migration = migration($source, $target, ddl => 'default');
$migration->ok('copy', '--lanes', 4);
is($target->sql('postgres', 'SELECT ddl FROM penstock.migration'), 'capture', 'a superuser of the source captures DDL by default');
is($source->sql('postgres', q{SELECT string_agg(concat(evtname, ' ', evtenabled), ', ' ORDER BY evtname) FROM pg_event_trigger}),
    'penstock_ddl_drop A, penstock_ddl_end A, penstock_ddl_rewrite A, penstock_ddl_start A', 'event triggers are there, whatever a session\'s replication role is');
is($target->sql('postgres', 'SELECT count(*) FROM pg_event_trigger'), '0', 'and none of them on the target');
my $status = $migration->ok('status', '--json')->{stdout};
like($status, qr/event trigger penstock_ddl_end, which captures DDL/, 'status lists them');
unlike($status, qr/ddl_token/, 'and not the key that messages are sealed with');

# What was written since the last look: the messages' objects, without their seal.
$source->sql('postgres', q{SELECT pg_create_logical_replication_slot('look', 'test_decoding')});

sub messages
{
    my $rows = $source->sql('postgres', q{SELECT data FROM pg_logical_slot_get_changes('look', NULL, NULL)
        WHERE data ~ '^message: transactional: 1 prefix: penstock.ddl,'});
    return map { /content:(?:[0-9a-f]{64})?(\{.*\})$/s ? decode_json($1) : die "no object in: $_\n" } split /\n(?=message:)/, $rows;
}

sub one_message
{
    my @messages = messages();
    is(scalar @messages, 1, 'one message') or diag(explain(\@messages));
    return $messages[0] // {};
}

messages();
$source->sql('postgres', q{SET search_path = public, pg_catalog; SET TimeZone = 'Asia/Tokyo'; ALTER TABLE first ADD b int DEFAULT 5});
my $message = one_message();
is("$message->{tag} $message->{number} $message->{path}", 'ALTER TABLE 1 public, pg_catalog', 'tag, number in the string, search_path');
is($message->{settings}{TimeZone}, 'Asia/Tokyo', 'and settings');
is($message->{tables}[0]{name}, 'first', 'the table that it changed');
is_deeply($message->{tables}[0]{missing}{b}, { number => 3, type => 'integer', value => '5' }, 'and the value that its rows got');
is($message->{objects}[0]{identity}, 'public.first', 'objects by identity');

# Several in one string that the server gets as one.
sub one_string
{
    my ($sql) = @_;
    return run_program($source->installed_command('psql'), '-X', '-v', 'ON_ERROR_STOP=1', '-c', $sql, $source->uri('postgres'));
}

messages();
one_string(q{SET ROLE app; CREATE TABLE mine (id int); INSERT INTO mine VALUES (1); CREATE INDEX ON mine (id); DROP TABLE mine});
is_deeply([map { "$_->{event} $_->{tag} $_->{number} $_->{role}" } messages()],
    ['end CREATE TABLE 1 app', 'end CREATE INDEX 2 app', 'drop DROP TABLE 3 app'],
    'of several in one string each has its number, and the role');

$source->sql('postgres', q{DO $$ BEGIN CREATE TABLE in_do (id int); EXECUTE 'COMMENT ON TABLE in_do IS ''quote " here'''; END $$});
my @in_do = messages();
is(scalar @in_do, 2, 'both statements of a DO block');
like($in_do[0]{stack}, qr/^SQL statement "CREATE TABLE in_do \(id int\)"\nPL\/pgSQL function inline_code_block/, 'with the statement itself');

# What is not told of.
$source->sql('postgres', q{CREATE TEMP TABLE t (id int); CREATE INDEX ON t (id); ALTER TABLE t ADD b int; DROP TABLE t;
    CREATE TABLE IF NOT EXISTS first (id int); DROP TABLE IF EXISTS nothing});
is(scalar(messages()), 0, 'temporary tables, and what did nothing, are not told of');
$source->sql('postgres', 'CREATE EXTENSION hstore');
$message = one_message();
is("$message->{tag} " . join(',', map { $_->{type} } @{$message->{objects}}), 'CREATE EXTENSION extension', 'of an extension itself alone');
$source->sql('postgres', 'BEGIN; CREATE TABLE gone (id int); ROLLBACK');
is(scalar(messages()), 0, 'what was rolled back left nothing');
$source->sql('postgres', 'SET session_replication_role = replica; CREATE TABLE by_replica (id int)');
is(one_message()->{tag}, 'CREATE TABLE', 'a session of replication is told of, too');
$source->sql('postgres', 'ALTER TABLE first ADD r float8 DEFAULT random()');
is(one_message()->{rewritten}[0]{reason}, 2, 'that a table was written anew is told');
$source->sql('postgres', 'CREATE INDEX CONCURRENTLY slow ON first (b)');
is(one_message()->{tag}, 'CREATE INDEX', 'an index that is built beside');
$source->sql('postgres', 'DROP INDEX CONCURRENTLY slow');
is(one_message()->{dropped}[0]{identity}, 'public.slow', 'and one that is dropped so');

# Nothing of an application's fails.
is($source->sql('postgres', 'BEGIN READ ONLY; SELECT count(*) FROM first; COMMIT'), '10', 'read-only transactions go on');
my $refused = run_program($source->installed_command('psql'), '-X', '-c', 'BEGIN READ ONLY; CREATE TABLE no (id int)', $source->uri('postgres'));
like($refused->{stderr}, qr/cannot execute CREATE TABLE in a read-only transaction/, 'and fail as ever');
messages();
$source->sql('postgres', 'REVOKE ALL ON SCHEMA penstock FROM PUBLIC');
messages();
is(one_string('SET ROLE app; CREATE TABLE no_rights (id int)')->{status}, 0, 'a role without rights on the schema makes its table');
$message = one_message();
is("$message->{event} $message->{tag} $message->{code}", 'error CREATE TABLE 42501', 'and the message says that it was not captured');
like($message->{query}, qr/CREATE TABLE no_rights/, 'with what the client sent');
$source->sql('postgres', 'GRANT USAGE ON SCHEMA penstock TO PUBLIC; ALTER TABLE penstock.penstock_ddl_seal RENAME TO hidden');
messages();
is(one_string('CREATE TABLE broken (id int)')->{status}, 0, 'with a broken trigger, too');
is(one_message()->{event}, 'error', 'and that is told');
$source->sql('postgres', 'ALTER TABLE penstock.hidden RENAME TO penstock_ddl_seal');
messages();

$source->sql('postgres', join(';', map { "ALTER TABLE first ADD c$_ int" } 1 .. 200));
is(scalar(messages()), 200, 'two hundred statements, one after the other');

$source->sql('postgres', q{SELECT pg_drop_replication_slot('look')});
$migration->ok('finish', '--abandon');
is($source->sql('postgres', q{SELECT count(*) FROM pg_event_trigger}), '0', 'finish removes the event triggers');
is($source->sql('postgres', q{SELECT count(*) FROM pg_namespace WHERE nspname = 'penstock'}), '0', 'and the schema');
done_testing();
