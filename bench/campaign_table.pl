# What bench/campaign --table prints: see there.
use strict;
use warnings;

use JSON::PP;

my (%of, @bad);
foreach my $name (@ARGV) {
    open(my $file, '<', $name) or die "$name: $!\n";
    while (<$file>) {
        my $result = decode_json($_);
        my $row = $of{$result->{reached} ? $result->{fault} : 'none'} //= {};
        $row->{rounds}++;
        $row->{$result->{outcome}}++;
        $row->{resumed}++ if $result->{recovered} ne '';
        $row->{errors} += $result->{errors};
        $row->{longest} = $result->{longest} if $result->{longest} > ($row->{longest} // 0);
        $row->{$_} += $result->{$_} // 0 foreach qw(acknowledged lost doubled unknown differ held dead_end stopped hangs);
        push @bad, $result if grep { $result->{$_} } qw(held dead_end stopped lost doubled unknown differ hangs);
    }
}
my @columns = qw(rounds switched back undone resumed longest errors acknowledged lost doubled unknown differ held dead_end stopped hangs);
print '| fault | ' . join(' | ', @columns) . " |\n|---|" . '---|' x @columns . "\n";
my %all;
foreach my $fault (sort keys %of) {
    print "| $fault | " . join(' | ', map { $of{$fault}{$_} // 0 } @columns) . " |\n";
    foreach my $column (@columns) {
        my $value = $of{$fault}{$column} // 0;
        $all{$column} = $column eq 'longest' ? ($value > ($all{$column} // 0) ? $value : $all{$column} // 0) : ($all{$column} // 0) + $value;
    }
}
print '| all | ' . join(' | ', map { $all{$_} // 0 } @columns) . " |\n";
foreach my $result (@bad) {
    print "\nseed $result->{seed}, round $result->{round} ($result->{proxy}): $result->{road}, $result->{fault} at $result->{step}, "
      . "status $result->{status}, $result->{recovered}: "
      . join(', ', map { $result->{$_} ? "$_ $result->{$_}" : () } qw(held dead_end stopped lost doubled unknown differ hangs)) . "\n";
    print $result->{log} =~ s/^/    /gmr . "\n" if defined $result->{log};
}
