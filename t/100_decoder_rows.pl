# What each change of a row sends under each replica identity, and what becomes of TOASTed values.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use PenstockTest::Decoder;

foreach my $major (11, 15) {
    my $server = start_source("source$major", major => $major);
    my $sql = sub { $server->sql('postgres', $_[0]) };
    my $slot = PenstockTest::Decoder->new($server, 'postgres', 'slot');
    note("PostgreSQL $major");

    $sql->('CREATE TABLE d (id int PRIMARY KEY, a text, n int)');
    $sql->(q{INSERT INTO d VALUES (1, 'one', NULL), (2, '', 2)});
    $sql->('UPDATE d SET n = 5 WHERE id = 1');
    $sql->('UPDATE d SET id = 10 WHERE id = 1');
    $sql->('DELETE FROM d WHERE id = 2');
    is($slot->text, <<'END', 'default identity');
begin
relation public.d identity default columns id:int4/binary/key a:text/binary n:int4/binary
insert public.d #1 id=1 a='one' n=null
insert public.d #2 id=2 a='' n=2
commit changes 2
begin
update public.d #1 id=1 a='one' n=5
commit changes 1
begin
update public.d #1 old id=1 new id=10 a='one' n=5
commit changes 1
begin
delete public.d #1 id=2
commit changes 1
END

    $sql->('CREATE TABLE f (id int, a text); ALTER TABLE f REPLICA IDENTITY FULL');
    $sql->(q{INSERT INTO f VALUES (1, 'one'), (1, 'one')});
    $sql->('UPDATE f SET a = NULL WHERE ctid = (SELECT min(ctid::text)::tid FROM f)');
    $sql->('DELETE FROM f WHERE a IS NULL');
    is($slot->text, <<'END', 'identity full');
begin
relation public.f identity full columns id:int4/binary/key a:text/binary/key
insert public.f #1 id=1 a='one'
insert public.f #2 id=1 a='one'
commit changes 2
begin
update public.f #1 old id=1 a='one' new id=1 a=null
commit changes 1
begin
delete public.f #1 id=1 a=null
commit changes 1
END

    $sql->('CREATE TABLE i (id int PRIMARY KEY, k text NOT NULL, v int)');
    $sql->('CREATE UNIQUE INDEX ik ON i (k) INCLUDE (v); ALTER TABLE i REPLICA IDENTITY USING INDEX ik');
    $sql->(q{INSERT INTO i VALUES (1, 'a', 1)});
    $sql->(q{UPDATE i SET id = 2});
    $sql->(q{UPDATE i SET k = 'b'});
    $sql->(q{DELETE FROM i});
    is($slot->text, <<'END', 'identity by an index with an included column');
begin
relation public.i identity index columns id:int4/binary k:text/binary/key v:int4/binary
insert public.i #1 id=1 k='a' v=1
commit changes 1
begin
update public.i #1 id=2 k='a' v=1
commit changes 1
begin
update public.i #1 old k='a' new id=2 k='b' v=1
commit changes 1
begin
delete public.i #1 k='b'
commit changes 1
END

    subtest 'rows that nothing identifies stop the decoder' => sub {
        my %refused = (
            'no key' => 'CREATE TABLE %s (id int)',
            'identity nothing' => 'CREATE TABLE %s (id int PRIMARY KEY); ALTER TABLE %s REPLICA IDENTITY NOTHING',
            'a deferrable key' => 'CREATE TABLE %s (id int PRIMARY KEY DEFERRABLE)',
        );
        my $number = 0;
        foreach my $case (sort keys %refused) {
            foreach my $action ('UPDATE %s SET id = 2', 'DELETE FROM %s') {
                my $table = 'refused' . ++$number;
                $sql->($refused{$case} =~ s/%s/$table/gr);
                $sql->("INSERT INTO $table VALUES (1)");
                like($slot->text, qr/^insert public\.$table #1 id=1$/m, "$case: an insert is sent");
                $sql->($action =~ s/%s/$table/r);
                my $word = (split / /, $action)[0];
                my $error = $slot->error;
                like($error, qr/$word of a row that nothing identifies/, "$case: $word is refused");
                like($error, qr/Table public\.$table, LSN [0-9A-F]+\/[0-9A-F]+\./, 'with table and LSN');
                like($error, qr/REPLICA IDENTITY FULL/, 'and a hint');
                $slot->drop;
                $slot->create;
            }
        }
    };

    my $big = q{repeat('x', 10000)};
    $sql->('CREATE TABLE t (id int PRIMARY KEY, a text, b text); ALTER TABLE t ALTER b SET STORAGE EXTERNAL');
    $sql->("INSERT INTO t VALUES (1, 'a', $big)");
    $sql->(q{UPDATE t SET a = 'b'});
    $sql->("BEGIN; UPDATE t SET a = 'c'; UPDATE t SET b = repeat('y', 5000), id = 2; UPDATE t SET a = 'd'; DELETE FROM t; COMMIT");
    my $text = $slot->text =~ s/(x{10000}|y{5000})/substr($1, 0, 1) . ' times ' . length($1)/ger;
    is($text, <<'END', 'TOASTed values, unchanged and changed');
begin
relation public.t identity default columns id:int4/binary/key a:text/binary b:text/binary
insert public.t #1 id=1 a='a' b='x times 10000'
commit changes 1
begin
update public.t #1 id=1 a='b' b=unchanged
commit changes 1
begin
update public.t #1 id=1 a='c' b=unchanged
update public.t #2 old id=1 new id=2 a='c' b='y times 5000'
update public.t #3 id=2 a='d' b=unchanged
delete public.t #4 id=2
commit changes 4
END

    $sql->('ALTER TABLE t REPLICA IDENTITY FULL');
    $sql->("INSERT INTO t VALUES (1, 'a', $big)");
    $sql->(q{UPDATE t SET a = 'b'});
    $text = $slot->text =~ s/(x{10000})/substr($1, 0, 1) . ' times ' . length($1)/ger;
    like(
        $text,
        qr/^update public\.t #1 old id=1 a='a' b='x times 10000' new id=1 a='b' b='x times 10000'$/m,
        'with identity full an unchanged TOASTed value comes from the old row');

    $sql->('CREATE TABLE tk (k text PRIMARY KEY, v int); ALTER TABLE tk ALTER k SET STORAGE EXTERNAL');
    $sql->(q{INSERT INTO tk VALUES (repeat('k', 2500), 1); UPDATE tk SET v = 2});
    like($slot->text, qr/^update public\.tk #1 old k='k{2500}' new k='k{2500}' v=2$/m, 'so does a TOASTed key');

    $sql->('CREATE TABLE z (id int PRIMARY KEY, a text)');
    $sql->(q{INSERT INTO z SELECT 1, string_agg(md5(i::text), '') FROM generate_series(1, 1000) i});
    $sql->(q{INSERT INTO z VALUES (2, repeat('compressed', 500))});
    $text = $slot->text;
    my $md5 = $sql->('SELECT a FROM z WHERE id = 1');
    like($text, qr/^insert public\.z #1 id=1 a='$md5'$/m, 'a value in many TOAST chunks');
    like($text, qr/^insert public\.z #1 id=2 a='(compressed){500}'$/m, 'a value compressed in place');

    $sql->('CREATE TABLE u (id int PRIMARY KEY, a int)');
    $sql->('INSERT INTO u VALUES (1, 1)');
    $sql->('INSERT INTO u VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET a = excluded.a');
    $sql->('INSERT INTO u VALUES (1, 3), (2, 3) ON CONFLICT DO NOTHING');
    is($slot->text, <<'END', 'ON CONFLICT');
begin
relation public.u identity default columns id:int4/binary/key a:int4/binary
insert public.u #1 id=1 a=1
commit changes 1
begin
update public.u #1 id=1 a=2
commit changes 1
begin
insert public.u #1 id=2 a=3
commit changes 1
END

    $sql->('CREATE MATERIALIZED VIEW m AS SELECT id FROM u; CREATE UNIQUE INDEX ON m (id)');
    $sql->('CREATE UNLOGGED TABLE ul (id int); INSERT INTO ul VALUES (1)');
    $slot->text;
    $sql->('CREATE TEMP TABLE tt (id int); INSERT INTO tt VALUES (1)');
    $sql->('UPDATE u SET id = 7 WHERE id = 2; REFRESH MATERIALIZED VIEW CONCURRENTLY m');
    $sql->('REFRESH MATERIALIZED VIEW m');
    is($slot->text, <<'END', 'materialized views, unlogged and temporary tables send nothing');
begin
relation public.u identity default columns id:int4/binary/key a:int4/binary
update public.u #1 old id=2 new id=7 a=3
commit changes 1
END
}

done_testing();
