#!/usr/bin/perl
# monitoring.pl FOLDER-OF-THE-SOURCES: alerts and dashboard ask for metrics that `penstock serve` gives, and for reasons and phases
# that there are; the dashboard's panels have their own places, and each alert has its line in docs/monitoring.md.
use strict;
use warnings;
use JSON::PP qw(decode_json);

my ($top) = @ARGV;
my $failures = 0;
sub fail { print "NOT OK @_\n"; $failures++; return }
sub slurp { open(my $in, '<', $_[0]) or die "$_[0]: $!\n"; local $/; return scalar <$in> }

my $metrics = slurp("$top/control/serve/metrics.c");
my %known = map { ("penstock_$_" => 1) } $metrics =~ /describe\(&?text, form, "(\w+)"/g;
while ($metrics =~ /^    \{"(\w+)", (\w+),/mg) { $known{ "penstock_$1" . ($2 eq 'COUNTER' ? '_total' : '') } = 1 }
my %reasons = map { ($_ => 1) } slurp("$top/control/view/health.c") =~ /^\s*\{\s*"([a-z-]+)",/mg;
my %phases = map { ($_ => 1) } slurp("$top/state/migration.c") =~ /\[PHASE_\w+\] = "([a-z ]+)"/g;
fail('no metrics were found') if keys %known < 20;
fail('no reasons were found') if keys %reasons < 5;

sub check
{
    my ($where, $expression) = @_;
    foreach my $name ($expression =~ /\b(penstock_\w+)/g) { fail("$where: there is no $name") unless $known{$name} }
    foreach my $list ($expression =~ /reason=~?"([^"]*)"/g) {
        foreach my $id (split /\|/, $list) { fail("$where: there is no reason $id") unless $reasons{$id} }
    }
    foreach my $phase ($expression =~ /phase=~?"([^"]*)"/g) { fail("$where: there is no phase $phase") unless $phases{$phase} }
    return;
}

my $alerts = slurp("$top/docs/monitoring/alerts.yml");
my $page = slurp("$top/docs/monitoring.md");
check('alerts.yml', $_) foreach $alerts =~ /expr: (.*)/g;
foreach my $alert ($alerts =~ /alert: (\w+)/g) { fail("docs/monitoring.md does not say what to do at $alert") unless $page =~ /^\| $alert \|/m }

my $dashboard = decode_json(slurp("$top/docs/monitoring/grafana.json"));
my (%ids, %places);
foreach my $panel (@{ $dashboard->{panels} }) {
    my ($title, $at) = @{$panel}{qw(title gridPos)};
    fail("$title: its id is that of another panel") if $ids{ $panel->{id} }++;
    fail("$title: it is wider than the page") if $at->{x} + $at->{w} > 24;
    fail("$title: it has no data source") unless ($panel->{datasource}{uid} // '') eq '${source}';
    fail("$title: it has no unit") unless $panel->{fieldConfig}{defaults}{unit};
    foreach my $x ($at->{x} .. $at->{x} + $at->{w} - 1) {
        foreach my $y ($at->{y} .. $at->{y} + $at->{h} - 1) { fail("$title: it lies on " . $places{"$x,$y"}) if $places{"$x,$y"}; $places{"$x,$y"} = $title }
    }
    check($title, $_->{expr}) foreach @{ $panel->{targets} };
    fail("$title: a query of another migration's") if grep { $_->{expr} !~ /migration="\$migration"/ } @{ $panel->{targets} };
}
check('the variable', $_->{query}) foreach @{ $dashboard->{templating}{list} };
exit($failures > 0);
