# SPDX-License-Identifier: MPL-2.0
# For the tools by Mail::DKIM: a resolver that answers from a file of "name<TAB>TXT" lines, and
# knows nothing else.
package LocalResolver;
use strict;
use warnings;

use Mail::DKIM::DNS;
use Net::DNS;

# install(FILE): what Mail::DKIM asks from now on.
sub install {
	my ($path) = @_;
	my %records;
	open my $file, '<', $path or die "$path: $!\n";
	while (my $line = <$file>) {
		chomp $line;
		my ($name, $text) = split /\t/, $line, 2;
		$records{lc $name} = $text;
	}
	close $file;
	Mail::DKIM::DNS::resolver(bless \%records, 'LocalResolver');
}

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

1;
