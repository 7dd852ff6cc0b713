#!/usr/bin/perl
# errors.pl FOLDER-OF-THE-SOURCES: the table of errors (common/kinds) and the messages in the sources fit together: no number
# stands twice, all words of the table stand in a message of error_set, no message is claimed by two rows, and each that says
# something of its own has a row; those that have none hand on what a server or another program said (its SQLSTATE and the class of
# the error tell their number), or say that the command was interrupted. With --list it
# prints each message with its number, "-" for those that have that of their ErrorCode.
use strict;
use warnings;

my ($top, $list) = @ARGV;
my $failures = 0;
sub fail { print "NOT OK @_\n"; $failures++; return }
sub slurp { open(my $in, '<', $_[0]) or die "$_[0]: $!\n"; local $/; return scalar <$in> }

my $string = qr/"(?:[^"\\]|\\.)*"/;

# Adjacent literals become one; what stands between them as a macro becomes a blank.
sub joined
{
    my ($text) = @_;
    my $whole = '';
    while ($text =~ /\G\s*(?:($string)|[A-Z_][A-Za-z_0-9]*)/gc) { $whole .= defined $1 ? substr($1, 1, -1) : ' ' }
    return $whole;
}

# Whether there are words in it, other than those of an interruption, which has one cause and one cure.
sub says_something
{
    my ($message) = @_;
    return ($message =~ s/%(?:\.?[\d*]*)?(?:l*|z|t)[a-z]//gr) =~ /[A-Za-z]/ && $message !~ /^(?:the check was )?interrupted\b/;
}

my (%row_of, %title, @words);
foreach my $file (sort glob("$top/common/kinds/*.c")) {
    my $text = slurp($file);
    my ($first) = $text =~ /^#define FIRST (\d+)/m or next;
    foreach my $row (split /^    \{(?=\d{4},)/m, $text) {
        my ($number) = $row =~ /^(\d{4}),/ or next;
        fail("PST-$number stands twice") if $row_of{$number}++;
        fail("PST-$number does not belong to the section that begins with $first") if int($number / 100) * 100 != $first;
        next unless $row =~ /WORDS\((.*?)\)(?=[,}])/s;
        push @words, [ $number, substr($_, 1, -1) ] foreach $1 =~ /($string)/g;
    }
}
fail('the table has no rows') unless %row_of;

my %found;
foreach my $folder (qw(common proto applier control state decoder)) {
    foreach my $file (split /\0/, `find "$top/$folder" -name '*.c' -print0`) {
        next if $file =~ m{/common/kinds/};
        my $text = slurp($file);
        while ($text =~ /\b(?:error_set|\w+)\(\s*[^;{}"]*?ERROR_[A-Z]+,\s*((?:(?:$string|[A-Z_][A-Z_0-9a-z]*)\s*)+)/g) {
            my $message = joined($1);
            my %claims;
            foreach my $words (@words) {
                next if index($message, $words->[1]) < 0;
                $claims{ $words->[0] } = 1;
                $found{"@$words"} = 1;
            }
            my @numbers = sort keys %claims;
            fail("no row of common/kinds has words of \"$message\" ($file): it needs a cause and a cure") if !@numbers && says_something($message);
            fail("PST-" . join(' and PST-', @numbers) . " both claim \"$message\" ($file)") if @numbers > 1;
            print((@numbers ? "PST-$numbers[0]" : '-'), "\t$file\t$message\n") if defined $list;
        }
    }
}
foreach my $words (@words) {
    fail("no message has the words of PST-$words->[0] any more: \"$words->[1]\"") unless $found{"@$words"};
}
exit($failures > 0);
