#!/usr/bin/perl
# SPDX-License-Identifier: MPL-2.0
# parse_authres.pl < fields: what Mail::AuthenticationResults reads in Authentication-Results
# values, a line of JSON each. Before each value stands a line with its length.
use strict;
use warnings;

use Mail::AuthenticationResults::Parser;

binmode STDIN;
while (my $length = <STDIN>) {
	read(STDIN, my $value, $length) == $length or die "a field is cut short\n";
	my $parser = Mail::AuthenticationResults::Parser->new("Authentication-Results: $value");
	print $parser->parsed->as_json, "\n";
}
