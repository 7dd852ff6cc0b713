# A whole migration of a part of a database: what --only, --exclude and --schema-only leave behind is left by check, copy, stream,
# comparison, cutover and rollback alike, is named by each, and has to be accepted before a switch.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Writers;

use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
app_database('app', $source, $target);
my $writers = PenstockTest::Writers->new($source, 'app');
$source->sql('app', <<'SQL');
CREATE SCHEMA shop; CREATE SCHEMA audit; CREATE SCHEMA "Odd.Name";
CREATE FUNCTION shop.free() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE shop.customers (id serial PRIMARY KEY, name text);
CREATE TABLE shop.countries (code text PRIMARY KEY);
CREATE TABLE shop.sessions (id bigserial PRIMARY KEY, customer int REFERENCES shop.customers);
CREATE TABLE shop.orders (id serial PRIMARY KEY, customer int REFERENCES shop.customers, country text REFERENCES shop.countries,
    session bigint REFERENCES shop.sessions);
CREATE TABLE shop.tmp_import (id int);
CREATE TABLE audit.log (id bigserial PRIMARY KEY, what text) PARTITION BY RANGE (id);
CREATE TABLE shop.log_part PARTITION OF audit.log FOR VALUES FROM (0) TO (1000);
CREATE TABLE shop.events (at int NOT NULL, what text, PRIMARY KEY (at)) PARTITION BY RANGE (at);
CREATE TABLE shop.events_new PARTITION OF shop.events FOR VALUES FROM (10) TO (20);
CREATE TABLE shop.events_old PARTITION OF shop.events FOR VALUES FROM (0) TO (10);
CREATE TABLE shop.base (id int PRIMARY KEY); CREATE TABLE audit.parent (id int PRIMARY KEY);
CREATE TABLE shop.child (more text) INHERITS (audit.parent);
CREATE TABLE "Odd.Name".kept (id int PRIMARY KEY);
CREATE SEQUENCE shop.shared; CREATE SEQUENCE audit.alone START 500;
CREATE TABLE shop.tmp_uses (id int DEFAULT nextval('shop.shared')); ALTER SEQUENCE shop.shared OWNED BY shop.tmp_uses.id;
ALTER TABLE shop.base ADD n int DEFAULT nextval('shop.shared');
CREATE VIEW shop.seen AS SELECT * FROM audit.log; CREATE VIEW shop.seen_again AS SELECT * FROM shop.seen;
CREATE VIEW shop.who AS SELECT id FROM shop.customers;
CREATE MATERIALIZED VIEW shop.remote AS SELECT 1 AS x;
CREATE INDEX log_what ON shop.log_part (what); COMMENT ON TABLE audit.log IS 'logged';
ALTER TABLE audit.parent ADD CHECK (id < extract(epoch FROM now()));
INSERT INTO shop.customers (name) SELECT 'c' || i FROM generate_series(1, 20) i; INSERT INTO shop.countries VALUES ('de'), ('fr');
INSERT INTO shop.sessions (customer) SELECT i FROM generate_series(1, 20) i;
INSERT INTO shop.orders (customer, country, session) SELECT i, 'de', i FROM generate_series(1, 20) i;
INSERT INTO audit.log (what) SELECT 'x' FROM generate_series(1, 20); INSERT INTO shop.tmp_import SELECT generate_series(1, 5);
INSERT INTO shop.events SELECT i, 'e' FROM generate_series(0, 19) i; INSERT INTO "Odd.Name".kept VALUES (1);
INSERT INTO shop.base SELECT i FROM generate_series(1, 3) i;
ALTER TABLE shop.tmp_uses REPLICA IDENTITY NOTHING;
SQL

my @choice = ('--only', 'shop', '--only', 'public', '--only', 'Odd\.Name.*', '--exclude', 'shop.tmp_*', '--exclude', 'audit',
    '--exclude', 'shop.countries', '--exclude', 'shop.events_old', '--schema-only', 'shop.sess*', '--schema-only', 'shop.remote');
my $migration = migration($source, $target, database => 'app', ddl => 'off');

# --- check
sub findings
{
    my ($id, @options) = @_;
    my $outcomes = decode_json($migration->run('check', '--json', '--no-trial', @options)->{stdout});
    my ($outcome) = grep { $_->{id} eq $id } @{$outcomes};
    return {map { $_->{object} => $_->{detail} } @{$outcome->{findings}}};
}
my $left = findings('left-behind', @choice);
is_deeply(
    $left,
    {
        'audit.alone' => 'stays behind (--exclude audit)', 'audit.log' => 'stays behind (--exclude audit)',
        'audit.log_id_seq' => 'stays behind (of audit.log)', 'audit.parent' => 'stays behind (--exclude audit)',
        'shop.tmp_uses' => 'stays behind (--exclude shop.tmp_*)', 'shop.child' => 'stays behind (--exclude audit)',
        'shop.countries' => 'stays behind (--exclude shop.countries)',
        'shop.events_old' => 'stays behind (--exclude shop.events_old)', 'shop.log_part' => 'stays behind (--exclude audit)',
        'shop.remote' => 'is made on the target without its rows (--schema-only shop.remote)',
        'shop.sessions' => 'is made on the target without its rows (--schema-only shop.sess*)',
        'shop.tmp_import' => 'stays behind (--exclude shop.tmp_*)',
    },
    'check names what stays behind, and why: partitions and children with what they belong to, sequences with their tables')
  or diag(explain($left));
is_deeply([sort keys %{findings('left-foreign-keys', @choice)}],
    ['shop.orders orders_country_fkey', 'shop.orders orders_session_fkey'], 'the foreign keys to it');
is_deeply([sort keys %{findings('left-views', @choice)}], ['shop.seen'], 'views of it');
is_deeply([sort keys %{findings('left-partitions', @choice)}], ['shop.events_old'], 'partitions of what is moved');
ok(exists findings('replica-identity-unused')->{'shop.tmp_uses'}, 'a table without identity is a finding');
ok(!exists findings('replica-identity-unused', @choice)->{'shop.tmp_uses'}, 'and none when it stays behind');
is_deeply([keys %{findings('selection', '--exclude', 'shpo.*')}], ['--exclude shpo.*'], 'a pattern that fits nothing is named');
$migration->exits(2, 'check', '--only', 'a.b.c');

# --- copy: the choice is kept, and nothing of it is typed again.
$migration->exits(2, 'copy', '--exclude', '*');
my $result = $migration->ok('copy', @choice);
like($result->{stderr}, qr/VIEW shop\.seen_again: is left out/, 'copy says what is left out, too');
is($target->sql('app', q{SELECT string_agg(format('%I.%I', n.nspname, relname), ' ' ORDER BY format('%I.%I', n.nspname, relname)) FROM pg_class c JOIN pg_namespace n
      ON n.oid = relnamespace WHERE n.nspname IN ('shop', 'audit', 'Odd.Name') AND relkind IN ('r', 'p', 'v', 'm', 'S')}),
    q{"Odd.Name".kept shop.base shop.customers shop.customers_id_seq shop.events shop.events_new shop.orders shop.orders_id_seq }
      . q{shop.remote shop.sessions shop.sessions_id_seq shop.shared shop.who},
    'on the target is what was chosen: with sequences that a moved table uses, though another owns them');
is($target->sql('app', q{SELECT string_agg(conname || ' ' || convalidated, ', ' ORDER BY conname) FROM pg_constraint
      WHERE contype = 'f' AND connamespace = 'shop'::regnamespace}), 'orders_customer_fkey true, orders_session_fkey false, sessions_customer_fkey true',
    'a foreign key to rows that stay behind is not validated, one to a table that does is not there');
is($target->sql('app', 'SELECT (SELECT count(*) FROM shop.orders), (SELECT count(*) FROM shop.sessions), '
      . '(SELECT count(*) FROM shop.events)'), '20|0|10', 'rows are those of moved tables');
is($target->sql('app', q{SELECT relispopulated FROM pg_class WHERE relname = 'remote'}), 'f', 'a view is not refreshed that was not to be');
is($target->sql('app', 'SELECT nextval(\'shop.shared\'), nextval(\'shop.sessions_id_seq\')'), '4|21', 'sequences go on');
$result = $migration->exits(2, 'copy', '--only', 'shop');
like($result->{stderr}, qr/was begun with --only Odd/, 'a second copy cannot choose anew');

# --- the stream: by OID, so that neither a rename nor a new table of a kept name goes astray.
my $applier = $migration->follow;
$migration->wait_until_caught_up;
$source->sql('app', <<'SQL');
UPDATE shop.orders SET country = 'fr' WHERE id <= 10; INSERT INTO audit.log (what) VALUES ('y'); UPDATE shop.sessions SET customer = 1;
INSERT INTO shop.tmp_uses VALUES (1); INSERT INTO shop.countries VALUES ('it'); DELETE FROM shop.tmp_import;
BEGIN; TRUNCATE audit.log, shop.base; INSERT INTO shop.base VALUES (77, 1); COMMIT;
CREATE TABLE shop.tmp_later (id int PRIMARY KEY); INSERT INTO shop.tmp_later VALUES (1);
CREATE TABLE shop.log_part_2 PARTITION OF audit.log FOR VALUES FROM (1000) TO (2000); INSERT INTO audit.log VALUES (1500, 'z');
CREATE TABLE other_place (id int); ALTER TABLE other_place SET SCHEMA audit; INSERT INTO audit.other_place VALUES (1);
SQL
$migration->wait_until_caught_up;
is($target->sql('app', q{SELECT (SELECT count(*) FROM shop.orders WHERE country = 'fr'), (SELECT string_agg(id::text, ',') FROM shop.base),
      (SELECT count(*) FROM shop.sessions)}), '10|77|0', 'the stream brings what is moved, and passes over what is not');
is($target->sql('app', q{SELECT string_agg(relation_name || ' ' || reason, ', ' ORDER BY relation_name) FROM penstock.left_behind
      WHERE relation_name IN ('tmp_later', 'log_part_2', 'other_place')}),
    'log_part_2 --exclude audit, other_place --exclude audit, tmp_later --exclude shop.tmp_*',
    'tables made since that stay behind do not stop it, and are written down');
like($migration->ok('status')->{stdout}, qr/^moved .*--exclude shop\.tmp_\*.*stay behind/m, 'status says what is chosen');
is(decode_json($migration->ok('status', '--json')->{stdout})->{selection}{rows_left}, 2, 'status --json, too');
is_deeply(findings('drift'), {}, 'what stays behind is no difference of the two sides');

# A moved table that gets a name by which it would stay behind is brought all the same, or said: never passed over.
my $proxy = start_pgbouncer('pgbouncer', app => $source);
my @cutover = $migration->cutover_words($proxy);
$source->sql('app', 'ALTER TABLE shop.base RENAME TO tmp_base');
$result = $migration->exits(3, @cutover, '--accept-left-behind', '--dry-run');
like($result->{stderr}, qr/table shop\.base was copied and is called shop\.tmp_base now/, 'a rename into what stays behind is named');
$source->sql('app', 'ALTER TABLE shop.tmp_base RENAME TO base; UPDATE shop.base SET n = 5');
$migration->wait_until_caught_up;
is($target->sql('app', 'SELECT n FROM shop.base'), '5', 'and back again nothing is lost');

# --- the switch names it, and wants it accepted.
$result = $migration->exits(3, @cutover, '--yes');
like($result->{stderr}, qr/relations? of the source left behind: .*audit\.log \(--exclude audit\)/, 'the cutover names what stays behind');
like($result->{stderr}, qr/rows of 2 relations are left behind.*shop\.sessions/, 'and whose rows do');
like($result->{stderr}, qr/2 foreign keys to what is left behind.*orders_session_fkey/, 'and what is not checked any more');
like($result->{stderr}, qr/--accept-left-behind/, 'and what to say');
$writers->start('load', $proxy->uri('app'));
$writers->go_on($source, 'before');
$result = $migration->ok(@cutover, '--yes', '--verify', '--accept-left-behind');
like($result->{stdout}, qr/6 tables, \d+ rows: 0 different/, 'the comparison is of what is moved');
is($target->sql('app', q{SELECT count(*) FROM pg_publication_tables WHERE pubname ~ '^penstock_reverse' AND tablename = 'sessions'}), '0',
    'the way back does not touch rows that stayed behind');
$writers->go_on($target, 'after the switch');

# --- and back: what stayed behind is as it was, also when its copy was emptied.
$target->sql('app', 'TRUNCATE shop.sessions CASCADE; INSERT INTO shop.orders VALUES (900, 1, NULL, NULL)');
$target->sql('app', 'INSERT INTO shop.sessions (id, customer) VALUES (5000, 1)');
$result = $migration->exits(3, $migration->rollback_words($proxy), '--yes');
like($result->{stderr}, qr/rows of tables .*shop\.sessions/, 'rows that were written there are a loss, and named');
$migration->ok($migration->rollback_words($proxy), '--yes', '--accept-loss');
is($source->sql('app', 'SELECT (SELECT count(*) FROM shop.sessions), (SELECT string_agg(id::text, \',\') FROM shop.orders), '
      . '(SELECT count(*) FROM audit.log)'), '20|900|1', 'back: the moved tables as they were there, the others untouched');
$writers->go_on($source, 'after the rollback');
$writers->end_well($source);
done_testing();
