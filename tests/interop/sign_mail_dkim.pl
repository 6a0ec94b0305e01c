#!/usr/bin/perl
# SPDX-License-Identifier: MPL-2.0
# sign_mail_dkim.pl KEY DOMAIN SELECTOR METHOD < message: the message with a DKIM-Signature by
# Mail::DKIM on top. METHOD is "relaxed/simple" or the like; rsa-sha256.
use strict;
use warnings;

use Mail::DKIM::Signer;

my ($key, $domain, $selector, $method) = @ARGV;
binmode STDIN;
binmode STDOUT;
my $message = do { local $/; <STDIN> };
my $signer = Mail::DKIM::Signer->new(
	Algorithm => 'rsa-sha256', Method => $method, Domain => $domain,
	Selector => $selector, KeyFile => $key);
$signer->PRINT($message);
$signer->CLOSE;
my $field = $signer->signature->as_string;
$field =~ s/\r?\n/\r\n/g;
print $field, "\r\n", $message;
