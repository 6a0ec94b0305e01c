#!/usr/bin/perl
# SPDX-License-Identifier: MPL-2.0
# verify_mail_dkim.pl RECORDS < message: what Mail::DKIM says of each signature, from top to
# bottom: "selector<TAB>domain<TAB>algorithm<TAB>result<TAB>detail". RECORDS holds "name<TAB>TXT"
# lines: that is all the DNS there is.
use strict;
use warnings;

use Mail::DKIM::DNS;
use Mail::DKIM::Verifier;
use Net::DNS;

package LocalResolver;

sub send {
	my ($self, $name, $type) = @_;
	my $packet = Net::DNS::Packet->new($name, $type);
	my $text = $self->{lc $name};
	$packet->header->rcode(defined $text ? 'NOERROR' : 'NXDOMAIN');
	$packet->push(answer => Net::DNS::RR->new(
		owner => $name, type => 'TXT', txtdata => [unpack '(a255)*', $text]))
	    if defined $text;
	return $packet;
}

sub errorstring { return 'NOERROR' }

package main;

my %records;
open my $file, '<', $ARGV[0] or die "$ARGV[0]: $!\n";
while (my $line = <$file>) {
	chomp $line;
	my ($name, $text) = split /\t/, $line, 2;
	$records{lc $name} = $text;
}
close $file;
Mail::DKIM::DNS::resolver(bless \%records, 'LocalResolver');

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
