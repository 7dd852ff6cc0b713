# `penstock check` names each object that would stand in the way, changes nothing, and answers by its exit status.
use strict;
use warnings;

use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);

# Id of a check → the objects that it found.
sub findings
{
    my ($result) = @_;
    my %findings;
    foreach my $check (@{decode_json($result->{stdout})}) {
        next if $check->{status} eq 'ok' || $check->{status} eq 'skipped';
        $findings{$check->{id}} = join(', ', map { $_->{object} } @{$check->{findings}}) || $check->{error} || '';
    }
    return \%findings;
}

subtest 'nothing to find' => sub {
    $migration->exits(0, 'check');
    my $found = findings($migration->exits(0, 'check', '--json'));
    is(join(', ', sort keys %$found), 'proxy', 'no finding, but that no proxy was named');
    is($source->sql('postgres', 'SELECT count(*) FROM pg_replication_slots'), '0', 'no slot stays');
    is($target->sql('postgres', "SELECT count(*) FROM pg_namespace WHERE nspname = 'penstock'"), '0', 'no schema stays');
};

subtest 'objects that would not move' => sub {
    $source->sql('postgres', 'CREATE DATABASE awkward');
    $target->sql('postgres', 'CREATE DATABASE awkward');
    $source->sql('awkward', <<'SQL');
CREATE TABLE keyless (v int);
INSERT INTO keyless VALUES (1);
UPDATE keyless SET v = 2;
CREATE TABLE with_oids (id int PRIMARY KEY) WITH OIDS;
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
CREATE TABLE old_types (id int PRIMARY KEY, a abstime, r reltime);
CREATE FUNCTION half(int) RETURNS int LANGUAGE sql AS 'SELECT $1 / 2';
CREATE OPERATOR %% (PROCEDURE = half, LEFTARG = int);
CREATE AGGREGATE collect (anyelement) (SFUNC = array_append, STYPE = anyarray);
SELECT lo_create(4711);
SQL
    # The statistics that tell which tables see updates arrive a moment after the commit.
    $source->poll_query_until('awkward', "SELECT n_tup_upd > 0 FROM pg_stat_user_tables WHERE relname = 'keyless'")
      or die "no statistics\n";
    my $awkward = migration($source, $target, database => 'awkward');
    my $found = findings($awkward->exits(1, 'check', '--json'));
    like($found->{'replica-identity'}, qr/keyless/, 'a table that sees updates and has no identity');
    like($found->{'tables-with-oids'}, qr/with_oids/, 'a table with oids');
    like($found->{'unlogged-tables'}, qr/unlogged/, 'an unlogged table');
    like($found->{'removed-types'}, qr/old_types/, 'types that are gone');
    ok(exists $found->{'large-objects'}, 'large objects');
    my $all = join(' ', %$found);
    like($all, qr/%%/, 'a postfix operator');
    like($all, qr/collect/, 'an aggregate on a function that changed');
    like($awkward->exits(1, 'check')->{stdout}, qr/keyless/, 'the text for people names them too');
};

subtest 'a target that is not empty' => sub {
    $target->sql('postgres', 'CREATE DATABASE used');
    $source->sql('postgres', 'CREATE DATABASE used');
    $source->sql('used', 'CREATE TABLE t (id int PRIMARY KEY)');
    $target->sql('used', 'CREATE TABLE t (id int PRIMARY KEY)');
    my $used = migration($source, $target, database => 'used');
    like($used->exits(1, 'check')->{stdout}, qr/\bt\b/, 'is a problem');
};

subtest 'a source that cannot be decoded' => sub {
    my $unprepared = start_source('unprepared', conf => "wal_level = replica\nmax_replication_slots = 0");
    like(migration($unprepared, $target)->exits(1, 'check')->{stdout}, qr/wal_level/, 'wal_level');
    my $without = start_target('without_plugin', major => 11);
    like(migration($without, $target)->exits(1, 'check')->{stdout}, qr/penstock\.so|could not access file "penstock"/,
        'no plugin');
};

subtest 'roles that may not' => sub {
    $source->sql('postgres', 'CREATE ROLE nobody LOGIN');
    $target->sql('postgres', 'CREATE ROLE nobody LOGIN');
    my $command = program('penstock');
    my $result = run_program(
        $command, 'check', '--json',
        '--source' => $source->uri('postgres', user => 'nobody'),
        '--target' => $target->uri('postgres', user => 'nobody'));
    is($result->{status}, 1, 'status');
    my $all = join(' ', %{findings($result)});
    like($all, qr/replicat/, 'the right to replicate');
    like($all, qr/session-replication-role/, 'the right to set session_replication_role');
};

done_testing();
