#!/usr/bin/perl
# SPDX-License-Identifier: MPL-2.0
# verify_mail_dkim.pl RECORDS < message: what Mail::DKIM says of each signature, from top to
# bottom: "selector<TAB>domain<TAB>algorithm<TAB>result<TAB>detail". RECORDS holds "name<TAB>TXT"
# lines: that is all the DNS there is.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LocalResolver;
use Mail::DKIM::Verifier;

LocalResolver::install($ARGV[0]);

binmode STDIN;
my $verifier = Mail::DKIM::Verifier->new(Strict => 0);
while (read STDIN, my $chunk, 65536) {
	$verifier->PRINT($chunk);
}
$verifier->CLOSE;
for my $signature ($verifier->signatures) {
	my $detail = $signature->result_detail // '';
	$detail =~ s/[\t\r\n]+/ /g;
	print join("\t", map { $_ // '' } $signature->selector, $signature->domain,
		$signature->algorithm, $signature->result, $detail), "\n";
}
