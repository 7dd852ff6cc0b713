# Options, each with a clear error; databases in other encodings; text that does not depend on the session.
use strict;
use warnings;

use File::Temp qw(tempfile);
use FindBin;
use POSIX ();
use lib "$FindBin::Bin/lib";
use IPC::Run qw(start);
use PenstockTest;
use PenstockTest::Decoder;
use PenstockTest::Program;

# Reads the slot with a walsender that is held in the middle of a transaction, because nobody takes what it sends, until
# $meddle has been done; gives what came as text.
sub read_across
{
    my ($server, $slot, $end, $meddle) = @_;
    my $pipe = $server->basedir . '/held';
    POSIX::mkfifo($pipe, 0600) or BAIL_OUT("mkfifo: $!");
    my $reader = start([$server->installed_command('pg_recvlogical'), '--dbname=' . $server->uri('postgres'), "--slot=$slot",
        '--start', "--file=$pipe", "--endpos=$end", '--option=compression=none', '--option=frame_size=64kB']);
    open(my $held, '<', $pipe) or BAIL_OUT("$pipe: $!");
    binmode($held);
    read($held, my $frames, 65536);
    $meddle->();
    local $/;
    $frames .= <$held>;
    $reader->finish;
    unlink($pipe);
    my ($file, $name) = tempfile(UNLINK => 1);
    print {$file} $frames;
    close($file);
    return run_program(PenstockTest::Program::path('penstock-applier'), "--dump=$name")->{stdout};
}

foreach my $major (11, 15) {
    my $server = start_source("source$major", major => $major);
    my $sql = sub { $server->sql('postgres', $_[0]) };
    my $slot = PenstockTest::Decoder->new($server, 'postgres', 'slot');
    note("PostgreSQL $major");

    my @wrong = (
        [wire_version => '1', 'Allowed values: 2\.', qr/release/],
        [wire_version => 'new', 'Allowed values: 2\.'],
        [compression => 'gzip', 'Allowed values: none, zstd\.'],
        [level => '0', 'Allowed values: 1 to 19\.'],
        [level => '20', 'Allowed values: 1 to 19\.'],
        [frame_size => '63kB', 'Allowed values: 64 kB to 1024 kB\.'],
        [frame_size => '2MB', 'Allowed values: 64 kB to 1024 kB\.'],
        [frame_size => '99999999999999999999', 'Allowed values: 64 kB to 1024 kB\.'],
        [binary => 'perhaps', 'Allowed values: on, off\.'],
        [messages => '', 'Allowed values: on, off\.'],
        [heartbeat => '-1', 'Allowed values: 0 to 2147483647\.'],
        [origin => 'local', 'Allowed values: any, none\.'],
        [skip_empty => '2', 'Allowed values: on, off\.'],
        [tables => 'orders', 'Allowed values: SCHEMA\.TABLE'],
        [tables => 'a.b.c', 'Allowed values: SCHEMA\.TABLE'],
        [tables => '', 'Allowed values: SCHEMA\.TABLE'],
        [skip_tables => 'a.b,', 'Allowed values: SCHEMA\.TABLE'],
        [skip_tables => 'a.b\\', 'Allowed values: SCHEMA\.TABLE'],
        [tables => 'x\\ ', 'Allowed values: SCHEMA\.TABLE'],
        [message_prefixes => 'a,,b', 'Allowed values: NAME'],
        [skip_origins => ' ', 'Allowed values: NAME'],
        [publications => '', 'Allowed values: NAME'],
        [publications => 'a,,b', 'Allowed values: NAME'],
        [publications => '"a', 'Allowed values: NAME'],
        [on_undecodable => 'skip', 'Allowed values: error, recopy\.'],
        [row_limit => '1023kB', 'Allowed values: 1024 kB to 1032192 kB\.'],
        [streaming => 'on', 'Allowed values: off\.'],
        [two_phase => 'on', 'Allowed values: off\.'],
    );
    foreach my $case (@wrong) {
        my ($name, $value, $allowed, $hint) = @{$case};
        my $error = $slot->error($name => $value);
        like($error, qr/option "$name" cannot be "\Q$value\E".*$allowed/s, "$name cannot be '$value'");
        like($error, $hint, 'with a hint') if $hint;
    }
    like($slot->error(colour => 'red'), qr/unknown option "colour".*compression, level/s, 'an unknown option');

    $sql->('CREATE TABLE t (id int PRIMARY KEY, a text, n int)');
    $sql->('INSERT INTO t SELECT i, md5(i::text), i FROM generate_series(1, 20000) i');
    foreach my $options (
        [compression => 'none'],
        [compression => 'zstd', level => 9, frame_size => '1MB'],
        [frame_size => '64kB', wire_version => 2, streaming => 'off'],
        [compression => 'none', frame_size => 65536, binary => 'off'])
    {
        my $copy = PenstockTest::Decoder->new($server, 'postgres', 'copy');
        $sql->('UPDATE t SET n = n + 1');
        my $raw = $copy->raw_text(@{$options});
        is(scalar(() = $raw =~ /^update /mg), 20000, "all rows arrive with @{$options}");
        my %given = @{$options};
        delete $given{frame_size} if ($given{frame_size} // '') =~ /B$/;
        like($raw, qr/\Ahello .*'$_=$given{$_}'/, "Hello names $_") foreach sort keys %given;
        like($raw, qr/id:int4\/text\/key a:text\/text n:int4\/text/, 'all columns are text') if exists $given{binary};
        $copy->drop;
    }
    $slot->text;

    $sql->(q{CREATE TABLE s (id int PRIMARY KEY, f float8[], d date[], i interval[], b bytea[], z tstzrange)});
    $sql->(<<'SQL');
INSERT INTO s VALUES (1, ARRAY[0.1::float8 + 0.2], '{2020-02-29}', '{1 day 02:03:04}', ARRAY['\xff'::bytea],
    '[2020-01-01 00:00:00+00,)')
SQL
    my $settings = q{SET datestyle = 'SQL, DMY'; SET intervalstyle = 'iso_8601'; SET extra_float_digits = 0;}
      . q{SET bytea_output = 'escape'; SET timezone = 'UTC';};
    my $peek = q{pg_logical_slot_peek_binary_changes('slot', NULL, NULL, 'compression', 'none')};
    my $text = $sql->("$settings SELECT encode(data, 'escape') FROM $peek");
    like($text, qr/\{0\.3000000000000000\d+\}/, 'floats are exact whatever the session says');
    like($text, qr/\{2020-02-29\}/, 'dates are ISO');
    like($text, qr/1 day 02:03:04/, 'intervals are postgres');
    like($text, qr/xff/, 'bytea is hex');
    is($sql->("$settings SELECT 1 FROM $peek LIMIT 1;"
              . q{SELECT ARRAY['2020-02-29'::date], '1 day'::interval, 0.1::float8 + 0.2, '\xff'::bytea}),
        "1\n{29/02/2020}|P1D|0.3|\\377", 'and the session has its settings back');

    $slot->text;
    $sql->(q{INSERT INTO s SELECT i, ARRAY[0.1::float8 + 0.2], '{2020-02-29}', '{1 day 02:03:04}', ARRAY['\xff'::bytea],
        '[2020-01-01 00:00:00+00,)' FROM generate_series(100, 60000) i});
    my $end = $server->mark('postgres');
    my %other = (datestyle => 'SQL, DMY', intervalstyle => 'iso_8601', extra_float_digits => -5, bytea_output => 'escape',
        timezone => 'Asia/Tokyo');
    my $across = read_across($server, 'slot', $end, sub {
        $sql->("ALTER SYSTEM SET $_ = '$other{$_}'") foreach sort keys %other;
        $server->reload;
        wait_until('the settings are read', sub { $sql->('SHOW datestyle') eq 'SQL, DMY' });
    });
    # 11 writes the digits that are exact, 12 and later the fewest that are.
    my $float = $major == 11 ? '0.300000000000000044' : '0.30000000000000004';
    my %forms;
    $forms{$_}++ foreach $across =~ /^insert "public"\."s" #\d+ id=\d+ (.*)$/mg;
    is_deeply(\%forms, {qq{f='{$float}' d='{2020-02-29}' i='{"1 day 02:03:04"}' b='{"\\\\\\\\xff"}' z='["2020-01-01 00:00:00+00",)'} => 59901},
        'one form of each value, whatever is reloaded in mid-transaction');
    $sql->("ALTER SYSTEM RESET $_") foreach keys %other;
    $server->reload;

    $sql->('CREATE SCHEMA audit; CREATE SCHEMA shop');
    $sql->('CREATE TABLE audit.log (id int); CREATE TABLE shop.a (id int); CREATE TABLE shop.a_x (id int); CREATE TABLE shop."A, x" (id int)');
    my $fill = join('; ', map { "INSERT INTO $_ VALUES (1)" } 'audit.log', 'shop.a', 'shop.a_x', 'shop."A, x"');
    my $tables = sub {
        $sql->($fill);
        return join(' ', $slot->raw_text(@_) =~ /^insert (.*) #/mg);
    };
    is($tables->(tables => 'shop.*'), '"shop"."a" "shop"."a_x" "shop"."A, x"', 'the tables of a schema');
    is($tables->(skip_tables => 'shop.a*, *.log'), '"shop"."A, x"', 'all tables but some');
    is($tables->(tables => 'shop.*', skip_tables => '*.a'), '"shop"."a_x" "shop"."A, x"', 'some of some');
    is($tables->(tables => 'shop.A\\, x, audit.l*g'), '"audit"."log" "shop"."A, x"', 'names with a comma');
    is($tables->(tables => 'shop.a?'), '', 'no other wildcards');
    $sql->('BEGIN; ' . $fill . '; ALTER TABLE shop.a RENAME TO b; INSERT INTO shop.b VALUES (1); COMMIT; ALTER TABLE shop.b RENAME TO a');
    like($slot->text(tables => '*.b'), qr/^begin\nrelation shop\.b .*\ninsert shop\.b #1 id=1\ncommit changes 1\n$/, 'a name given in mid-transaction');
    $sql->('DELETE FROM shop.a_x; UPDATE audit.log SET id = 2; INSERT INTO shop.a VALUES (7); TRUNCATE shop.a, audit.log');
    like($slot->text(tables => 'shop.a'), qr/insert shop\.a #1 id=7\n.*truncate #1 shop\.a\n/s,
        'what nothing identifies blocks nobody when it is left out');
    $sql->(qq{SELECT pg_logical_emit_message($_)}) foreach q{false, 'ac', '1'}, q{false, 'b', '2'}, q{true, 'ab', '3'}, q{true, 'b', '4'};
    is(join(' ', $slot->text(message_prefixes => 'a*') =~ /content '(.)'/g), '1 3', 'messages by their prefix');
    $sql->(qq{SELECT pg_replication_origin_create('$_')}) foreach 'east', 'west';
    my $from = sub { "SELECT pg_replication_origin_session_setup('$_[0]'); $fill; SELECT pg_replication_origin_session_reset();" };
    my $origins = sub {
        $sql->($from->('east') . $from->('west') . $fill);
        return scalar(() = $slot->raw_text(@_) =~ /^insert /mg);
    };
    is($origins->(skip_origins => 'east'), 8, 'without what came through one origin');
    is($origins->(skip_origins => '*t', heartbeat => 3), 4, 'without what came through some origins');

    foreach my $encoding ('LATIN1', 'SQL_ASCII') {
        my $database = lc $encoding;
        $sql->("CREATE DATABASE $database ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        my $other = PenstockTest::Decoder->new($server, $database, $database);
        $server->sql($database, <<"SQL");
SET client_encoding = '$encoding';
CREATE TYPE "\xfc" AS ENUM ('\xe4');
CREATE TABLE "t\xe4" ("\xf6" int PRIMARY KEY, t text, j jsonb, a text[], e "\xfc", n name);
INSERT INTO "t\xe4" VALUES (1, 'Gr\xfc\xdfe \xff', '{"\xe4": "\xf6"}', '{\xe4}', '\xe4', 'na\xefve');
SQL
        my $bytes = $other->raw_text;
        like($bytes, qr/\Ahello .* encoding '$encoding'/, "$encoding: named in Hello");
        like($bytes, qr/relation \d+ "public"\."t\xe4".*"\xf6":int4.*e:public\."?\xfc"?\/text/, 'names arrive byte for byte');
        like(
            $bytes,
            qr/"\xf6"=1 t='Gr\xfc\xdfe \xff' j='\{"\xe4": "\xf6"\}' a='\{\xe4\}' e='\xe4' n='na\xefve'/,
            'and so do values');
        $other->drop;
    }
}

done_testing();
