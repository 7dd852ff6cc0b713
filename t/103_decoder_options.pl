# Options, each with a clear error; databases in other encodings; text that does not depend on the session.
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

    my @wrong = (
        [wire_version => '2', 'Allowed values: 1\.', qr/release/],
        [wire_version => 'new', 'Allowed values: 1\.'],
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
        [frame_size => '64kB', wire_version => 1, streaming => 'off'],
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
