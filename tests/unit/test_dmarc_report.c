/* SPDX-License-Identifier: MPL-2.0 */
/* Aggregate reports: the XML, its names, and the mail around it (RFC 9990). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/base64.h"
#include "lib/domain/dmarc_report.h"
#include "tests/unit/message_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define DAY 20781 /* 2026-11-24 */

static const struct dmarc_report_head head = {
	.org_name = "Bits & Bytes <Ltd>",
	.email = "dmarc-reports@example.net",
	.contact = "https://example.net/mail",
	.receiver = "mx.example.net",
	.policy_domain = "example.com",
	.store_id = "1a2b3c4d",
	.generator = "Gatepost 0.1",
	.day = DAY,
};

static const struct dmarc_published published = { "reject", "quarantine", "none", "s", "r",
	"y" };

static struct dmarc_group
sample(void)
{
	return (struct dmarc_group){ .count = 3,
		.source_ip = "192.0.2.1",
		.header_from = "mail.example.com",
		.envelope_from = "",
		.envelope_to = "example.net",
		.disposition = "none",
		.dkim_aligned = "fail",
		.spf_aligned = "fail",
		.override_type = "trusted_forwarder",
		.override_comment = "lists.example.org",
		.spf = { "helo.example.org", "", "softfail", "not listed" },
		.spf_count = 1,
		.dkim = { { "example.com", "s1", "fail", "the body was changed" },
		    { "example.org", "s2", "pass", "" } },
		.dkim_count = 2 };
}

static const char whole[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n"
    "  <version>1.0</version>\n"
    "  <report_metadata>\n"
    "    <org_name>Bits &amp; Bytes &lt;Ltd&gt;</org_name>\n"
    "    <email>dmarc-reports@example.net</email>\n"
    "    <extra_contact_info>https://example.net/mail</extra_contact_info>\n"
    "    <report_id>2026-11-24_example.com_1a2b3c4d@mx.example.net</report_id>\n"
    "    <date_range>\n"
    "      <begin>1795478400</begin>\n"
    "      <end>1795564799</end>\n"
    "    </date_range>\n"
    "    <generator>Gatepost 0.1</generator>\n"
    "  </report_metadata>\n"
    "  <policy_published>\n"
    "    <domain>example.com</domain>\n"
    "    <discovery_method>treewalk</discovery_method>\n"
    "    <p>reject</p>\n"
    "    <sp>quarantine</sp>\n"
    "    <np>none</np>\n"
    "    <adkim>s</adkim>\n"
    "    <aspf>r</aspf>\n"
    "    <testing>y</testing>\n"
    "  </policy_published>\n"
    "  <record>\n"
    "    <row>\n"
    "      <source_ip>192.0.2.1</source_ip>\n"
    "      <count>3</count>\n"
    "      <policy_evaluated>\n"
    "        <disposition>none</disposition>\n"
    "        <dkim>fail</dkim>\n"
    "        <spf>fail</spf>\n"
    "        <reason>\n"
    "          <type>trusted_forwarder</type>\n"
    "          <comment>lists.example.org</comment>\n"
    "        </reason>\n"
    "      </policy_evaluated>\n"
    "    </row>\n"
    "    <identifiers>\n"
    "      <header_from>mail.example.com</header_from>\n"
    "      <envelope_from></envelope_from>\n"
    "      <envelope_to>example.net</envelope_to>\n"
    "    </identifiers>\n"
    "    <auth_results>\n"
    "      <dkim>\n"
    "        <domain>example.com</domain>\n"
    "        <selector>s1</selector>\n"
    "        <result>fail</result>\n"
    "        <human_result>the body was changed</human_result>\n"
    "      </dkim>\n"
    "      <dkim>\n"
    "        <domain>example.org</domain>\n"
    "        <selector>s2</selector>\n"
    "        <result>pass</result>\n"
    "      </dkim>\n"
    "      <spf>\n"
    "        <domain>helo.example.org</domain>\n"
    "        <scope>mfrom</scope>\n"
    "        <result>softfail</result>\n"
    "        <human_result>not listed</human_result>\n"
    "      </spf>\n"
    "    </auth_results>\n"
    "  </record>\n"
    "</feedback>\n";

/* xml_of - of one row; the caller frees it. */
static struct buf
xml_of(const struct dmarc_group *row, size_t times, size_t rows_max)
{
	struct dmarc_report report;
	struct buf xml;

	dmarc_report_init(&report, rows_max);
	buf_init(&xml, DMARC_REPORT_XML_MAX);
	for (size_t i = 0; i < times; i++)
		assert_true(dmarc_report_add(&report, row));
	assert_true(dmarc_report_write(&report, &head, &published, &xml));
	assert_true(buf_add_char(&xml, '\0'));
	xml.len--;
	dmarc_report_finish(&report);
	return xml;
}

static void
test_whole_document(void **state)
{
	const struct dmarc_group row = sample();
	struct buf xml = xml_of(&row, 1, 10);

	(void)state;
	assert_string_equal(xml.p, whole);
	buf_finish(&xml);
}

static void
test_values_out_of_their_sets(void **state)
{
	struct dmarc_group row = sample();

	(void)state;
	row.disposition = "drop";
	row.dkim_aligned = "";
	row.override_type = "because";
	row.override_comment = "";
	row.spf.result = "hardfail";
	row.dkim[0].result = "softfail"; /* SPF knows it, DKIM does not */
	struct buf xml = xml_of(&row, 1, 10);
	assert_non_null(strstr(xml.p, "<disposition>none</disposition>"));
	assert_non_null(strstr(xml.p, "<dkim>fail</dkim>"));
	assert_non_null(strstr(xml.p, "<type>other</type>\n        </reason>"));
	assert_non_null(strstr(xml.p, "<result>none</result>\n        <human_result>not"));
	assert_non_null(strstr(xml.p, "<result>none</result>\n        <human_result>the"));
	buf_finish(&xml);
}

static const struct text_case {
	const char *name, *text, *xml;
} text_cases[] = {
	{ "markup", "<a b='\"'>&]]>", "&lt;a b=&apos;&quot;&apos;&gt;&amp;]]&gt;" },
	{ "UTF-8",
	    "b\xc3\xbc"
	    "cher.\xe4\xbe\x8b \xf0\x9f\x93\xa7",
	    "b\xc3\xbc"
	    "cher.\xe4\xbe\x8b \xf0\x9f\x93\xa7" },
	{ "no UTF-8",
	    "a\xff"
	    "b\xc3",
	    "a\xef\xbf\xbd"
	    "b\xef\xbf\xbd" },
	{ "an octet over its least form", "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },
	{ "a surrogate", "\xed\xa0\x80", "\xef\xbf\xbd" },
	{ "beyond Unicode", "\xf4\x90\x80\x80", "\xef\xbf\xbd" },
	{ "what XML forbids", "\x01\x0b\x1b\x7f\xef\xbf\xbe",
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	{ "line ends and C1", "a\r\nb\xc2\x85",
	    "a\xef\xbf\xbd\xef\xbf\xbd"
	    "b\xef\xbf\xbd" },
	{ "nothing", "", "" },
};

static void
test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(text_cases); i++) {
		const struct text_case *c = &text_cases[i];
		struct dmarc_group row = sample();
		char expected[256];

		row.header_from = c->text;
		struct buf xml = xml_of(&row, 1, 10);
		snprintf(expected, sizeof(expected), "<header_from>%s</header_from>", c->xml);
		if (strstr(xml.p, expected) == NULL)
			fail_msg("%s: there is no %s in\n%s", c->name, expected, xml.p);
		buf_finish(&xml);
	}
}

static void
test_too_many_rows(void **state)
{
	const struct dmarc_group row = sample();
	struct buf xml = xml_of(&row, 12, 10);
	size_t count = 0;

	(void)state;
	for (const char *at = xml.p; (at = strstr(at, "<record>")) != NULL; at++)
		count++;
	assert_int_equal(count, 10);
	assert_non_null(strstr(xml.p, "<error>2 more records were left out"));
	buf_finish(&xml);
}

static void
test_document_is_full(void **state)
{
	struct dmarc_group row = sample();
	struct dmarc_report report;
	char text[1025];
	struct buf xml;

	(void)state;
	memset(text, '&', sizeof(text) - 1); /* five octets each */
	text[sizeof(text) - 1] = '\0';
	row.header_from = row.envelope_from = row.envelope_to = row.override_comment = text;
	dmarc_report_init(&report, SIZE_MAX);
	for (size_t i = 0; i < 5000; i++)
		assert_true(dmarc_report_add(&report, &row));
	assert_true(report.left_out > 0);
	assert_int_equal(report.rows + report.left_out, 5000);
	assert_int_equal(report.messages, 3 * (int64_t)report.rows);
	buf_init(&xml, DMARC_REPORT_XML_MAX);
	assert_true(dmarc_report_write(&report, &head, &published, &xml));
	assert_memory_equal(xml.p + xml.len - 24, "  </record>\n</feedback>\n", 24);
	buf_finish(&xml);
	dmarc_report_finish(&report);
}

static void
inflate_whole(struct view in, char *out, size_t room)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.len };

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)room - 1;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	out[z.total_out] = '\0';
	inflateEnd(&z);
}

static void
test_gzip(void **state)
{
	const struct dmarc_group row = sample();
	struct buf xml = xml_of(&row, 1000, 1000), gzip, again;
	char *text = malloc(xml.len + 1);

	(void)state;
	buf_init(&gzip, DMARC_REPORT_GZIP_MAX);
	buf_init(&again, DMARC_REPORT_GZIP_MAX);
	assert_true(dmarc_report_compress(buf_view(&xml), &gzip));
	assert_true(dmarc_report_compress(buf_view(&xml), &again));
	assert_true(view_eq(buf_view(&gzip), buf_view(&again))); /* no time in it */
	assert_true(gzip.len < xml.len / 50);
	inflate_whole(buf_view(&gzip), text, xml.len + 1);
	assert_string_equal(text, xml.p);
	free(text);
	buf_finish(&gzip);
	buf_init(&gzip, 100);
	assert_false(dmarc_report_compress(buf_view(&xml), &gzip));
	buf_finish(&gzip);
	buf_finish(&again);
	buf_finish(&xml);
}

static void
test_names(void **state)
{
	char text[DMARC_REPORT_ID_MAX];

	(void)state;
	dmarc_report_id(&head, text);
	assert_string_equal(text, "2026-11-24_example.com_1a2b3c4d@mx.example.net");
	dmarc_report_file_name(&head, text);
	assert_string_equal(
	    text, "mx.example.net!example.com!1795478400!1795564799!1a2b3c4d.xml.gz");
}

static void
test_mail(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	assert_true(
	    dmarc_report_mail(&head, VIEW("octets"), "d@example.com", 1795564800, &out));
	assert_true(buf_add_char(&out, '\0'));
	assert_string_equal(out.p,
	    "Date: Wed, 25 Nov 2026 00:00:00 +0000\r\n"
	    "From: <dmarc-reports@example.net>\r\n"
	    "To: <d@example.com>\r\n"
	    "Subject: Report Domain: example.com\r\n"
	    " Submitter: mx.example.net\r\n"
	    " Report-ID: <2026-11-24_example.com_1a2b3c4d@mx.example.net>\r\n"
	    "Message-ID: <2026-11-24_example.com_1a2b3c4d@mx.example.net>\r\n"
	    "Auto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed;\r\n"
	    " boundary=\"=_dmarc_2026-11-24_1a2b3c4d\"\r\n"
	    "\r\n"
	    "--=_dmarc_2026-11-24_1a2b3c4d\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n"
	    "\r\n"
	    "This is a DMARC aggregate report about mail from example.com\r\n"
	    "that mx.example.net received on 2026-11-24 (UTC).\r\n"
	    "\r\n"
	    "--=_dmarc_2026-11-24_1a2b3c4d\r\n"
	    "Content-Type: application/gzip\r\n"
	    "Content-Disposition: attachment;\r\n"
	    " filename=\"mx.example.net!example.com!1795478400!1795564799!1a2b3c4d.xml.gz\"\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "\r\n"
	    "b2N0ZXRz\r\n"
	    "\r\n"
	    "--=_dmarc_2026-11-24_1a2b3c4d--\r\n");
	struct message *m = message_of(out.p);
	assert_int_equal(message_field_count(m), 8);
	message_destroy(&m);
	buf_finish(&out);
	buf_init(&out, 700);
	assert_false(
	    dmarc_report_mail(&head, VIEW("octets"), "d@example.com", 1795564800, &out));
	buf_finish(&out);
}

static void
test_long_names(void **state)
{
	struct dmarc_report_head longest = head;
	char name[254], id[DMARC_REPORT_ID_MAX], file[DMARC_REPORT_ID_MAX];
	struct buf out;
	size_t line = 0;

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	for (size_t i = 63; i < sizeof(name); i += 64)
		name[i] = '.';
	name[sizeof(name) - 1] = '\0';
	longest.receiver = longest.policy_domain = name;
	dmarc_report_id(&longest, id);
	dmarc_report_file_name(&longest, file);
	assert_non_null(strstr(id, "_1a2b3c4d@aaa"));
	assert_true(view_ends_nocase(view_of(file), VIEW("!1a2b3c4d.xml.gz")));
	buf_init(&out, 1 << 20);
	assert_true(dmarc_report_mail(&longest, VIEW("x"), "d@example.com", 0, &out));
	for (size_t i = 0; i < out.len; i++) {
		line = out.p[i] == '\n' ? 0 : line + 1;
		assert_true(line <= 999); /* RFC 5322 2.1.1, with the CR */
	}
	buf_finish(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_document),
		cmocka_unit_test(test_values_out_of_their_sets),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_too_many_rows),
		cmocka_unit_test(test_document_is_full),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
