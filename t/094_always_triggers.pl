# Triggers and rules that act on replicated rows, too, do not act a second time on the target: what they did at the source is in
# the stream. They are off while the target follows, over kills and a cutover that was undone, and what they were from the cutover
# on. One that was made on the target on purpose acts.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $modes = q{SELECT string_agg(name || ' ' || mode, ', ' ORDER BY name) FROM (
    SELECT tgname AS name, tgenabled AS mode FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT rulename, ev_enabled FROM pg_rewrite WHERE rulename = 'log'
    UNION ALL SELECT evtname, evtenabled FROM pg_event_trigger WHERE evtname NOT LIKE 'penstock%') AS m};
$source->sql('postgres', <<'SQL');
CREATE TABLE acct (id int PRIMARY KEY, v int, stamp text);
CREATE TABLE audit (what text, id int);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.audit VALUES (tg_op, coalesce(new.id, old.id)); RETURN NULL; END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON acct FOR EACH ROW EXECUTE PROCEDURE audit();
ALTER TABLE acct ENABLE ALWAYS TRIGGER audit;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.stamp := clock_timestamp(); RETURN new; END $$;
CREATE TRIGGER plain BEFORE INSERT ON acct FOR EACH ROW EXECUTE PROCEDURE stamp();
CREATE TABLE chain (id int PRIMARY KEY, h text);
CREATE FUNCTION chain() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN new.h := md5(coalesce(new.h, '') || clock_timestamp()); RETURN new; END $$;
CREATE TRIGGER "the chain" BEFORE INSERT ON chain FOR EACH ROW EXECUTE PROCEDURE chain();
ALTER TABLE chain ENABLE ALWAYS TRIGGER "the chain";
CREATE TABLE ruled (id int PRIMARY KEY);
CREATE TABLE ruled_log (id int);
CREATE RULE log AS ON INSERT TO ruled DO ALSO INSERT INTO ruled_log VALUES (new.id);
ALTER TABLE ruled ENABLE REPLICA RULE log;
CREATE TABLE parted (id int, v int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE TABLE parted_log (id int);
CREATE FUNCTION parted_log() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.parted_log VALUES (new.id); RETURN NULL; END $$;
CREATE TRIGGER parted_log AFTER INSERT ON parted_1 FOR EACH ROW EXECUTE PROCEDURE parted_log();
ALTER TABLE parted_1 ENABLE ALWAYS TRIGGER parted_log;
CREATE TABLE ddl_log (tag text);
CREATE FUNCTION ddl_log() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.ddl_log VALUES (tg_tag); END $$;
CREATE EVENT TRIGGER ddl_log ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE PROCEDURE ddl_log();
ALTER EVENT TRIGGER ddl_log ENABLE ALWAYS;
CREATE TABLE ddl_seen (id serial PRIMARY KEY, tag text);
CREATE FUNCTION ddl_seen() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.ddl_seen (tag) VALUES (tg_tag); END $$;
CREATE EVENT TRIGGER ddl_seen ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'CREATE PUBLICATION', 'ALTER PUBLICATION', 'DROP PUBLICATION',
    'CREATE SUBSCRIPTION', 'ALTER SUBSCRIPTION', 'DROP SUBSCRIPTION') EXECUTE PROCEDURE ddl_seen();
ALTER TABLE acct ADD c int;
INSERT INTO acct SELECT g, g FROM generate_series(1, 10) AS g;
INSERT INTO chain SELECT g, 'x' FROM generate_series(1, 5) AS g;
INSERT INTO ruled SELECT g FROM generate_series(1, 5) AS g;
SQL
my $migration = migration($source, $target);
like($migration->ok('copy', '--lanes', 4)->{stderr}, qr/ENABLE ALWAYS or REPLICA are disabled on the target until the cutover, 5 in all/, 'the copy says so');
my $at_source = $source->sql('postgres', $modes);
is($at_source, 'audit A, ddl_log A, ddl_seen O, log R, parted_log A, plain O, the chain A', 'at the source they act');
my $off = 'audit D, ddl_log D, ddl_seen O, log D, parted_log D, plain O, the chain D';
is($target->sql('postgres', $modes), $off, 'on the target they do not');

my $next = 100;
sub changes
{
    $next++;
    return "INSERT INTO acct VALUES ($next, 1); UPDATE acct SET v = v + 1 WHERE id <= 3; DELETE FROM acct WHERE id = $next - 1; "
      . "INSERT INTO chain VALUES ($next, 'y'); INSERT INTO ruled VALUES ($next); INSERT INTO parted VALUES ($next % 100, 1)";
}

my $applier = $migration->follow;
$migration->same_after('nothing acts twice', changes());
$applier->kill9;
$target->sql('postgres', 'SET session_replication_role = replica; ALTER TABLE acct ENABLE ALWAYS TRIGGER audit; ALTER TABLE ruled ENABLE REPLICA RULE log');
$applier = $migration->follow;
$migration->same_after('after a kill, and a cutover that left them on', changes());
is($target->sql('postgres', $modes), $off, 'they are off again');

$target->sql('postgres', <<'SQL');
CREATE TABLE made (id int);
CREATE FUNCTION made() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.made VALUES (new.id); RETURN NULL; END $$;
CREATE TRIGGER made AFTER INSERT ON acct FOR EACH ROW EXECUTE FUNCTION made();
SET session_replication_role = replica; ALTER TABLE acct ENABLE ALWAYS TRIGGER made;
SQL
$source->sql('postgres', changes());
$migration->wait_until_caught_up;
is($target->sql('postgres', 'SELECT count(*) FROM made'), 1, 'one that was made on the target acts');
$target->sql('postgres', 'DROP TRIGGER made ON acct; DROP TABLE made; DROP FUNCTION made');

$migration->ok('cutover', '--proxy=none', '--yes');
is($target->sql('postgres', $modes), $at_source, 'from the cutover on they are what they were');
is($target->sql('postgres', 'TABLE ddl_seen'), $source->sql('postgres', 'TABLE ddl_seen'), 'DDL of ours is in no log of the database, on neither side');
my $audited = $target->sql('postgres', 'SELECT count(*) FROM audit');
$target->sql('postgres', 'INSERT INTO acct VALUES (900, 1)');
is($target->sql('postgres', 'SELECT count(*) FROM audit'), $audited + 1, 'and act on what clients write');
$applier->stop;
$migration->ok('finish', '--yes');
is($target->sql('postgres', $modes), $at_source, 'after finish, too');
done_testing();
