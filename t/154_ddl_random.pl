# Transactions of rows and DDL of every class that is applied, copied anew or left out (docs/ddl.md), by several clients, with savepoints,
# rollbacks and kills: in the end both sides have the same definitions and the same rows. Each kind of the list comes at least once in
# each world, at a place that chance chooses. What stops and asks has t/152.
#
# The seed is printed. From the environment:
#   SEED                  runs that seed first, and seeds that follow from it
#   PENSTOCK_DDL_SECONDS  how long new worlds are begun (12)
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Random;
use Time::HiRes qw(time usleep);

my $seconds = $ENV{PENSTOCK_DDL_SECONDS} || 12;
my $seed = $ENV{SEED} || (time * 1000 + $$) % 1_000_000;
my $source = start_source('source', conf => "deadlock_timeout = 50\nfsync = off");
my $target = start_target('target', conf => "deadlock_timeout = 200\nfsync = off");
my $random; # of the world

# What a client knows of its own tables; they are its alone, so that what it knows stays true.
sub new_world
{
    my ($client) = @_;
    return { client => $client, tables => {}, families => {}, next => 0, deck => [], done => {} };
}

sub copy_world
{
    my ($world) = @_;
    return { client => $world->{client}, next => $world->{next}, deck => [@{$world->{deck}}], done => {%{$world->{done}}},
        families => { map { $_ => {%{$world->{families}{$_}}} } keys %{$world->{families}} },
        tables => { map { my $t = $world->{tables}{$_}; $_ => { columns => [@{$t->{columns}}], rows => $t->{rows} } } keys %{$world->{tables}} } };
}

# What was rolled back is not known; its names are not used again.
sub go_back
{
    my ($world, $saved) = @_;
    %{$world} = (%{$saved}, next => $world->{next});
    return;
}

sub some_table
{
    my ($world) = @_;
    my @names = sort keys %{$world->{tables}};
    return @names ? $names[$random->below(scalar @names)] : undef;
}

my %types = (int => '1', text => q{'text "q" ''s'}, 'numeric(8,2)' => '1.5', boolean => 'true', timestamptz => 'now()', 'int[]' => q{'{1,2}'});

sub create
{
    my ($world) = @_;
    my $name = "t$world->{client}_" . ++$world->{next};
    $world->{tables}{$name} = { columns => [], rows => 0 };
    return "CREATE TABLE $name (id int PRIMARY KEY, v text)" . $random->pick('', " WITH (fillfactor = " . (50 + $random->below(50)) . ")");
}

# A name that nobody has.
sub name
{
    my ($world, $letter) = @_;
    return "$letter$world->{client}_" . ++$world->{next};
}

# A table, and what makes it where there is none.
sub on_table
{
    my ($world) = @_;
    my $name = some_table($world);
    return ($name) if defined $name;
    my $sql = create($world);
    return (some_table($world), $sql);
}

# A table of the client with a column of that type that nothing depends on, what makes both, and the column.
sub on_column
{
    my ($world, $type) = @_;
    my ($table, @first) = on_table($world);
    my $column = name($world, 'c');
    push @{ $world->{tables}{$table}{columns} }, $column;
    return ($table, $column, @first, "ALTER TABLE $table ADD $column $type", rows($world));
}

# A partitioned table, what makes it where there is none, and the first number behind those of its partitions.
sub on_family
{
    my ($world) = @_;
    my ($name) = sort keys %{ $world->{families} };
    return ($name, $world->{families}{$name}{next} += 10) if defined $name;
    $name = name($world, 'f');
    $world->{families}{$name} = { next => 10 };
    return ($name, 10, "CREATE TABLE $name (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k)",
        "CREATE TABLE ${name}_0 PARTITION OF $name FOR VALUES FROM (0) TO (10)", "INSERT INTO $name SELECT g, g % 10, 'v' FROM generate_series(1, 30) g");
}

# Each kind gives the statements of one definition and of what it needs. Those that are no part of a transaction block are in %alone.
my %kinds = (
    'table' => sub { create($_[0]) },
    'table like another' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'l');
        (@first, "CREATE TABLE $n (LIKE $t INCLUDING ALL)", "INSERT INTO $n SELECT * FROM $t") },
    'table that inherits' => sub { my ($m, $n) = (name($_[0], 'm'), name($_[0], 'h'));
        ("CREATE TABLE $m (id int PRIMARY KEY, v text)", "CREATE TABLE $n (extra int DEFAULT 3, PRIMARY KEY (id)) INHERITS ($m)",
            "INSERT INTO $n SELECT g, 'v' FROM generate_series(1, 20) g", "ALTER TABLE $m ADD w int DEFAULT 7", "UPDATE $m SET w = id WHERE id < 5",
            $random->pick("ALTER TABLE $n NO INHERIT $m", "ALTER TABLE $m ALTER w SET DEFAULT 8")) },
    'table as' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'a');
        (@first, "CREATE TABLE $n AS SELECT id, v FROM $t", "INSERT INTO $n VALUES (0, 'more')") },
    'select into' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'a'); (@first, "SELECT id, v COLLATE \"C\" AS v INTO $n FROM $t") },
    'partition of' => sub { my ($f, $from, @first) = on_family($_[0]); my ($n, $to) = (name($_[0], 'p'), $from + 10);
        (@first, "CREATE TABLE $n PARTITION OF $f FOR VALUES FROM ($from) TO ($to)", "INSERT INTO $f SELECT g, $from + g % 10, 'p' FROM generate_series(1, 9) g") },
    'attach' => sub { my ($f, $from, @first) = on_family($_[0]); my ($n, $to) = (name($_[0], 'p'), $from + 10);
        (@first, "CREATE TABLE $n (LIKE $f INCLUDING ALL)", "INSERT INTO $n (id, k) SELECT g, $from FROM generate_series(1, 9) g",
            "ALTER TABLE $f ATTACH PARTITION $n FOR VALUES FROM ($from) TO ($to)", "UPDATE $f SET v = 'attached' WHERE k = $from") },
    'detach' => sub { my ($f, $from, @first) = on_family($_[0]); my ($n, $to) = (name($_[0], 'p'), $from + 10);
        (@first, "CREATE TABLE $n PARTITION OF $f FOR VALUES FROM ($from) TO ($to)", "INSERT INTO $f VALUES (1, $from, 'd')",
            "ALTER TABLE $f DETACH PARTITION $n", "UPDATE $n SET v = 'detached'") },
    'partitioned parent' => sub { my ($f, $from, @first) = on_family($_[0]); my $n = name($_[0], 'c');
        (@first, "ALTER TABLE $f ADD $n int DEFAULT 4", "UPDATE $f SET $n = id WHERE id < 4", "CREATE INDEX ON $f ($n)") },
    'add column' => sub { my ($t, $c, @sql) = on_column($_[0], 'int'); @sql },
    'add column with a default' => sub { my $type = $random->pick(sort keys %types);
        my ($t, $c, @sql) = on_column($_[0], $type . $random->pick('', ' NOT NULL') . " DEFAULT $types{$type}"); @sql },
    'drop column' => sub { my ($t, $c, @sql) = on_column($_[0], 'int'); pop @{ $_[0]{tables}{$t}{columns} }; (@sql, "ALTER TABLE $t DROP COLUMN $c CASCADE") },
    'rename column' => sub { my ($t, $c, @sql) = on_column($_[0], 'text'); my $new = $_[0]{tables}{$t}{columns}[-1] = name($_[0], 'r');
        (@sql, "ALTER TABLE $t RENAME $c TO $new") },
    'type of a column' => sub { my ($t, $c, @sql) = on_column($_[0], 'int DEFAULT 5'); (@sql, "ALTER TABLE $t ALTER $c TYPE bigint USING coalesce($c, 0) + 1") },
    'rename table' => sub { my ($t, @first) = on_table($_[0]); my $new = name($_[0], 'n');
        $_[0]{tables}{$new} = delete $_[0]{tables}{$t}; (@first, "ALTER TABLE $t RENAME TO $new") },
    'drop table' => sub { my $sql = create($_[0]); my ($n) = $sql =~ /^CREATE TABLE (\S+)/; delete $_[0]{tables}{$n}; ($sql, "INSERT INTO $n VALUES (1, 'x')", "DROP TABLE $n CASCADE") },
    'default' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'd'); (@first, "ALTER TABLE $t ALTER v SET DEFAULT '$n'") },
    'check' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'k');
        (@first, "ALTER TABLE $t ADD CONSTRAINT $n CHECK (id > -5) NOT VALID", "ALTER TABLE $t VALIDATE CONSTRAINT $n", $random->pick("ALTER TABLE $t DROP CONSTRAINT $n", "ALTER TABLE $t RENAME CONSTRAINT $n TO ${n}_r")) },
    'not null' => sub { my ($t, $c, @sql) = on_column($_[0], 'int DEFAULT 1'); (@sql, "UPDATE $t SET $c = 1 WHERE $c IS NULL", "ALTER TABLE $t ALTER $c SET NOT NULL", $random->pick("ALTER TABLE $t ALTER $c DROP NOT NULL", "ALTER TABLE $t ALTER $c SET STATISTICS 50")) },
    'foreign key' => sub { my ($m, $n) = (name($_[0], 'o'), name($_[0], 'o'));
        ("CREATE TABLE $m (id int PRIMARY KEY)", "CREATE TABLE $n (id int PRIMARY KEY, m int REFERENCES $m ON DELETE CASCADE DEFERRABLE)", "INSERT INTO $m SELECT generate_series(1, 9)",
            "INSERT INTO $n SELECT g, g FROM generate_series(1, 9) g", "DELETE FROM $m WHERE id < 4") },
    'exclusion' => sub { my $n = name($_[0], 'e'); ("CREATE TABLE $n (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&))", "INSERT INTO $n VALUES (1, '[1,3)'), (2, '[3,5)')", "UPDATE $n SET r = '[7,9)' WHERE id = 1") },
    'index' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'i');
        (@first, "CREATE " . $random->pick("INDEX $n ON $t (v)", "UNIQUE INDEX $n ON $t (id, v)", "INDEX $n ON $t (lower(v)) WHERE id > 3"),
            $random->pick("ALTER INDEX $n SET (fillfactor = 60)", "ALTER INDEX $n RENAME TO ${n}_r", "COMMENT ON INDEX $n IS 'index'", "DROP INDEX $n")) },
    'index beside others' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'i');
        (@first, "CREATE INDEX CONCURRENTLY $n ON $t (v, id)", $random->pick("DROP INDEX CONCURRENTLY $n", "COMMENT ON INDEX $n IS 'index'")) },
    'view' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'w');
        (@first, "CREATE VIEW $n AS SELECT id FROM $t", "CREATE OR REPLACE VIEW $n AS SELECT id, 1 AS one FROM $t", $random->pick("ALTER VIEW $n RENAME TO ${n}_r", "DROP VIEW $n", "ALTER VIEW $n SET (security_barrier)")) },
    'materialized view' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'x');
        (@first, "CREATE MATERIALIZED VIEW $n AS SELECT id, id + 1 AS more FROM $t", "CREATE UNIQUE INDEX ON $n (id)", rows($_[0]), 'REFRESH MATERIALIZED VIEW ' . $random->pick('', 'CONCURRENTLY ') . $n) },
    'function' => sub { my $n = name($_[0], 'fn'); ("CREATE FUNCTION $n(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'", "CREATE OR REPLACE FUNCTION $n(a int) RETURNS int LANGUAGE sql STABLE AS 'SELECT a + 2'",
            $random->pick("ALTER FUNCTION $n(int) IMMUTABLE", "ALTER FUNCTION $n(int) DEPENDS ON EXTENSION plpgsql", "ALTER FUNCTION $n(int) RENAME TO ${n}_r", "DROP FUNCTION $n(int)")) },
    'procedure' => sub { my $n = name($_[0], 'pr'); "CREATE PROCEDURE $n(a int) LANGUAGE plpgsql AS 'BEGIN NULL; END'" },
    'aggregate' => sub { my $n = name($_[0], 'ag'); "CREATE AGGREGATE $n(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')" },
    'trigger' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'tr');
        (@first, "CREATE FUNCTION $n() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.v := concat(new.v, ''!''); RETURN new; END'", "CREATE TRIGGER $n BEFORE UPDATE ON $t FOR EACH ROW EXECUTE PROCEDURE $n()", rows($_[0]),
            $random->pick("ALTER TABLE $t ENABLE ALWAYS TRIGGER $n", "ALTER TABLE $t DISABLE TRIGGER $n", "ALTER TRIGGER $n ON $t RENAME TO ${n}_r", "DROP TRIGGER $n ON $t"), rows($_[0])) },
    'rule' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'ru'); (@first, "CREATE VIEW $n AS SELECT id FROM $t", "CREATE RULE put AS ON INSERT TO $n DO INSTEAD NOTHING", "ALTER RULE put ON $n RENAME TO place") },
    'policy' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'po');
        (@first, "CREATE POLICY $n ON $t USING (id > 0)", "ALTER POLICY $n ON $t TO reader", "ALTER TABLE $t " . $random->pick('ENABLE', 'FORCE') . ' ROW LEVEL SECURITY', $random->pick("DROP POLICY $n ON $t", "ALTER POLICY $n ON $t RENAME TO ${n}_r")) },
    'enum' => sub { my ($n, $t) = (name($_[0], 'en'), name($_[0], 'et')); ("CREATE TYPE $n AS ENUM ('a', 'b')", "CREATE TABLE $t (id int PRIMARY KEY, e $n DEFAULT 'a')", "ALTER TYPE $n ADD VALUE 'c' BEFORE 'b'", "INSERT INTO $t VALUES (1, 'c'), (2, 'a')", "ALTER TYPE $n RENAME VALUE 'a' TO 'z'", "UPDATE $t SET e = 'z' WHERE id = 1") },
    'composite type' => sub { my ($n, $t) = (name($_[0], 'co'), name($_[0], 'ct')); ("CREATE TYPE $n AS (a int, b text)", "CREATE TABLE $t OF $n (PRIMARY KEY (a))", "INSERT INTO $t VALUES (1, 'x')", "ALTER TYPE $n ADD ATTRIBUTE c int CASCADE", "UPDATE $t SET c = 5", "ALTER TYPE $n RENAME ATTRIBUTE b TO bb CASCADE") },
    'range type' => sub { my $n = name($_[0], 'rt'); ("CREATE TYPE $n AS RANGE (SUBTYPE = float8)", "COMMENT ON TYPE $n IS 'a range'") },
    'domain' => sub { my ($n, $t) = (name($_[0], 'dm'), name($_[0], 'dt')); ("CREATE DOMAIN $n AS int DEFAULT 4", "CREATE TABLE $t (id int PRIMARY KEY, d $n)", "INSERT INTO $t VALUES (1)", "ALTER DOMAIN $n ADD CONSTRAINT low CHECK (VALUE < 100)", "ALTER DOMAIN $n SET DEFAULT 6", "INSERT INTO $t VALUES (2)", "ALTER DOMAIN $n RENAME TO ${n}_r") },
    'sequence' => sub { my ($t, $c, @sql) = on_column($_[0], 'bigint'); my $n = name($_[0], 's'); (@sql, "CREATE SEQUENCE $n INCREMENT 5", "ALTER SEQUENCE $n OWNED BY $t.$c", "ALTER TABLE $t ALTER $c SET DEFAULT nextval('$n')", "ALTER SEQUENCE $n MAXVALUE 1000000", rows($_[0])) },
    'schema' => sub { my ($n, $t) = (name($_[0], 'sc'), name($_[0], 'st')); ("CREATE SCHEMA $n CREATE TABLE inside (id int PRIMARY KEY)", "INSERT INTO $n.inside VALUES (1)", "CREATE TABLE $t (id int PRIMARY KEY)", "ALTER TABLE $t SET SCHEMA $n", "INSERT INTO $n.$t VALUES (3)", "ALTER SCHEMA $n RENAME TO ${n}_r", "UPDATE ${n}_r.inside SET id = 2") },
    'collation' => sub { my $n = name($_[0], 'cl'); ("CREATE COLLATION $n (LOCALE = 'C')", "ALTER COLLATION $n RENAME TO ${n}_r") },
    'conversion' => sub { my $n = name($_[0], 'cv'); "CREATE CONVERSION $n FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8" },
    'cast' => sub { my $n = name($_[0], 'ca'); ("CREATE TYPE $n AS (a int)", "CREATE FUNCTION $n(int) RETURNS $n LANGUAGE sql AS 'SELECT row(\$1)::$n'", "CREATE CAST (int AS $n) WITH FUNCTION $n(int)") },
    'operator' => sub { my $n = name($_[0], 'op'); ("CREATE FUNCTION $n(int, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'", "CREATE SCHEMA $n", "CREATE OPERATOR $n.## (LEFTARG = int, RIGHTARG = text, PROCEDURE = $n)", "ALTER OPERATOR $n.## (int, text) SET (RESTRICT = eqsel)") },
    'operator class' => sub { my $n = name($_[0], 'oc'); ("CREATE OPERATOR FAMILY $n USING btree", "CREATE OPERATOR CLASS $n FOR TYPE int USING btree FAMILY $n AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int)", "ALTER OPERATOR FAMILY $n USING btree ADD FUNCTION 2 (int, int) btint4sortsupport(internal)") },
    'access method' => sub { my $n = name($_[0], 'am'); "CREATE ACCESS METHOD $n TYPE INDEX HANDLER bthandler" },
    'statistics' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'sx'); (@first, "CREATE STATISTICS $n ON id, v FROM $t", "ALTER STATISTICS $n RENAME TO ${n}_r") },
    'text search' => sub { my $n = name($_[0], 'ts'); ("CREATE TEXT SEARCH DICTIONARY $n (TEMPLATE = simple)", "ALTER TEXT SEARCH DICTIONARY $n (accept = false)", "CREATE TEXT SEARCH CONFIGURATION $n (COPY = simple)", "ALTER TEXT SEARCH CONFIGURATION $n ALTER MAPPING FOR word WITH $n") },
    'foreign table' => sub { my $n = name($_[0], 'fw'); ("CREATE FOREIGN DATA WRAPPER $n", "CREATE SERVER $n FOREIGN DATA WRAPPER $n OPTIONS (a 'b')", "ALTER SERVER $n OPTIONS (SET a 'c')", "CREATE USER MAPPING FOR reader SERVER $n OPTIONS (password 'secret')", "ALTER USER MAPPING FOR reader SERVER $n OPTIONS (SET password 'other')", "CREATE FOREIGN TABLE ${n}_t (id int) SERVER $n", "ALTER FOREIGN TABLE ${n}_t ADD v text", $random->pick("DROP USER MAPPING FOR reader SERVER $n", "DROP FOREIGN TABLE ${n}_t")) },
    'extension' => sub { my $n = (qw(hstore citext pg_trgm))[$_[0]{client} - 1]; ("CREATE EXTENSION IF NOT EXISTS $n", "COMMENT ON EXTENSION $n IS 'ours'") },
    'language' => sub { my $n = name($_[0], 'la'); ("CREATE FUNCTION $n() RETURNS language_handler LANGUAGE c AS '\$libdir/plpgsql', 'plpgsql_call_handler'", "CREATE LANGUAGE $n HANDLER $n") },
    'grants' => sub { my ($t, @first) = on_table($_[0]); (@first, "GRANT " . $random->pick('SELECT', 'ALL', 'UPDATE (v)') . " ON $t TO reader WITH GRANT OPTION", $random->pick("REVOKE SELECT ON $t FROM reader CASCADE", "REVOKE GRANT OPTION FOR ALL ON $t FROM reader", "GRANT INSERT ON $t TO PUBLIC")) },
    'default privileges' => sub { my $n = name($_[0], 'dp'); ("CREATE SCHEMA $n", "ALTER DEFAULT PRIVILEGES IN SCHEMA $n GRANT SELECT ON TABLES TO reader", "CREATE TABLE $n.t (id int PRIMARY KEY)") },
    'owner' => sub { my $n = name($_[0], 'ow'); ("CREATE TABLE $n (id int PRIMARY KEY, v text)", "ALTER TABLE $n OWNER TO writer", "INSERT INTO $n VALUES (1, 'x')") },
    'another role' => sub { my $n = name($_[0], 'ar'); ("SET ROLE writer", "CREATE TABLE $n (id int PRIMARY KEY, at timestamptz DEFAULT '2026-01-01')", "INSERT INTO $n VALUES (1)", "ALTER TABLE $n ADD more int DEFAULT 4", "CREATE INDEX ON $n (more)", "CREATE VIEW ${n}_v AS SELECT id FROM $n", "GRANT SELECT ON $n TO reader", "RESET ROLE") },
    'comment' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'cm'); (@first, "COMMENT ON TABLE $t IS 'comment $n; ''quoted'' \"too\"'") },
    'storage options' => sub { my ($t, @first) = on_table($_[0]); (@first, "ALTER TABLE $t SET (fillfactor = " . (20 + $random->below(80)) . ')', "ALTER TABLE $t ALTER v SET STORAGE external", $random->pick("ALTER TABLE $t RESET (fillfactor)", "ALTER TABLE $t SET (autovacuum_enabled = false)")) },
    'replica identity' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'id');
        (@first, "CREATE UNIQUE INDEX $n ON $t (id)", "ALTER TABLE $t REPLICA IDENTITY " . $random->pick('FULL', 'DEFAULT', "USING INDEX $n"), rows($_[0])) },
    'in a block' => sub { my ($t, @first) = on_table($_[0]); (@first, "DO \$x\$ BEGIN EXECUTE 'COMMENT ON COLUMN $t.v IS ''in a block''; '; ALTER TABLE $t SET (fillfactor = " . (20 + $random->below(80)) . "); END \$x\$") },
    'by a function' => sub { my $n = name($_[0], 'by'); ("CREATE FUNCTION $n() RETURNS void LANGUAGE plpgsql AS 'BEGIN CREATE TABLE ${n}_t (id int PRIMARY KEY, v int); INSERT INTO ${n}_t VALUES (1, 1); ALTER TABLE ${n}_t ADD w int DEFAULT 2; END'", "SELECT $n()") },
    # Copied anew.
    'volatile default' => sub { my ($t, $c, @sql) = on_column($_[0], 'float8 DEFAULT random()'); @sql },
    'serial' => sub { my ($t, $c, @sql) = on_column($_[0], 'serial'); @sql },
    'identity' => sub { my ($t, $c, @sql) = on_column($_[0], 'int GENERATED BY DEFAULT AS IDENTITY'); @sql },
    'type by what is not immutable' => sub { my ($t, $c, @sql) = on_column($_[0], 'text'); (@sql, "ALTER TABLE $t ALTER $c TYPE text USING concat(id, random())", rows($_[0])) },
    'unlogged, and logged' => sub { my $n = name($_[0], 'u'); ("CREATE TABLE $n (id int PRIMARY KEY, v text)", "INSERT INTO $n VALUES (1, 'a')", "ALTER TABLE $n SET UNLOGGED", "INSERT INTO $n VALUES (2, 'b')", "ALTER TABLE $n SET LOGGED", "INSERT INTO $n VALUES (3, 'c')") },
    # Left out.
    'temporary' => sub { my $n = name($_[0], 'te'); ("CREATE TEMP TABLE $n AS SELECT 1 AS id", "CREATE INDEX ON $n (id)", "CREATE TEMP VIEW ${n}_v AS SELECT 1 AS one", "DROP TABLE $n") },
    'publication' => sub { my ($t, @first) = on_table($_[0]); my $n = name($_[0], 'pb'); (@first, "CREATE PUBLICATION $n FOR TABLE $t", "ALTER PUBLICATION $n SET (publish = 'insert')", "DROP PUBLICATION $n") },
    'collation version' => sub { 'ALTER COLLATION ucs_basic REFRESH VERSION' },
);
my %alone = map { $_ => 1 } 'index beside others', 'enum';

# One definition, with what it needs: the next kind of a deck that is shuffled anew when it is through. Not every statement is wrapped in
# a transaction, and none of those that cannot be.
sub definition
{
    my ($world, $alone) = @_;
    my @deck = @{ $world->{deck} };
    @deck = map { $_->[1] } sort { $a->[0] <=> $b->[0] || $a->[1] cmp $b->[1] } map { [ $random->below(1_000_000), $_ ] } sort keys %kinds if !@deck;
    my ($at) = grep { $alone || !$alone{ $deck[$_] } } 0 .. $#deck;
    return rows($world) if !defined $at;
    my ($kind) = splice @deck, $at, 1;
    $world->{deck} = \@deck;
    return one_of_kind($world, $kind);
}

sub one_of_kind
{
    my ($world, $kind) = @_;
    $world->{done}{$kind} = 1;
    return $kinds{$kind}->($world);
}

sub rows
{
    my ($world) = @_;
    my $name = some_table($world);
    return () unless defined $name;
    my $table = $world->{tables}{$name};
    my $from = $table->{rows} + 1;
    my $kind = $random->below(5);
    if ($kind <= 2) {
        $table->{rows} += 1 + $random->below(20);
        return "INSERT INTO $name (id, v) SELECT g, repeat('v' || g, 1 + g % 5) FROM generate_series($from, $table->{rows}) g ON CONFLICT DO NOTHING";
    }
    return "UPDATE $name SET v = 'u' || id WHERE id % 3 = " . $random->below(3) if $kind == 3;
    return "DELETE FROM $name WHERE id % 7 = " . $random->below(7);
}

# One client's script: transactions, of which some roll back, whole or to a savepoint. What is known goes back with them.
sub script
{
    my ($world, $transactions) = @_;
    my @lines;
    foreach (1 .. $transactions) {
        push @lines, definition($world, 1) if $random->below(3) == 0;
        my $before = copy_world($world);
        push @lines, 'BEGIN';
        foreach (1 .. 1 + $random->below(5)) {
            if ($random->below(6) == 0) {
                my $saved = copy_world($world);
                push @lines, 'SAVEPOINT s', definition($world), rows($world);
                if ($random->below(2) == 0) {
                    push @lines, 'ROLLBACK TO s', 'RESET ROLE';
                    go_back($world, $saved);
                }
            } else {
                push @lines, $random->below(2) == 0 ? definition($world) : rows($world);
            }
        }
        if ($random->below(8) == 0) {
            push @lines, 'ROLLBACK';
            go_back($world, $before);
        } else {
            push @lines, 'COMMIT';
        }
    }
    return @lines;
}

sub as_script { return join('', "\\set ON_ERROR_STOP 1\n", map { "$_;\n" } @_) }

# Scripts of all clients, in which each kind comes and stays: those that chance has left out are at the end of them.
sub scripts
{
    my ($transactions, @worlds) = @_;
    my @scripts = map { [ script($_, $transactions) ] } @worlds;
    my %done = map { %{ $_->{done} } } @worlds;
    my $i = 0;
    foreach my $kind (grep { !$done{$_} } sort keys %kinds) {
        my $client = $i++ % @worlds;
        push @{ $scripts[$client] }, one_of_kind($worlds[$client], $kind);
    }
    return map { as_script(@{$_}) } @scripts;
}

sub world
{
    my ($number) = @_;
    $random = PenstockTest::Random->new($number);
    my $database = "world_$number";
    my @worlds = map { new_world($_) } 1 .. 3;
    $_->sql('postgres', "CREATE DATABASE $database") foreach $source, $target;
    my $migration = migration($source, $target, database => $database, ddl => 'capture');
    $source->script($database, "client_0_$_->{client}", as_script(script($_, 4)))->wait foreach @worlds;
    $migration->ok('copy', '--lanes', $random->pick(1, 3, 16));
    $migration->follow('--workers', $random->pick(1, 2, 4));
    $_->{done} = {} foreach @worlds;
    my @scripts = scripts(10, @worlds);
    my @clients = map { $source->script($database, "client_$_->{client}", shift @scripts) } @worlds;
    foreach my $kill (1 .. 2) {
        usleep(1000 * (50 + $random->below(500)));    # at any moment: chance is the point
        return unless $migration->applier_runs;
        $migration->{applier}->kill9;
        $migration->follow('--workers', $random->pick(1, 2, 4));
    }
    wait_until('the clients to end', sub { !$migration->{applier}->is_running || !grep { $_->is_running } @clients });
    return unless $migration->applier_runs;
    foreach my $client (@clients) {
        is($client->wait, 0, 'the client did all of it') or diag($client->log_tail(5));
    }
    eval { $migration->wait_until_caught_up; 1 } or do { diag($@, $migration->{applier}->log_tail(6)); return };
    is($migration->{applier}->stop, 0, 'the applier ends');
    $migration->ok('copy');    # what is to be copied anew
    $migration->follow;
    $migration->wait_until_caught_up;
    isnt($target->sql($database, q{SELECT count(*) FROM penstock.ddl WHERE reason LIKE 'to be copied anew%'}), '0', 'some tables were copied anew');
    isnt($target->sql($database, q{SELECT count(*) FROM penstock.ddl WHERE state = 'left out'}), '0', 'some of it was left out');
    my $good = same_rows($source, $target, $database, 'in the end');
    my $drift = $migration->drift;
    if (!is_deeply($drift, [], 'and the same definitions')) {
        diag(explain($drift));
        $good = 0;
    }
    note($target->sql($database, q{SELECT string_agg(concat(state, ' ', n), ', ') FROM (SELECT state, count(*) AS n FROM penstock.ddl GROUP BY 1) c}));
    $migration->{applier}->stop;
    return unless $good;
    $migration->ok('finish', '--abandon');
    $_->sql('postgres', "DROP DATABASE $database") foreach $source, $target;
    return 1;
}

$_->sql('postgres', 'CREATE ROLE reader; CREATE ROLE writer') foreach $source, $target;
my $end = time + $seconds;
for (my $good = 1; $good && time < $end; $seed++) {
    diag("SEED=$seed");
    my $number = $seed;
    $good = subtest "world of seed $number" => sub { world($number) or fail("this world holds (SEED=$number)") };
}
done_testing();
