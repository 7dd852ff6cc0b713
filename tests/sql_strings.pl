#!/usr/bin/perl
# What may not stand in the SQL that we send, in any source file below the folder that is given: each is something whose
# meaning the database at the other end decides, by its settings or by objects of its own.
#
#   ||               means something else, or nothing, with casts that the database has; format() and concat() do not
#   LIKE with \      is a matter of standard_conforming_strings; ~ needs none
#   beyond ASCII     cannot be had in every encoding
#   x::type, f(…), = without a schema, where the search_path is the database's own (the statements that write rows)
use strict;
use warnings;

my ($top) = @ARGV;
my $found = 0;

sub complain
{
    my ($file, $text, $offset, $what, $literal) = @_;
    my $line = 1 + (substr($text, 0, $offset) =~ tr/\n//);
    print "$file:$line: $what: $literal\n";
    $found++;
    return;
}

# A literal of a statement, as far as can be told from it alone.
my $statement = qr/^\s*\(?(?:SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|DROP|SET|COPY|DO|LOCK|TRUNCATE|FROM|WHERE|AND|JOIN|COMMENT)\s/;

# These make statements for a session whose search_path is the database's own.
my $own_path = qr{^(?:applier/apply/(?:statement|truncate_statement|copy_statement|record|conflict|careful|row_statement|apply)\.c
    |state/conflict\.c)$}x;

sub check_literal
{
    my ($file, $text, $offset, $literal) = @_;
    my $sql = $literal =~ $statement;
    complain($file, $text, $offset, '|| in SQL', $literal)
      if $literal =~ /\|\|/ && ($literal =~ /'.*\|\||\|\|.*'/ || $sql) && $literal !~ /\[ |toml_skip/;
    complain($file, $text, $offset, 'a backslash in a pattern', $literal) if $literal =~ /LIKE E?'[^']*\\/;
    complain($file, $text, $offset, 'beyond ASCII in SQL', $literal) if $sql && $literal =~ /[^\x00-\x7f]/;
    return unless $file =~ $own_path;
    (my $bare = $literal) =~ s/%s|\\"/ /g;
    complain($file, $text, $offset, 'a type without its schema', $literal) if $literal =~ /::(?!pg_catalog\.|%s)/;
    foreach my $name ($bare =~ /(?<![.\w%])([a-z_]\w*)\(/g) { # keywords are written in capitals
        complain($file, $text, $offset, "function $name without its schema", $literal)
          unless $name =~ /^(?:coalesce|u|d)$/;
    }
    $bare =~ s/OPERATOR\(\S+?\)|'[^']*'//g;
    complain($file, $text, $offset, 'an operator without its schema', $literal)
      if $bare =~ /\b(?:WHERE|AND|SELECT|FROM)\b/ && $bare =~ /[=<>]|\bIN \(/;
    return;
}

chdir $top or die "$top: $!\n";
my @files = split /\n/, `find applier common control decoder proto state -name '*.[ch]' -o -name '*.sql' | sort`;
die "no sources in $top\n" unless @files > 100;
foreach my $file (@files) {
    open(my $in, '<', $file) or die "$file: $!\n";
    my $text = do { local $/; <$in> };
    if ($file =~ /\.sql$/) {
        complain($file, $text, $-[0], 'beyond ASCII in SQL', $&) while $text =~ /[^\x00-\x7f]+/g;
        next;
    }
    $text =~ s{"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)'|/\*.*?\*/}{my $piece = $&; $piece =~ s/[^\n]/ /g if $piece =~ m{^(?:/\*|')}; $piece}gse;
    check_literal($file, $text, $-[0], $1) while $text =~ /"((?:[^"\\\n]|\\.)*)"/g;
}
print "$found to mend\n" if $found;
exit($found ? 1 : 0);
