#!/usr/bin/perl
# test_docs.pl BUILD_FOLDER TOP: every command line in the documentation names commands and options that there are, every link
# leads to a page and a heading that is there, and every option has a line in docs/commands.md or docs/applier.md.
use strict;
use warnings;

my ($build, $top) = @ARGV;
my $failures = 0;

sub fail { print "NOT OK @_\n"; $failures++; return }

sub slurp
{
    open(my $in, '<', $_[0]) or die "$_[0]: $!\n";
    local $/;
    return scalar <$in>;
}

# Long options of a program, from its --help.
sub options_of
{
    my $help = `@_ --help`;
    return map { $_ => 1 } $help =~ /(?<![\w-])--([a-z][a-z-]*)/g;
}

my $overview = `$build/bin/penstock`;
my %commands = map { $_ => { options_of("$build/bin/penstock", $_) } } $overview =~ /^  ([a-z]+)  /mg;
$commands{help} = $commands{version} = {};
my %applier = options_of("$build/bin/penstock-applier");

# One command line: `penstock COMMAND …`, with everything behind -- for the applier.
sub check_line
{
    my ($file, $line) = @_;
    my ($program, $rest) = $line =~ /\b(penstock(?:-applier)?)\b((?:\s+\S.*)?)$/ or return;
    my ($ours, $theirs) = split /\s--\s/, $rest, 2;
    ($ours, $theirs) = ('', $rest) if $program eq 'penstock-applier';
    return if $ours =~ /^ applier heartbeat/; # an application_name
    my ($command) = $ours =~ /^\s+(?:--\S+[ =]\S+\s+)*([a-z]+)\b/;
    if ($program eq 'penstock' && defined $command) {
        return fail("$file: there is no command $command: $line") unless $commands{$command};
        foreach my $option ($ours =~ /(?<=\s)\[?--([a-z][a-z-]*)/g) {
            fail("$file: $command has no --$option: $line") unless $commands{$command}{$option};
        }
    }
    foreach my $option (($theirs // '') =~ /(?<=\s)\[?--([a-z][a-z-]*)/g) {
        fail("$file: the applier has no --$option: $line") unless $applier{$option};
    }
    return;
}

# The anchors of a page, as they are made of its headings.
sub anchors
{
    my %anchors;
    foreach my $heading (slurp($_[0]) =~ /^#+ +(.*)$/mg) {
        $heading =~ s/\[([^\]]*)\]\([^)]*\)/$1/g;
        my $anchor = lc $heading;
        $anchor =~ s/[^\w\- ]//g;
        $anchor =~ tr/ /-/;
        $anchors{$anchor} = 1;
    }
    return \%anchors;
}

sub check_links
{
    my ($file, $text) = @_;
    my ($folder) = $file =~ m{^(.*)/};
    foreach my $link ($text =~ /\]\(([^)\s]+)\)/g) {
        next if $link =~ /^[a-z]+:/;
        my ($page, $anchor) = split /#/, $link, 2;
        my $path = $page eq '' ? $file : "$folder/$page";
        if (!-e $path) { fail("$file: $link leads nowhere") }
        elsif (defined $anchor && $path =~ /\.md$/ && !anchors($path)->{$anchor}) { fail("$file: $page has no heading $anchor") }
    }
    return;
}

my @pages = (glob("$top/docs/*.md"), "$top/README.md", "$top/CONTRIBUTING.md", "$top/SECURITY.md");
foreach my $file (@pages) {
    my $text = slurp($file);
    my $joined = $text =~ s/\\\n\s+/ /gr;
    check_line($file, $1) while $joined =~ /`((?:penstock|penstock-applier) [^`\n]*)`/g;
    check_line($file, $1) while $joined =~ /^    ((?:penstock|penstock-applier) .*)$/mg;
    check_links($file, $text);
}
my %any = (%applier, map { %$_ } values %commands);
foreach my $option (slurp("$top/docs/errors.md") =~ /`--([a-z][a-z-]*)/g) {
    fail("docs/errors.md: there is no --$option") unless $any{$option};
}
my $reference = slurp("$top/docs/commands.md");
foreach my $command (sort keys %commands) {
    foreach my $option (sort keys %{ $commands{$command} }) {
        next if $option =~ /^(?:help|usage|version)$/;
        fail("docs/commands.md does not name --$option of $command") unless $reference =~ /--\Q$option\E(?![\w-])/;
    }
}
my $applier_page = slurp("$top/docs/applier.md") . $reference;
foreach my $option (sort keys %applier) {
    next if $option =~ /^(?:help|usage|version|log-level)$/;
    fail("docs/applier.md does not name --$option") unless $applier_page =~ /--\Q$option\E(?![\w-])/;
}
exit($failures > 0);
