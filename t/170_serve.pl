# penstock serve: the page, the document, metrics and health while a migration runs, is looked at from outside, and loses its
# target; the history that the applier keeps; who may ask.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP qw(decode_json);

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $http = HTTP::Tiny->new(timeout => 20);

sub get
{
    my ($path, %headers) = @_;
    return $http->get("http://127.0.0.1:$port$path", { headers => \%headers });
}

sub document { return decode_json(get('/status.json')->{content}) }

my $serve = background('serve', $migration->command('serve', '--listen', "127.0.0.1:$port"));
wait_until('it listens', sub { get('/')->{status} == 200 });
like(get('/')->{content}, qr/<title>Penstock/, 'the page');
wait_until('it has looked', sub { (document()->{phase} // '') eq 'none' });
is(get('/tables.json')->{content}, '[]', 'there are no tables before the copy');
like(get('/metrics')->{content}, qr/^penstock_up 1$/m, 'and the target answers');

$source->sql('postgres', <<'SQL');
CREATE TABLE a (id int PRIMARY KEY, v int NOT NULL DEFAULT 0);
INSERT INTO a SELECT generate_series(1, 100);
DO $$ BEGIN FOR i IN 1 .. 30 LOOP EXECUTE format('CREATE TABLE "quiet %s" (id int PRIMARY KEY)', i); END LOOP; END $$;
SQL
$migration->ok('copy');
my $applier = $migration->follow;
$source->sql('postgres', 'UPDATE a SET v = 1');
$migration->wait_until_caught_up;
wait_until('it has looked', sub { (document()->{phase} // '') eq 'copied' });
wait_until('all is well', sub { get('/healthz')->{status} == 200 });
is(get('/healthz')->{content}, "ok\n", 'and says so');
ok(document()->{may_cut_over}{now}, 'the cutover may begin');
wait_until('the rows are counted', sub { get('/metrics')->{content} =~ /^penstock_applied_rows_total\{migration="default"\} 100$/m });
my $metrics = get('/metrics', Accept => 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5');
is($metrics->{headers}{'content-type'}, 'application/openmetrics-text; version=1.0.0; charset=utf-8', 'metrics have their type');
like($metrics->{content}, qr/\n# EOF\n\z/, 'and their end');
like($metrics->{content}, qr/^penstock_wire_bytes_total\{migration="default"\} [1-9]\d+$/m, 'bytes on the wire are counted');

# promtool is a stranger's eye, where it is installed.
SKIP: {
    skip('promtool is not installed', 2) unless grep { -x "$_/promtool" } split /:/, $ENV{PATH};
    write_file("$ENV{TESTDIR}/tmp_check/metrics", get('/metrics')->{content});
    is(system("promtool check metrics < $ENV{TESTDIR}/tmp_check/metrics >&2"), 0, 'promtool finds nothing in the metrics');
    is(system("promtool check rules $FindBin::Bin/../docs/monitoring/alerts.yml >&2"), 0, 'nor in the alerts');
}

my $tables = decode_json(get('/tables.json?search=QUIET%201&sort=name&limit=3')->{content});
is($tables->{count}, 11, 'tables are found by a part of their name');
is_deeply([ map { $_->{table} } @{ $tables->{tables} } ], [ map { qq(public."quiet $_") } 1, 10, 11 ], 'sorted, in pages');
is(get('/tables.json?sort=%27;DROP&offset=-1&limit=x')->{status}, 200, 'nonsense is no error');

my $sample;
wait_until('the applier keeps a history',
    sub { ($sample) = reverse @{ decode_json(get('/history.json?hours=1')->{content}) }; $sample && $sample->{wire_bytes} });
is($sample->{bytes_copied}, $sample->{bytes_to_copy}, 'of the copy');
ok(defined $sample->{lag_bytes}, 'of the lag');
like(get('/journal.json')->{content}, qr/"operation":"copy"/, 'the journal');

# What is old is thinned: of a week with a sample each ten seconds there stay those of each hour, of each five minutes.
$target->sql('postgres', <<'SQL');
INSERT INTO penstock.history (migration, at, rows_per_second, transactions_per_second, wire_bytes_per_second, bytes_copied,
    bytes_to_copy, blocked)
SELECT 'default', at, 1, 1, 1, 1, 1, false FROM generate_series(date_trunc('hour', now()) - interval '7 days',
    date_trunc('hour', now()) - interval '3 hours', interval '10 s') at;
SQL
my $many = $target->sql('postgres', 'SELECT count(*) FROM penstock.history');
cmp_ok(@{ decode_json(get('/history.json')->{content}) }, '<=', 2001, 'a page gets no more than it can show');

# Who may ask.
sub status_of_raw
{
    my ($request) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 20) or die "cannot connect: $@\n";
    print $socket $request;
    return (split / /, <$socket> // '')[1];
}

is(status_of_raw("GET /status.json HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 403, 'a page of somebody else may not read it through a browser');
is($http->post("http://127.0.0.1:$port/status.json")->{status}, 405, 'nothing can be changed');
is(get('/nothing')->{status}, 404, 'what is not there');
my $refused = $migration->run('serve', '--listen', '0.0.0.0:0');
is($refused->{status}, 2, 'nobody else is let in without a token');
like($refused->{stderr}, qr/--token-file/, 'and it says what is needed');
my $twice = $migration->run('serve', '--listen', "127.0.0.1:$port");
isnt($twice->{status}, 0, 'a second one on the port ends');
like($twice->{stderr}, qr/cannot listen on 127\.0\.0\.1:$port/, 'and says why');

my $file = "$ENV{TESTDIR}/tmp_check/token";
write_file($file, "a-secret-of-24-characters\n");
chmod 0644, $file;
like($migration->run('serve', '--token-file', $file)->{stderr}, qr/others may read the token/, 'a token that all can read is none');
chmod 0600, $file;
my $other_port = PostgreSQL::Test::Cluster::get_free_port();
my $guarded = background('guarded', $migration->command('serve', '--listen', "127.0.0.1:$other_port", '--token-file', $file));
wait_until('it listens', sub { $http->get("http://127.0.0.1:$other_port/")->{status} == 200 });
is($http->get("http://127.0.0.1:$other_port/metrics")->{status}, 401, 'metrics are for those with the token');
is($http->get("http://127.0.0.1:$other_port/metrics", { headers => { Authorization => 'Bearer a-secret-of-24-characterz' } })->{status},
    401, 'with the right one');
is($http->get("http://127.0.0.1:$other_port/metrics", { headers => { Authorization => 'Bearer a-secret-of-24-characters' } })->{status},
    200, 'who get them');
is($guarded->stop, 0, 'a signal ends it cleanly');

# What is wrong is said.
$applier->stop;
wait_until('an applier that is not there is noticed', sub { get('/healthz')->{content} =~ /^applier-not-running: /m });
is(get('/healthz')->{status}, 503, 'by the status, too');
ok(!document()->{may_cut_over}{now}, 'no cutover now');
like(get('/metrics')->{content}, qr/^penstock_needs_attention\{migration="default",reason="applier-not-running"\} 1$/m,
    'and by the metrics');
$target->stop;
wait_until('a target that is away is noticed', sub { get('/metrics')->{content} =~ /^penstock_up 0$/m });
like(get('/healthz')->{content}, qr/^target-unreachable: /, 'and named');
is(get('/tables.json')->{status}, 503, 'what cannot be read is no empty answer');
$target->start;
wait_until('and that it is back', sub { get('/metrics')->{content} =~ /^penstock_up 1$/m });
is($serve->stop, 0, 'a signal ends it cleanly');
done_testing();
