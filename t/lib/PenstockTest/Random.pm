# Schemas and transactions made by chance, the same ones for the same seed.
#
#   my $random = PenstockTest::Random->new($seed);
#   my @tables = $random->tables(8);                  # each {name, create, …}
#   $source->sql($db, $random->schema_sql(@tables));
#   $target->sql($db, $random->bend_sql(@tables));    # after the copy: what a target may have otherwise
#   my $script = $random->session(200, @tables);      # SQL of one client: 200 transactions, in psql's words
#
# Keys are taken from a small range, so that transactions meet: statements of a script may fail, as those of applications
# do, and psql goes on behind a savepoint. What several sessions make of their scripts depends on how the server mixes
# them; the scripts themselves depend on the seed alone.
package PenstockTest::Random;

use strict;
use warnings;

my $keys = 40;    # how many a table has at most, about

sub new
{
    my ($class, $seed) = @_;
    my $self = bless {state => $seed & 0x7fffffff, made => 0}, $class;
    $self->below(2) foreach 1 .. 5;
    return $self;
}

# A number from 0 on, below the limit.
sub below
{
    my ($self, $limit) = @_;
    $self->{state} = ($self->{state} * 1103515245 + 12345) & 0x7fffffff;
    return ($self->{state} >> 8) % $limit;
}

sub pick
{
    my ($self, @choices) = @_;
    return $choices[ $self->below(scalar @choices) ];
}

# True once in so many times.
sub once_in
{
    my ($self, $times) = @_;
    return $self->below($times) == 0;
}

# ---- values, as SQL

my %value_of = (
    int       => sub { my ($r) = @_; return $r->below(1000) - 500 },
    text      => sub { my ($r) = @_; return q(') . ('x' x $r->below(30)) . $r->below(100) . q(') },
    big       => sub { my ($r) = @_; return "repeat('" . $r->below(10_000) . "', " . $r->pick(3, 900, 5000) . ')' },
    numeric   => sub { my ($r) = @_; return $r->below(20) . $r->pick('', '.0', '.00', '.5', '.50') },
    float8    => sub { my ($r) = @_; return $r->pick(q('0'), q('-0'), q('NaN'), q('Infinity'), '0.1::float8 + 0.2', $r->below(9) / 8) },
    jsonb     => sub { my ($r) = @_; return sprintf(q('{"a": %d, "b": [1.%d, null]}'), $r->below(9), $r->below(99)) },
    json      => sub { my ($r) = @_; return sprintf(q('{"a":%s%d}'), ' ' x $r->below(3), $r->below(9)) },
    'int[]'   => sub { my ($r) = @_; return $r->pick(q('{}'), q('{{1,2},{3,4}}'), q('{1,NULL,) . $r->below(9) . q(}')) },
    bytea     => sub { my ($r) = @_; return sprintf(q('\x00ff%02x'), $r->below(256)) },
    timestamptz => sub { my ($r) = @_; return $r->pick(q('infinity'), q('2020-02-29 12:34:56.789+02'), q('1999-01-01 BC')) },
    mood      => sub { my ($r) = @_; return $r->pick(q('sad'), q('ok'), q('it''s')) },
    varchar   => sub { my ($r) = @_; return $r->pick(q(''), q('\\'), q('ü€'), q('a' || chr(9))) },
    uuid      => sub { my ($r) = @_; return 'md5(' . $r->below(99) . '::text)::uuid' },
);

sub value
{
    my ($self, $type) = @_;
    return 'NULL' if $self->once_in(8);
    return $value_of{$type}->($self);
}

# ---- tables

# Kinds of keys: columns, how a key is written from a number, and what else the table says. `moves`: keys may be changed.
my @key_kinds = (
    {name => 'int', columns => 'id int PRIMARY KEY', key => sub { $_[1] }, moves => 1, parts => 1, order => 1},
    {name => 'bigint', columns => 'id bigint PRIMARY KEY', key => sub { $_[1] }, moves => 1, parts => 1, order => 1},
    {name => 'text', columns => 'id text PRIMARY KEY', key => sub { "'k$_[1]'" }, moves => 1},
    {name => 'numeric', columns => 'id numeric PRIMARY KEY', key => sub { $_[1] . $_[0]->pick('', '.0', '.00') }, moves => 1, order => 1},
    {name => 'float', columns => 'id float8 PRIMARY KEY', key => sub { $_[1] == 0 ? $_[0]->pick(q('0'), q('-0')) : $_[1] }, moves => 1},
    {name => 'citext', columns => 'id citext PRIMARY KEY', key => sub { $_[0]->pick("'Key$_[1]'", "'KEY$_[1]'") }, moves => 1},
    {name => 'char', columns => 'id char(6) PRIMARY KEY', key => sub { "'c$_[1]'" }, moves => 1},
    {name => 'uuid', columns => 'id uuid PRIMARY KEY', key => sub { "md5('$_[1]')::uuid" }, moves => 1},
    {name => 'pair', columns => 'id int, id2 text, PRIMARY KEY (id, id2)', key => sub { $_[1] % 5 . q(, 'p) . int($_[1] / 5) . q(') },
        lead => sub { $_[1] % 5 }, pair => 1, moves => 1, parts => 1},
    {name => 'always', columns => 'id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY', key => sub { $_[1] }, always => 1},
    {name => 'index', columns => 'id int NOT NULL UNIQUE, s bigint GENERATED ALWAYS AS IDENTITY', key => sub { $_[1] }, moves => 1, order => 1,
        identity => 'USING INDEX %s_id_key'},
    {name => 'full', columns => 'id int', key => sub { $_[1] % 7 }, moves => 1, identity => 'FULL', doubles => 1, parts => 1},
    {name => 'deferred', columns => 'id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED', key => sub { $_[1] }, moves => 1, order => 1,
        identity => 'FULL', shifts => 1},
    {name => 'none', columns => 'id int', key => sub { $_[1] }, identity => 'DEFAULT', doubles => 1, inserts => 1},
);

my @others = (
    {name => 'unique', column => 'u int UNIQUE', value => sub { $_[0]->below(60) }},
    {name => 'unique_deferrable', column => 'u int UNIQUE DEFERRABLE', value => sub { $_[0]->below(60) }, shifts => 1},
    {name => 'unique_deferred', column => 'u int UNIQUE DEFERRABLE INITIALLY DEFERRED', value => sub { $_[0]->below(60) }, shifts => 1},
    {name => 'excluded', column => 'u int4range, EXCLUDE USING gist (u WITH &&)',
        value => sub { my $n = $_[0]->below(120); return sprintf('int4range(%d, %d)', $n, $n + 2) }},
);

sub tables
{
    my ($self, $count) = @_;
    return map { $self->_table($_) } 1 .. $count;
}

sub _table
{
    my ($self, $number) = @_;
    my $key = $self->pick(@key_kinds);
    my $name = "t${number}_$key->{name}";
    my %table = (key => $key, plain_name => $name, name => $name, columns => []);
    my @types = keys %value_of;
    foreach my $c (1 .. 1 + $self->below(5)) {
        my $type = $self->pick(sort @types);
        push @{$table{columns}}, {name => $self->once_in(6) ? qq("c ""$c") : "c$c", type => $type};
    }
    my $other = !$key->{inserts} && $self->once_in(3) ? $self->pick(@others) : undef;
    $table{parted} = 1 if $key->{parts} && !$other && $self->once_in(3);
    $table{other} = $other;
    $table{computed} = $self->once_in(4);
    return \%table;
}

sub _sql_type
{
    my ($type) = @_;
    return $type eq 'big' ? 'text' : $type eq 'varchar' ? 'varchar(20)' : $type;
}

sub _create
{
    my ($self, $table) = @_;
    my $key = $table->{key};
    my @columns = map { "$_->{name} " . _sql_type($_->{type}) } @{$table->{columns}};
    push @columns, 'base int', 'twice int' if $table->{computed};
    push @columns, $table->{other}{column} if $table->{other};
    my $sql = sprintf('CREATE TABLE %s (%s)', $table->{name}, join(', ', $key->{columns}, @columns));
    if ($table->{parted}) {
        $sql .= " PARTITION BY HASH (id);\n";
        $sql .= "CREATE TABLE $table->{plain_name}_p$_ PARTITION OF $table->{name} FOR VALUES WITH (MODULUS 3, REMAINDER $_);\n"
          foreach 0 .. 2;
    } else {
        $sql .= ";\n";
    }
    $sql .= "ALTER TABLE $table->{name} ALTER $_->{name} SET STORAGE EXTERNAL;\n"
      foreach grep { $_->{type} eq 'big' && !$table->{parted} } @{$table->{columns}};
    my @leaves = $table->{parted} ? map { "$table->{plain_name}_p$_" } 0 .. 2 : $table->{name};
    foreach my $leaf (@leaves) {
        $sql .= "ALTER TABLE $leaf REPLICA IDENTITY " . sprintf($key->{identity}, $leaf) . ";\n" if $key->{identity};
        $sql .= "CREATE TRIGGER twice BEFORE INSERT OR UPDATE ON $leaf FOR EACH ROW EXECUTE PROCEDURE twice();\n"
          if $table->{computed};
    }
    return $sql;
}

# The tables, for the source.
sub schema_sql
{
    my ($self, @tables) = @_;
    my $sql = <<'SQL';
CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s');
CREATE FUNCTION twice() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.twice := NEW.base * 2; RETURN NEW; END';
CREATE TABLE ledger (session int, number int);
SQL
    foreach my $table (@tables) {
        $sql .= $self->_create($table);
    }
    return $sql;
}

# What a target may have otherwise, once the rows are there: columns in another order, columns of its own, columns that it
# computes, triggers that fire, partitions, other indexes.
sub bend_sql
{
    my ($self, @tables) = @_;
    my $sql = "SET client_min_messages = warning;\n"
      . "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.stamped := TG_OP; RETURN NEW; END';\n";
    foreach my $table (@tables) {
        my $name = $table->{name};
        $sql .= "DROP TRIGGER twice ON " . ($table->{parted} ? "$table->{plain_name}_p$_" : $name) . ";\n"
          foreach $table->{computed} ? ($table->{parted} ? 0 .. 2 : 0) : ();
        $sql .= "ALTER TABLE $name DROP COLUMN twice, ADD COLUMN twice int GENERATED ALWAYS AS (base * 2) STORED;\n"
          if $table->{computed} && $self->once_in(2);
        if ($self->once_in(3)) {
            my $column = $self->pick(@{$table->{columns}});
            my $type = _sql_type($column->{type});
            $sql .= "ALTER TABLE $name ADD COLUMN moved $type; UPDATE $name SET moved = $column->{name}; "
              . "ALTER TABLE $name DROP COLUMN $column->{name}; ALTER TABLE $name RENAME moved TO $column->{name};\n";
        }
        $sql .= "ALTER TABLE $name ADD COLUMN extra int NOT NULL DEFAULT 7;\n" if $self->once_in(3);
        $sql .= "ALTER TABLE $name ADD COLUMN stamped text; "
          . "CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON $name FOR EACH ROW EXECUTE FUNCTION stamp();\n"
          . join('', map { "ALTER TABLE $_ ENABLE ALWAYS TRIGGER stamp;\n" }
              $table->{parted} ? map { "$table->{plain_name}_p$_" } 0 .. 2 : $name)
          if $self->once_in(4);
        $sql .= "CREATE INDEX ON $name (id, $table->{columns}[0]{name});\n"
          if $self->once_in(3) && $table->{columns}[0]{type} =~ /^(?:int|text|numeric|uuid)$/;
        $sql .= $self->_part($table) if !$table->{parted} && !$table->{other} && $table->{key}{parts} && $self->once_in(3);
    }
    return $sql;
}

# Puts a partitioned table in a table's place.
sub _part
{
    my ($self, $table) = @_;
    my $name = $table->{name};
    my $sql = "ALTER TABLE $name RENAME TO replaced;\n"
      . "CREATE TABLE $name (LIKE replaced INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING IDENTITY";
    $sql .= $table->{key}{pair} ? ', PRIMARY KEY (id, id2)' : ', PRIMARY KEY (id)' unless $table->{key}{doubles};
    $sql .= ") PARTITION BY HASH (id);\n";
    $sql .= "CREATE TABLE ${name}_q$_ PARTITION OF $name FOR VALUES WITH (MODULUS 2, REMAINDER $_);\n" foreach 0 .. 1;
    my @columns = map { $_->{name} } @{$table->{columns}};
    push @columns, 'base' if $table->{computed};
    my $columns = join(', ', $table->{key}{pair} ? qw(id id2) : 'id', @columns);
    return $sql . "INSERT INTO $name ($columns) SELECT $columns FROM replaced;\nDROP TABLE replaced;\n" . ($table->{computed}
        ? "DO \$\$ BEGIN UPDATE $name SET twice = base * 2; EXCEPTION WHEN generated_always OR syntax_error THEN NULL; END \$\$;\n" : '');
}

# ---- statements

sub _key
{
    my ($self, $table, $number) = @_;
    return $table->{key}{key}->($self, $number // $self->below($keys));
}

sub _where
{
    my ($self, $table, $number) = @_;
    my $left = $table->{key}{pair} ? '(id, id2)' : 'id';
    my $limit = $table->{key}{doubles} && $self->once_in(2)
      ? " AND ctid IN (SELECT min(ctid::text)::tid FROM $table->{name} GROUP BY tableoid)" : '';
    return "$left = (" . $self->_key($table, $number) . ')' . $limit;
}

# What an insert or an update writes: names and values, without the key.
sub _cells
{
    my ($self, $table, $all) = @_;
    my @cells = map { [$_->{name}, $self->value($_->{type})] } grep { $all || $self->once_in(2) } @{$table->{columns}};
    push @cells, ['base', $self->value('int')] if $table->{computed} && ($all || $self->once_in(3));
    push @cells, ['u', $self->once_in(4) ? 'NULL' : $table->{other}{value}->($self)]
      if $table->{other} && ($all || $self->once_in(3));
    return @cells;
}

sub _insert
{
    my ($self, $table, $number, $given) = @_;
    my @cells = $self->_cells($table, 1);
    my $names = $table->{key}{pair} ? 'id, id2' : 'id';
    my $values = $self->_key($table, $number);
    my $identity = '';
    if ($table->{key}{always}) {
        $identity = ' OVERRIDING SYSTEM VALUE' if $given || $self->once_in(2);
        $values = 'DEFAULT' unless $identity;
    }
    $names = join(', ', $names, map { $_->[0] } @cells);
    $values = join(', ', $values, map { $_->[1] } @cells);
    return "INSERT INTO $table->{name} ($names)$identity VALUES ($values)";
}

sub _update
{
    my ($self, $table, $where) = @_;
    my @cells = $self->_cells($table);
    push @cells, [$table->{columns}[0]{name}, $table->{columns}[0]{name}] unless @cells;
    return "UPDATE $table->{name} SET " . join(', ', map { "$_->[0] = $_->[1]" } @cells) . " WHERE $where";
}

sub _set_key
{
    my ($self, $table, $from, $to) = @_;
    my $key = $self->_key($table, $to);
    my $set = $table->{key}{pair} ? "(id, id2) = ($key)" : "id = $key";
    $set .= join('', map { ", $_->[0] = $_->[1]" } $self->_cells($table)) if $self->once_in(3);
    return "UPDATE $table->{name} SET $set WHERE " . $self->_where($table, $from);
}

# Statements of one kind each; a list of them, or nothing where the table does not allow it.
my @statements = (
    sub { my ($r, $t) = @_; return $r->_insert($t) },
    sub { my ($r, $t) = @_; return $r->_insert($t) },
    sub { my ($r, $t) = @_; return $r->_insert($t) . ' ON CONFLICT DO NOTHING' },
    sub { my ($r, $t) = @_; return map { $r->_insert($t) } 0 .. $r->below(6) },
    sub {
        my ($r, $t) = @_;
        return if $t->{key}{doubles} || $t->{key}{shifts};
        my $set = join(', ', map { "$_->[0] = $_->[1]" } $r->_cells($t, 1));
        return $r->_insert($t, undef, 1) . ' ON CONFLICT (' . ($t->{key}{pair} ? 'id, id2' : 'id') . ") DO UPDATE SET $set";
    },
    sub { my ($r, $t) = @_; return $r->_update($t, $r->_where($t)) },
    sub { my ($r, $t) = @_; return $r->_update($t, $r->_where($t)) },
    sub { my ($r, $t) = @_; my $n = $r->below($keys); return map { $r->_update($t, $r->_where($t, $n)) } 0 .. $r->below(4) },
    sub { my ($r, $t) = @_; return $t->{other} ? () : $r->_update($t, 'true') },
    sub { my ($r, $t) = @_; return "DELETE FROM $t->{name} WHERE " . $r->_where($t) },
    sub { my ($r, $t) = @_; return "DELETE FROM $t->{name} WHERE " . $r->_where($t) },
    sub {    # one key goes and comes
        my ($r, $t) = @_;
        my $n = $r->below($keys);
        my @ways = (
            "DELETE FROM $t->{name} WHERE " . $r->_where($t, $n),
            $r->_insert($t, $n, 1), $r->_insert($t, $n, 1),
            $r->_update($t, $r->_where($t, $n)));
        return map { $r->pick(@ways) } 0 .. 2 + $r->below(5);
    },
    sub { my ($r, $t) = @_; return $t->{key}{moves} ? $r->_set_key($t, $r->below($keys), $r->below($keys)) : () },
    sub {    # a swap
        my ($r, $t) = @_;
        return unless $t->{key}{moves};
        my ($a, $b) = ($r->below($keys), $r->below($keys));
        return ($r->_set_key($t, $a, 9999), $r->_set_key($t, $b, $a), $r->_set_key($t, 9999, $b));
    },
    sub {    # all keys by one
        my ($r, $t) = @_;
        return unless $t->{key}{order};
        my $by = $r->pick(1, -1, 3);
        return "UPDATE $t->{name} SET id = id + $by" if $t->{key}{shifts};
        return ("UPDATE $t->{name} SET id = id + 100000", "UPDATE $t->{name} SET id = id - 100000 + ($by)");
    },
    sub {    # values that move between rows
        my ($r, $t) = @_;
        return unless $t->{other};
        return "UPDATE $t->{name} SET u = u + " . $r->pick(1, -1, 2) if $t->{other}{shifts};
        my ($a, $b) = ($r->_where($t, $r->below($keys)), $r->_where($t, $r->below($keys)));
        return ("UPDATE $t->{name} SET u = NULL WHERE $a", $r->_update($t, $b), $r->_update($t, $a));
    },
    sub { my ($r, $t) = @_; return $r->once_in(12) ? "TRUNCATE $t->{name}" . $r->pick('', ' RESTART IDENTITY') : () },
);

sub _statements
{
    my ($self, @tables) = @_;
    for (;;) {
        my $table = $self->pick(@tables);
        return $self->_insert($table) if $table->{key}{inserts};
        my @made = $self->pick(@statements)->($self, $table);
        return @made if @made;
    }
}

# A savepoint around some statements, which may be taken back.
sub _nested
{
    my ($self, @tables) = @_;
    my $name = 's' . ++$self->{made};
    return ("SAVEPOINT $name", (map { $self->_statements(@tables) } 0 .. $self->below(3)),
        $self->pick("ROLLBACK TO $name", "RELEASE $name", "ROLLBACK TO $name"));
}

# Many rows at once, of keys that nothing else uses, in a table of integer keys.
sub _large
{
    my ($self, @tables) = @_;
    my @fit = grep { $_->{key}{name} =~ /^(?:int|bigint|index|full)$/ && !$_->{computed} && !$_->{other} } @tables;
    return unless @fit;
    my $table = $self->pick(@fit);
    my ($from, $many) = (1_000_000 + 10_000 * $self->below(3), $self->pick(500, 3000));
    my $column = $table->{columns}[0];
    my $range = "id BETWEEN $from AND " . ($from + $many);
    return ("INSERT INTO $table->{name} (id, $column->{name}) SELECT i, " . $self->value($column->{type})
          . " FROM generate_series($from, $from + $many) AS i",
        "UPDATE $table->{name} SET $column->{name} = " . $self->value($column->{type}) . " WHERE $range AND id % 3 = 0",
        "DELETE FROM $table->{name} WHERE $range" . $self->pick('', ' AND id % 2 = 0'));
}

sub _transaction
{
    my ($self, $session, @tables) = @_;
    my @statements;
    foreach my $n (0 .. $self->below(5)) {
        push @statements, $self->once_in(5) ? $self->_nested(@tables) : $self->_statements(@tables);
    }
    @statements = $self->_large(@tables) if $self->once_in(40);
    unshift @statements, 'SET CONSTRAINTS ALL DEFERRED' if $self->once_in(3);
    push @statements, sprintf('INSERT INTO ledger VALUES (%d, %d)', $session, ++$self->{made});
    my $end = $self->pick(('COMMIT') x 10, 'ROLLBACK');
    if ($self->once_in(15)) {
        my $name = "'s${session}_$self->{made}'";
        return ('BEGIN', @statements, "PREPARE TRANSACTION $name", $self->pick('COMMIT', 'COMMIT', 'ROLLBACK') . " PREPARED $name");
    }
    @statements = $self->pick(@statements) if $self->once_in(6);
    return @statements > 1 ? ('BEGIN', @statements, $end) : @statements;
}

# What one client does: statements that fail are taken back by psql alone, and the transaction goes on.
sub session
{
    my ($self, $number, $transactions, @tables) = @_;
    my @lines = ('\set ON_ERROR_ROLLBACK on', 'SET lock_timeout = 2000;', 'SET client_min_messages = fatal;', '\set VERBOSITY terse');
    foreach my $n (1 .. $transactions) {
        push @lines, map { "$_;" } $self->_transaction($number, @tables);
    }
    return join("\n", @lines) . "\n";
}

1;
