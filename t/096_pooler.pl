# --source and --target lead to servers. One that leads to a pooler is refused before anything of ours is set in a session
# that other clients use next.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);
my $user = getpwuid($<);
my ($to_source, $to_target) = map { start_pgbouncer($_->[0], postgres => $_->[1]) } ['before_source', $source], ['before_target', $target];

# The words of a command with one of the URIs led through a pooler.
sub through
{
    my ($source_uri, $target_uri, @words) = @_;
    return run_program(program('penstock'), @words, '--source' => $source_uri, '--target' => $target_uri);
}

sub refused
{
    my ($end, $result, $name) = @_;
    isnt($result->{status}, 0, "$name is refused");
    like("$result->{stdout}$result->{stderr}", qr/--$end leads to a connection pooler, not to the server/, "$name: why");
    like($result->{stderr}, qr/--$end lead to the server itself/, "$name: what to do") if $name !~ /^check/;
    return;
}

my ($direct_source, $direct_target) = ($source->uri('postgres'), $target->uri('postgres'));
my ($pooled_source, $pooled_target) = map { $_->uri('postgres', user => $user) } $to_source, $to_target;
$source->sql('postgres', 'CREATE TABLE t (id int PRIMARY KEY)');

refused('target', through($direct_source, $pooled_target, 'check'), 'check, target');
refused('source', through($pooled_source, $direct_target, 'check'), 'check, source');
refused('target', through($direct_source, $pooled_target, 'copy'), 'copy, target');
refused('source', through($pooled_source, $direct_target, 'copy'), 'copy, source');
$migration->ok('copy');
refused('target', through($direct_source, $pooled_target, 'follow'), 'follow, target');
refused('source', through($pooled_source, $direct_target, 'follow'), 'follow, source');

foreach ([$pooled_source, $source], [$pooled_target, $target]) {
    my ($uri, $server) = @$_;
    my $settings = q{SELECT name, setting FROM pg_settings WHERE source = 'session' AND name NOT IN ('application_name', 'client_encoding') ORDER BY name};
    my $asked = run_program($server->installed_command('psql'), '-X', '-At', '-d', $uri, '-c', $settings);
    is($asked->{status}, 0, 'the pooler answers its other clients');
    is($asked->{stdout}, '', 'and nothing of ours is set for them');
}
done_testing();
