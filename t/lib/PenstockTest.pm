# What every TAP test of Penstock stands on: real servers, the real programs, and comparisons that say what differs.
#
#   use FindBin;
#   use lib "$FindBin::Bin/lib";
#   use PenstockTest;
#
#   my $source = start_source('source');                  # PostgreSQL 11, wal_level = logical, our plugin findable
#   my $target = start_target('target');                  # PostgreSQL 14
#   $source->sql('postgres', 'CREATE TABLE a (id int PRIMARY KEY)');
#
#   my $migration = migration($source, $target);          # from database postgres to database postgres
#   $migration->ok('copy');                               # penstock copy --source … --target …
#   my $applier = $migration->follow;                     # penstock follow, in the background
#   $source->sql('postgres', 'INSERT INTO a VALUES (1)');
#   $migration->wait_until_caught_up;
#   same_rows($source, $target, 'postgres', 'the insert arrived');
#   is($applier->stop, 0, 'SIGTERM ends the applier cleanly');
#   done_testing();
#
# Servers, proxies and programs that a test leaves running are ended when it ends, however it ends. Everything lives
# below tmp_check in $TESTDIR; what a failed test leaves there is kept.
#
# From the environment:
#   PENSTOCK_BUILD     the build folder whose programs are tested (build/release of the checkout)
#   PENSTOCK_DECODER   the folder with the plugins, pg11/penstock.so and so on (build/release/decoder)
#   PENSTOCK_SERVERS   the folder that t/install put the servers in
package PenstockTest;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);

my $folder;

BEGIN {
    $folder = abs_path(dirname(dirname(dirname(__FILE__))));
    my $modules = '/usr/lib/postgresql/15/lib/pgxs/src/test';
    unshift @INC, "$modules/perl";
    $ENV{PG_REGRESS}       //= "$modules/regress/pg_regress";
    $ENV{PENSTOCK_BUILD}   //= "$folder/build/release";
    $ENV{PENSTOCK_DECODER} //= "$folder/build/release/decoder";
    $ENV{PENSTOCK_SERVERS} //= "$folder/.cache/servers";
    $ENV{TESTDIR}          //= $folder;
    delete @ENV{qw(PENSTOCK_SOURCE PENSTOCK_TARGET PENSTOCK_MIGRATION PENSTOCK_CONFIG)};
    # psql, pg_dump and their like of Debian's newest server, not the wrappers in /usr/bin that look for its clusters.
    $ENV{PATH} = "/usr/lib/postgresql/15/bin:$ENV{PATH}";

    # END blocks run only when a signal becomes an ordinary end.
    $SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { die "ended by signal $_[0]\n" };
}

# PostgreSQL::Test sends STDERR to a log: a test that dies must still say why where it is seen.
$SIG{__DIE__} = sub { diag($_[0]) unless $^S };

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PenstockTest::Blocker;
use PenstockTest::Compare qw(same_rows same_sequences row_differences);
use PenstockTest::Migration;
use PenstockTest::PgBouncer;
use PenstockTest::Program qw(background run_program wait_until);
use PenstockTest::Server;

our @EXPORT = (
    @Test::More::EXPORT,
    qw(start_source start_target start_pgbouncer migration background run_program wait_until same_rows same_sequences
      row_differences program slurp_file write_file app_database)
);

# start_source(NAME, major => 11, conf => TEXT): a running PenstockTest::Server that logical decoding works on.
sub start_source
{
    my ($name, %options) = @_;
    my $major = $options{major} // 11;
    my $decoder = "$ENV{PENSTOCK_DECODER}/pg$major";
    my $path = "dynamic_library_path = '\$libdir:$decoder'";
    my $source = PenstockTest::Server->start_new($name, $major, $path, $options{conf});
    $source->allow_plugin;
    return $source;
}

# start_target(NAME, major => 14, conf => TEXT)
sub start_target
{
    my ($name, %options) = @_;
    return PenstockTest::Server->start_new($name, $options{major} // 14, $options{conf});
}

# app_database(NAME, SERVER …): a database of that name on each, and the role "app" of an application, password "app".
sub app_database
{
    my ($name, @servers) = @_;
    foreach my $server (@servers) {
        $server->sql('postgres', q{CREATE ROLE app LOGIN PASSWORD 'app'})
          unless $server->sql('postgres', q{SELECT 1 FROM pg_roles WHERE rolname = 'app'});
        $server->sql('postgres', "CREATE DATABASE $name");
    }
    return;
}

# start_pgbouncer(NAME, DATABASE => SERVER, …): a PgBouncer that sends each database's clients to that server.
sub start_pgbouncer
{
    return PenstockTest::PgBouncer->start_new(@_);
}

# migration(SOURCE, TARGET, database => 'postgres', name => undef, user => undef, ddl => 'default': what copy chooses, or as --ddl)
sub migration
{
    return PenstockTest::Migration->new(@_);
}

# write_file(PATH, TEXT): the file has this text and no other.
sub write_file
{
    my ($path, $text) = @_;
    open(my $file, '>', $path) or die "$path: $!\n";
    print $file $text;
    close($file) or die "$path: $!\n";
    return;
}

# The path of one of our programs.
sub program
{
    return PenstockTest::Program::path(@_);
}

1;
