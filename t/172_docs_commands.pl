# Every command of the documentation is run: in one journey of a migration, there and back again, those that the journey has; and each
# command line, as it is written, is taken by the real program up to where it looks for its servers.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use Text::ParseWords qw(shellwords);

my $top = "$FindBin::Bin/..";
my $folder = PostgreSQL::Test::Utils::tempdir('documented');
write_file("$folder/token", "a-secret-of-24-characters\n");
chmod 0600, "$folder/token";

# Names of commands in sentences, which say nothing about what stands behind them; and what a machine for tests does not have.
my %not_run = (
    'penstock applier heartbeat' => 'is the application_name of a session',
    'penstock proxy' => 'names the command',
    'penstock proxy set' => 'names the command',
    'penstock throttle rate=' => 'names the setting',
    'penstock throttle max-wal=' => 'names the setting',
    'penstock ddl apply' => 'names the command',
    'penstock ddl skip' => 'names the command',
    'penstock follow --on-conflict' => 'names the option',
    'penstock-applier --dump' => 'names the option',
);

# The command lines of the pages, as [page, line]: in code, and in blocks of it. Outputs, and forms with brackets or a bar between words,
# are none: tests/packaging/test_docs.pl holds those against the options that there are.
sub documented
{
    my %seen;
    foreach my $page ("$top/README.md", glob("$top/docs/*.md")) {
        my $text = slurp_file($page) =~ s/\\\n\s+/ /gr;
        while ($text =~ /`(penstock(?:-applier)? [^`\n]*)`|^    (?:host [ab] +)?(.*\bpenstock(?:-applier)? .*)$/mg) {
            my $line = ($1 // $2) =~ s/ \| jq .*$//r;
            next if $line =~ /^ +penstock .* \d+\.\d s$|you: penstock|^(?:time=|hint |error |    )|COMMAND --source|\[| \| (?:apply|skip)|\[-/;
            $line =~ s/^.*(?:\| |&& )(?=penstock)//;
            $line =~ s/\s{2,}[^-'\s].*$|\s+#.*$//;
            $line =~ s/\s+$//;
            $seen{$line} //= $page =~ s{.*/}{}r if $line =~ /^penstock/;
        }
    }
    return map { [ $seen{$_}, $_ ] } sort keys %seen;
}

# What stands for something else gets a value.
my %values = ('…' => undef, ID => 1, SQL => 'SELECT 1', COMMAND => 'copy', 'capture|watch|off' => 'watch',
    'HOST:PORT' => '127.0.0.1:5432', FILE => "$folder/frames", PATH => "$folder/frames");

sub words_of
{
    my ($line) = @_;
    my @words;
    foreach my $word (shellwords($line)) {
        $word =~ s/,config=(?:FILE|\S+)$/,config=$folder\/proxy.conf/;
        $word =~ s/(?<=:)(?:ADMIN_URI|…)/postgresql:\/\/admin\@127.0.0.1:1\/pgbouncer/;
        $word .= ",config=$folder/proxy.conf" if $word =~ /^pgcat:[^,]*$/;
        $word = exists $values{$word} ? $values{$word} : $word;
        if (defined $word) { push @words, $word }
        else { pop @words if @words && $words[-1] =~ /^--(?:source|target|proxy)$/ }
    }
    return @words;
}

sub run_in
{
    my ($program, @words) = @_;
    return run_program('env', '-C', $folder, PenstockTest::Program::path($program), @words);
}

my @documented = documented();
my %documented = map { $_->[1] => $_->[0] } @documented;
my %ran;
cmp_ok(scalar @documented, '>=', 80, 'the documentation has commands');
is_deeply([ grep { !$documented{$_} } sort keys %not_run ], [], 'what is not run is documented');

# The journey, behind PgBouncer, all of it said in a file of settings as the README has it. A line of the documentation, and what it may
# end with; words of ours behind it are what a test has to add: --yes, as there is nobody to ask.
my $source = start_source('source');
my $target = start_target('target');
app_database('app', $source, $target);
$source->sql('app', q{CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 1000) g;
    CREATE SCHEMA shop; CREATE TABLE shop.sessions (id int PRIMARY KEY)});
my $proxy = start_pgbouncer('pgbouncer', app => $source);
delete @ENV{qw(PENSTOCK_SOURCE PENSTOCK_TARGET)};
my @ends = ('--source' => $source->uri('app'), '--target' => $target->uri('app'), '--proxy' => $proxy->option);
foreach my $file ('penstock.conf', 'rehearsal.conf') {
    is(run_in('penstock', 'init', @ends, '--output', $file)->{status}, 0, "penstock init writes $file");
}
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $migration = migration($source, $target, database => 'app');

sub journey
{
    my ($line, %how) = @_;
    ok($documented{$line}, "$line is documented");
    $ran{$line} = 1;
    my ($program, @words) = words_of($line =~ s/ --proxy (?:'[^']*'|…)//r);
    my $result = run_in($program, @words, @{ $how{more} // [] });
    my $allowed = $how{ends} // [0];
    ok((grep { $_ == $result->{status} } @{$allowed}), "$line ends with @{$allowed}") or diag("$result->{status}: $result->{stdout}$result->{stderr}");
    return $result;
}

# One that goes on until it is stopped: it has begun when the condition holds.
sub goes_on
{
    my ($line, $begun, @more) = @_;
    ok($documented{$line}, "$line is documented");
    $ran{$line} = 1;
    my ($program, @words) = words_of($line);
    my $process = background('documented', 'env', '-C', $folder, PenstockTest::Program::path($program), @words, @more);
    wait_until("$line", sub { !$process->is_running || $begun->($process) });
    ok($process->is_running, "$line goes on") or diag($process->log_tail(5));
    return $process;
}

# The one before had come to the mark itself.
sub applies { my $mark = $source->mark('app'); return sub { $migration->applier_says("low_water_lsn > '$mark'") eq 't' } }

journey($_) foreach 'penstock help', 'penstock help PST-1501', 'penstock help PST-1601', 'penstock help COMMAND', 'penstock COMMAND --help', 'penstock-applier --help';
journey('penstock check', ends => [ 0, 1 ], more => ['--no-trial']);
journey('penstock check --grants');
journey('penstock check --config rehearsal.conf', ends => [ 0, 1 ], more => ['--no-trial']);
journey('penstock check --json', ends => [ 0, 1 ], more => ['--no-trial']);
journey('penstock proxy show');
journey('penstock roles');
journey('penstock copy --roles', more => [ '--force', '--no-trial', '--ddl', 'capture' ]);
journey($_, more => ['--force'], ends => [3]) foreach 'penstock copy', 'penstock copy --config rehearsal.conf';    # nothing is left to copy
journey('penstock copy --join --jobs 8', ends => [ 0, 3 ]);
foreach my $line ('penstock follow --config rehearsal.conf', 'penstock follow --workers 8 -- --batch-rows 2000', 'penstock follow --on-undecodable=recopy',
    'penstock follow --on-undecodable recopy') {
    is(goes_on($line, applies())->stop, 0, "$line stops when it is asked to");
}
my $applier = goes_on('penstock follow', applies());
journey('penstock status', ends => [0]);
journey($_) foreach 'penstock status --tables', 'penstock status --json', 'penstock status --schema';
journey('penstock status --exit-code', ends => [ 0, 1 ]);
goes_on('penstock status --watch', sub { slurp_file($_[0]{log}) =~ /lag/i })->stop;
my $answers = sub { PenstockTest::Program::run_program('curl', '-s', "http://127.0.0.1:$port/healthz")->{status} == 0 };
foreach my $line (grep { $_->[1] =~ /^penstock serve/ } @documented) {
    my ($program, @words) = words_of($line->[1] =~ s/ --listen \S+//r);
    my $process = background('serve', 'env', '-C', $folder, PenstockTest::Program::path($program), @words, '--listen', "127.0.0.1:$port");
    wait_until('it answers', sub { !$process->is_running || $answers->() });
    $ran{ $line->[1] } = 1;
    is($process->stop, 0, "$line->[1] serves, and stops when it is asked to");
}
journey($_) foreach 'penstock throttle', 'penstock throttle jobs=2 rate=20MB max-wal=50GB', 'penstock pause';
is(run_in('penstock', 'resume')->{status}, 0, 'and on again');
journey($_) foreach 'penstock verify', 'penstock verify --repair', 'penstock verify --sample 1', "penstock verify --only 'shop.*'", 'penstock verify --rate 20MB', 'penstock verify --json';
# It waits for a comparison, and compares along.
my $along = goes_on('penstock verify --join', sub { 1 });
wait_until('it has compared along', sub { run_in('penstock', 'verify')->{status} == 0 && !$along->is_running });
is($along->wait, 0, 'penstock verify --join compares along');

# DDL that stops the applier is decided on in each of the ways.
my $n = 0;
foreach my $decide ('penstock ddl skip ID', 'penstock ddl apply ID', 'penstock ddl edit ID --statement SQL', 'penstock ddl edit … --as-target-role') {
    $source->sql('app', 'ALTER TABLE t SET TABLESPACE pg_default');
    wait_until('the applier to stop', sub { !$applier->is_running });
    journey('penstock ddl list');
    $values{ID} = $target->sql('app', q{SELECT id FROM penstock.ddl WHERE state = 'waiting'});
    journey($decide, more => $decide =~ /…/ ? [ $values{ID}, '--statement', 'SELECT 1' ] : []);
    $applier = goes_on('penstock follow', applies());
}

journey('penstock cutover --dry-run', more => ['--yes']);
journey('penstock cutover --config rehearsal.conf --dry-run', more => ['--yes']);
journey('penstock cutover --proxy … --plan');
journey('penstock rollback --proxy … --plan', ends => [ 0, 3 ]);
journey('penstock cutover --proxy … --verify --require-verified 12h', more => ['--yes']);
journey('penstock rollback', more => ['--yes']);
$applier = goes_on('penstock follow', applies());    # the switch has ended the other one
journey('penstock cutover --config rehearsal.conf --verify', more => ['--yes']);
journey('penstock rollback --config rehearsal.conf', more => ['--yes']);
$applier = goes_on('penstock follow', applies());
journey('penstock cutover --verify', more => ['--yes']);
journey('penstock cutover --resume', more => ['--yes'], ends => [ 0, 2, 3 ]);
journey('penstock cutover --undo', more => ['--yes'], ends => [ 0, 2, 3 ]);
journey('penstock report --config rehearsal.conf');
$applier->stop if $applier->is_running;
journey('penstock finish', more => ['--yes']);
journey('penstock finish --abandon', more => ['--yes'], ends => [ 0, 3 ]);
journey('penstock finish --skip-source', more => ['--yes'], ends => [ 0, 3 ]);

# The others, as they are written: no server answers, and the program says so, or has done what needs none.
write_file("$folder/proxy.conf", '');
write_file("$folder/frames", '');
unlink "$folder/penstock.conf";
local @ENV{qw(PENSTOCK_SOURCE PENSTOCK_TARGET)} = ('host=127.0.0.1 port=1 dbname=a', 'host=127.0.0.1 port=1 dbname=b');
foreach my $line (grep { !$ran{$_} && !$not_run{$_} && !/^penstock init/ } sort keys %documented) {
    my ($program, @words) = words_of($line);
    push @words, '--yes' if $line =~ /^penstock (?:cutover|rollback|finish)/;
    push @words, '--proxy', 'none' if $line =~ /^penstock (?:cutover|rollback)/ && !grep { $_ eq '--proxy' } @words;
    my $result = run_in($program, @words);
    isnt($result->{status}, 2, "$documented{$line}: $line") or diag($result->{stderr});
}
done_testing();
