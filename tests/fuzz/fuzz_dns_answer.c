/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS messages. Input: an octet that selects the type, one for rcode, AA and TC, two counts of
 * records, then the sections behind our question; the whole input is also read as a message of
 * its own, and as a name in text. Invariants: status and count agree; each record keeps to its
 * type; names are NUL-terminated and in the form that they would be written in again; two
 * readings agree.
 */
#include "lib/net/dns_wire.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGE_MAX 65535

static const enum dns_type types[] = { DNS_A, DNS_NS, DNS_CNAME, DNS_SOA, DNS_PTR, DNS_MX,
	DNS_TXT, DNS_AAAA, DNS_TLSA };

static void
check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void
check_name(struct view text)
{
	unsigned char wire[DNS_NAME_WIRE_MAX];
	char again[DNS_NAME_TEXT_MAX];

	check(strlen(text.p) == text.len && text.len < DNS_NAME_TEXT_MAX, "a name is text");
	check(dns_name_to_wire(text, wire) > 0, "a name can be asked for");
	check(dns_name_to_text(wire, again) == text.len && strcmp(again, text.p) == 0,
	    "a name stays as it is");
	check(text.len == 1 || dns_name_is_valid(text), "a name is valid");
}

static void
check_record(const struct dns_record *record, enum dns_type type)
{
	switch (type) {
	case DNS_A:
		check(record->data.len == 4, "an address of 4");
		break;
	case DNS_AAAA:
		check(record->data.len == 16, "an address of 16");
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
	case DNS_MX:
		check_name(record->data);
		break;
	case DNS_TXT:
		check(record->data.len <= DNS_TXT_MAX, "a TXT within its cap");
		break;
	case DNS_SOA:
		check(record->data.len >= 22, "an SOA");
		break;
	case DNS_TLSA:
		break;
	}
}

static void
check_reply(const struct dns_reply *reply, enum dns_type type)
{
	const struct dns_answer *a = &reply->answer;

	check((a->status == DNS_FOUND) == (a->count > 0), "found means records");
	check(a->count <= DNS_RECORDS_MAX, "records within their cap");
	check(a->ttl_s <= INT32_MAX, "a TTL");
	check((a->status == DNS_TEMPFAIL) == (a->why[0] != '\0'), "a failure has a why");
	check(reply->rcode <= 15, "an rcode of four bits");
	for (size_t i = 0; i < a->count; i++)
		check_record(&a->records[i], type);
	if (reply->leads_to != NULL)
		check_name(view_of(reply->leads_to));
}

static void
read_message(struct view wire, const unsigned char *name, enum dns_type type)
{
	struct dns_reply reply, again;
	struct arena arena;

	arena_init(&arena);
	if (dns_wire_read(wire, name, type, &arena, &reply)) {
		check_reply(&reply, type);
		check(dns_wire_read(wire, name, type, &arena, &again), "read twice");
		check(again.answer.count == reply.answer.count &&
			  again.answer.status == reply.answer.status,
		    "the same twice");
	}
	arena_finish(&arena);
}

/* read_sections - data as what stands behind our question. */
static void
read_sections(const uint8_t *data, size_t size)
{
	static unsigned char message[MESSAGE_MAX];
	unsigned char name[DNS_NAME_WIRE_MAX];
	const enum dns_type type = types[data[0] % ARRAY_LEN(types)];
	size_t len;

	check(dns_name_to_wire(VIEW("k.example.com"), name) == 15, "a plain name");
	len = dns_wire_query(0x1234, name, type, true, message) - 11; /* without its OPT */
	message[2] = (unsigned char)(0x80 | (data[1] >> 4 & 0x06));
	message[3] = data[1] & 0x0f;
	message[7] = data[2];
	message[9] = data[3];
	message[11] = 0;
	if (size - 4 > sizeof(message) - len)
		return;
	memcpy(message + len, data + 4, size - 4);
	read_message(view_make((const char *)message, len + size - 4), name, type);
}

static void
read_name_text(struct view text)
{
	unsigned char wire[DNS_NAME_WIRE_MAX], wire_again[DNS_NAME_WIRE_MAX];
	char canonical[DNS_NAME_TEXT_MAX];
	const size_t len = dns_name_to_wire(text, wire);
	size_t text_len;

	check(len <= DNS_NAME_WIRE_MAX, "a name within its cap");
	check(len > 1 || !dns_name_is_valid(text), "valid names have labels");
	if (len == 0)
		return;
	text_len = dns_name_to_text(wire, canonical);
	check_name(view_make(canonical, text_len));
	check(dns_name_to_wire(view_make(canonical, text_len), wire_again) == len,
	    "a name keeps its length");
	for (size_t i = 0; i < len; i++)
		check(ascii_lower((char)wire[i]) == (char)wire_again[i],
		    "a name is the same but for its case");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char root[DNS_NAME_WIRE_MAX] = { 0 };

	read_name_text(view_make((const char *)data, size));
	if (size < 4)
		return 0;
	read_message(
	    view_make((const char *)data, size), root, types[data[0] % ARRAY_LEN(types)]);
	read_sections(data, size);
	return 0;
}
