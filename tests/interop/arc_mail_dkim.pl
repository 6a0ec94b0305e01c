#!/usr/bin/perl
# SPDX-License-Identifier: MPL-2.0
# arc_mail_dkim.pl verify RECORDS < messages: what Mail::DKIM says of each one's ARC chain:
# "result<TAB>detail". Before each message stands a line with its length. RECORDS holds
# "name<TAB>TXT" lines: that is all the DNS there is.
# arc_mail_dkim.pl seal KEY DOMAIN SELECTOR CHAIN SRVID < message: the message with a set on top.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LocalResolver;
use Mail::DKIM::ARC::Signer;
use Mail::DKIM::ARC::Verifier;

my ($mode, @arguments) = @ARGV;
binmode STDIN;
binmode STDOUT;
if ($mode eq 'verify') {
	LocalResolver::install($arguments[0]);
	while (my $length = <STDIN>) {
		read(STDIN, my $message, $length) == $length or die "a message is cut short\n";
		my $verifier = Mail::DKIM::ARC::Verifier->new(Strict => 1);
		$verifier->PRINT($message);
		$verifier->CLOSE;
		my $detail = $verifier->result_detail // '';
		$detail =~ s/[\t\r\n]+/ /g;
		print join("\t", $verifier->result, $detail), "\n";
	}
} else {
	my ($key, $domain, $selector, $chain, $srvid) = @arguments;
	my $message = do { local $/; <STDIN> };
	my $signer = Mail::DKIM::ARC::Signer->new(
		Algorithm => 'rsa-sha256', Chain => $chain, Domain => $domain,
		SrvId => $srvid, Selector => $selector, KeyFile => $key,
		Headers => 'From:To:Subject');
	$signer->PRINT($message);
	$signer->CLOSE;
	die 'no seal: ' . ($signer->{details} // '') . "\n" if $signer->result ne 'sealed';
	print join("\r\n", $signer->as_strings), "\r\n", $message;
}
