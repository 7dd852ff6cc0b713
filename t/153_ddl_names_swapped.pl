# Two tables, or two columns, that swap their names while tables are copied: what is read goes by the names of the moment, what is
# known of the tables by the snapshot. Rows go to the table that they are of.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PenstockTest;

my $source = start_source('source', conf => 'fsync = off');
my $target = start_target('target', conf => 'fsync = off');

# What the copy waits with, which says under which snapshot it reads: one that the swap comes behind, or one that sees it.
my %held_up = ('after the snapshot' => q{query LIKE 'LOCK TABLE ONLY%' AND}, 'before there is one' => q{query LIKE 'WITH RECURSIVE tables%' AND});
foreach my $when (sort keys %held_up) {
    my $name = $when =~ /^after/ ? 'later' : 'sooner';
    $_->sql('postgres', "CREATE DATABASE $name") foreach $source, $target;
    $source->sql($name, <<'SQL');
CREATE TABLE price (id int PRIMARY KEY, a text, b text);
CREATE TABLE price_next (id int PRIMARY KEY, a text, b text);
CREATE TABLE crossed (id int PRIMARY KEY, a text, b text);
CREATE TABLE other (id int PRIMARY KEY, a text, b text);
INSERT INTO price SELECT g, 'price', 'b' FROM generate_series(1, 10) g;
INSERT INTO price_next SELECT g, 'price next', 'b' FROM generate_series(1, 10) g;
INSERT INTO crossed SELECT g, 'a', 'b' FROM generate_series(1, 10) g;
INSERT INTO other SELECT g, 'a', 'b' FROM generate_series(1, 10) g;
SQL
    my $migration = migration($source, $target, database => $name, name => $name, ddl => 'capture');
    my ($copy, $go) = $migration->copy_up_to($name eq 'later' ? 'data' : 'plan', '--lanes', 4, '--jobs', 1, '--no-trial');
    my $swap = $source->background_psql($name);
    $swap->query_safe('BEGIN; LOCK TABLE price, price_next, crossed');
    $go->();
    wait_until('the copy to be held up', sub {
        !$copy->is_running
          || $source->sql($name, "SELECT count(*) FROM pg_stat_activity WHERE $held_up{$when} wait_event_type = 'Lock' AND datname = '$name'") > 0;
    });
    ok($copy->is_running, "$when: the copy is held up");
    $swap->query_safe(<<'SQL');
ALTER TABLE price RENAME TO price_was; ALTER TABLE price_next RENAME TO price; ALTER TABLE price_was RENAME TO price_next;
SQL
    # Other columns than those of the target would alone be a reason to wait for a snapshot behind which all has been applied.
    $swap->query_safe('ALTER TABLE crossed RENAME a TO was; ALTER TABLE crossed RENAME b TO a; ALTER TABLE crossed RENAME was TO b') if $name eq 'later';
    $swap->query_safe('COMMIT');
    $swap->quit;
    is($copy->wait(100), 0, "$when: the copy ends well") or diag($copy->log_tail(15));
    my $applier = $migration->follow;
    $migration->wait_until_caught_up;
    same_rows($source, $target, $name, "$when: tables and columns that have swapped their names");
    is($applier->stop, 0, "$when: the applier ends");
}
done_testing();
