# penstock report and the report of finish: one page and one document of a migration that went there and back, that was in the
# way of names and errors with signs of HTML in them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);
my $folder = "$ENV{TESTDIR}/tmp_check";

my $none = $migration->run('report', '--output', "$folder/none.html");
is($none->{status}, 3, 'no migration, no report');
like($none->{stderr}, qr/there is no migration "default"/, 'and it says so');

$source->sql('postgres', <<'SQL');
CREATE TABLE "<b>&amp;" (id int PRIMARY KEY, v text);
INSERT INTO "<b>&amp;" SELECT i, 'x' FROM generate_series(1, 1000) i;
SQL
$migration->ok('copy');
my $applier = $migration->follow;
$source->sql('postgres', q(UPDATE "<b>&amp;" SET v = 'y'));
$migration->wait_until_caught_up;
wait_until('samples', sub { $target->sql('postgres', 'SELECT count(*) FROM penstock.history') >= 1 });
$target->sql('postgres', <<'SQL');
INSERT INTO penstock.history (migration, at, lag_bytes, lag_seconds, rows_per_second, transactions_per_second,
    wire_bytes_per_second, source_bytes_per_second, bytes_copied, bytes_to_copy, blocked)
SELECT 'default', now() - i * interval '10 s', i, i, i, i, i, i, 1, 1, false FROM generate_series(1, 50) i ON CONFLICT DO NOTHING;
SQL
$migration->ok('cutover', '--proxy', 'none', '--yes', '--verify');
is($applier->wait, 0, 'the cutover ends the applier, which is no failure: whoever watches over it need not start it again');
like($migration->ok('follow')->{stderr}, qr/nothing more to apply/, 'who starts it all the same is told');
is($migration->run('follow', '--until', 'FFF/0')->{status}, 3, 'a position that is not reached is a failure, though');

like($migration->ok('report', '--output', "$folder/one.html")->{stdout}, qr{one\.html; all of its numbers are in \S+one\.json\.},
    'it says where it is');
my $page = slurp_file("$folder/one.html");
my $document = decode_json(slurp_file("$folder/one.json"));
is($document->{sums}{rows_copied}, 1000, 'rows that were copied');
like($page, qr{<td>public\.&quot;&lt;b&gt;&amp;amp;&quot;<td>copied}, 'names are text, whatever is in them');
unlike($page, qr/<b>&amp;(?!lt|gt|amp|quot)/, 'and nothing else');
unlike($page, qr/(?:src|href)=|https?:/, 'the page needs nothing from elsewhere');
like($page, qr{Clients were held for <b>\d+ ms</b>}, 'how long clients were held');
like($page, qr{<td>fence<td>done<td class="n">\d+ ms}, 'step by step');
my ($chart) = $page =~ m{<table class="hold">(.*?)</table>}s;
my @took = ($chart // '') =~ /<td class="n">(\d+) ms/g;
cmp_ok(scalar @took, '>', 5, 'where the time of the hold went');
is("@took", join(' ', sort { $b <=> $a } @took), 'the longest first');
like($chart, qr{<td>fence<td}, 'with the steps that clients waited for');
unlike($chart, qr{<td>preflight<td}, 'and none of before');
like($page, qr{<path [^>]*d="M[\d. L]+}, 'lag and rates are drawn');
like($page, qr{Out of the ordinary}, 'what was out of the ordinary');
is((grep { $_->{step} eq 'fence' && $_->{event} eq 'done' } @{ $document->{journal} }), 1, 'the document has the whole journal');

# finish writes it first, and removes nothing when it cannot.
my $refused = $migration->run('finish', '--yes', '--report', '/nowhere/at/all.html');
is($refused->{status}, 3, 'no report, no end');
like($refused->{stderr}, qr/Nothing was removed/, 'and it says so');
is($target->sql('postgres', q(SELECT phase FROM penstock.migration)), 'switched', 'which is true');
like($migration->ok('finish', '--yes', '--report', "$folder/last.html")->{stdout}, qr{^report +\S+last\.html$}m, 'finish says where');
like(slurp_file("$folder/last.html"), qr{Clients were held for}, 'and it is whole');
is($target->sql('postgres', q(SELECT to_regnamespace('penstock'))), '', 'then all is removed');
done_testing();
