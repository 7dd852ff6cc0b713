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

# A Prometheus that lives, where it is installed: it takes what is there, and each expression of the dashboard and of the alerts is one
# that it answers. {address, folder}; undef where there is none.
sub start_prometheus
{
    return undef unless grep { -x "$_/prometheus" } split /:/, $ENV{PATH};
    my $folder = "$ENV{TESTDIR}/tmp_check/prometheus";
    my $address = '127.0.0.1:' . PostgreSQL::Test::Cluster::get_free_port();
    mkdir $folder;
    write_file("$folder/prometheus.yml", "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [$FindBin::Bin/../docs/monitoring/alerts.yml]\n"
          . "scrape_configs:\n  - job_name: penstock\n    static_configs: [{targets: ['127.0.0.1:$port']}]\n");
    my $program = background('prometheus', 'prometheus', "--config.file=$folder/prometheus.yml", "--storage.tsdb.path=$folder/data",
        "--web.listen-address=$address");
    return { address => $address, program => $program };
}

my $prometheus = start_prometheus();

# The value of an answer: of a query a list of series, each {metric, value}.
sub asked
{
    my ($path, %words) = @_;
    my $answer = $http->get("http://$prometheus->{address}/api/v1/$path?" . $http->www_form_urlencode(\%words));
    return ($answer->{content} =~ /^\{/ && decode_json($answer->{content})->{data}, $answer);
}

# Those expressions that are answered with a series now.
sub answered
{
    my (@expressions) = @_;
    my @some;
    foreach my $expression (@expressions) {
        my ($data, $answer) = asked('query', query => $expression);
        is($answer->{status}, 200, "Prometheus answers $expression") or diag($answer->{content});
        push @some, $expression if $data && @{ $data->{result} };
    }
    return sort @some;
}

SKIP: {
    skip('prometheus is not installed', 1) unless $prometheus;
    wait_until('Prometheus has looked', sub { (((asked('query', query => 'count_over_time(penstock_healthy[1m])'))[0] || {})->{result}[0]{value}[1] // 0) >= 2 });
    my $dashboard = decode_json(slurp_file("$FindBin::Bin/../docs/monitoring/grafana.json"));
    my ($named) = map { $_->{query} =~ /^label_values\((\w+), migration\)$/ ? $1 : () } @{ $dashboard->{templating}{list} };
    is_deeply((asked('label/migration/values', 'match[]' => $named))[0], ['default'], 'the migrations that the dashboard offers');
    my @expressions = map { map { $_->{expr} =~ s/\$migration/default/gr } @{ $_->{targets} } } @{ $dashboard->{panels} };
    my %some = map { ($_ => 1) } answered(@expressions);
    # What there is only after a switch, or while something is wrong.
    is_deeply([ grep { !$some{$_} } sort @expressions ], [ sort grep { /needs_attention|way_back/ } @expressions ], 'the dashboard shows all else');
    my @rules = map { @{ $_->{rules} } } @{ (asked('rules'))[0]{groups} };
    is_deeply([ grep { $_->{health} ne 'ok' } @rules ], [], 'each alert can be computed');
    is_deeply([ answered(map { $_->{query} } @rules) ], [], 'and none is about to be raised');
    cmp_ok(scalar @rules, '>=', 6, 'they are all there');
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
my $alert = sub { grep { $_->{labels}{alertname} eq $_[0] } @{ ((asked('alerts'))[0] || {})->{alerts} // [] } };
wait_until('Prometheus to notice', sub { $alert->('PenstockApplierNotRunning') && $alert->('PenstockNeedsAttention') }) if $prometheus;
$target->stop;
wait_until('a target that is away is noticed', sub { get('/metrics')->{content} =~ /^penstock_up 0$/m });
like(get('/healthz')->{content}, qr/^target-unreachable: /, 'and named');
is(get('/tables.json')->{status}, 503, 'what cannot be read is no empty answer');
$target->start;
wait_until('and that it is back', sub { get('/metrics')->{content} =~ /^penstock_up 1$/m });
is($serve->stop, 0, 'a signal ends it cleanly');
if ($prometheus) {
    wait_until('Prometheus to notice that nobody answers', sub { $alert->('PenstockDown') });
    is($prometheus->{program}->stop, 0, 'Prometheus ends');
}
done_testing();
