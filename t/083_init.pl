# penstock init: writes a settings file that only its owner can read, by asking or from options; and what stands in that file is
# given to every command that has such an option.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;
use File::Temp qw(tempdir);

my $source = start_source('source');
my $target = start_target('target');
my $migration = migration($source, $target);
my ($penstock) = $migration->command('status');
my $folder = tempdir(CLEANUP => 1);
my $config = "$folder/shop.conf";

sub run_penstock
{
    my ($input, @arguments) = @_;
    local @ENV{qw(PENSTOCK_SOURCE PENSTOCK_TARGET PENSTOCK_CONFIG)};
    my $command = join ' ', map { "'$_'" } 'env', '-C', $folder, $penstock, @arguments;
    my $said = defined $input ? `printf '$input' | script -qec "$command" /dev/null 2>&1` : `$command 2>&1 </dev/null`;
    return ($said, $? >> 8);
}

my ($said, $exit) = run_penstock(undef, 'init', '--source', $source->uri('postgres'));
is($exit, 2, 'where nobody can answer, what is missing is an error');
like($said, qr/--target is missing/, 'and is named');

($said, $exit) = run_penstock(undef, 'init', '--source', $source->uri('postgres'), '--target', $target->uri('postgres'),
    '--migration', 'shop', '--proxy', 'none', '--output', $config);
is($exit, 0, 'from options') or diag $said;
is((stat $config)[2] & 07777, 0600, 'the file is for its owner alone');
my $text = slurp_file($config);
like($text, qr/^migration = shop$/m, 'it has the migration');
like($text, qr/^proxy = none$/m, 'and the proxy');
($said, $exit) = run_penstock(undef, 'init', '--output', $config);
is($exit, 2, 'a file that is there is not replaced');

# By asking; a wrong answer is asked for again.
($said, $exit) = run_penstock('postgresql:///a?x=y\nhost=s dbname=a\nhost=t dbname=b\nshop\nnone\n\n\nsoon\n20\n', 'init');
is($exit, 0, 'by asking');
like($said, qr/cannot be read.*Target, an empty database/s, 'a wrong answer is said to be so');
like(slurp_file("$folder/penstock.conf"), qr/^source = host=s dbname=a\n.*^target = host=t dbname=b\n.*^migration = shop\n.*^proxy = none\n.*^hold-limit = 20\n/ms,
    'the answers are written');

# The file is enough.
($said, $exit) = run_penstock(undef, 'copy', '--config', $config);
is($exit, 0, 'copy finds both ends and the name in the file') or diag $said;
($said, $exit) = run_penstock(undef, 'status', '--config', $config);
like($said, qr/^migration +shop: copied/m, 'so does status');
($said, $exit) = run_penstock(undef, 'cutover', '--config', $config, '--plan');
like($said, qr/none/, 'cutover finds the proxy there') or diag $said;
($said, $exit) = run_penstock(undef, 'finish', '--config', $config, '--abandon');
is($exit, 0, 'and finish');
done_testing();
