/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DMARC's outcome for a message: From domains, what SPF and DKIM found, and a zone. Sections
 * are those of draft-ietf-dmarc-dmarcbis-41 (RFC 9989).
 */
#include "lib/domain/dmarc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/dmarc_results.h"
#include "tests/unit/dmarc_zone.h"

#define REJECT	   "v=DMARC1; p=reject\n"
#define QUARANTINE "v=DMARC1; p=quarantine\n"
#define NONE	   "v=DMARC1; p=none\n"

struct outcome_case {
	const char *name;
	const char *from; /* domains */
	const char
	    *results;	  /* "spf=pass:DOMAIN dkim=fail:DOMAIN"; helo: SPF of the HELO name */
	const char *zone; /* dmarc_zone.h */
	/*
	 * Result; for pass the aligned methods; for others, with a record, the policy and the
	 * tag that it comes from, "by t=y" when that made it milder; with several From domains
	 * the one that counted.
	 */
	const char *expected;
};

static const struct outcome_case cases[] = {
	/* Pass, 4.4 and 5.3.5 */
	{ "SPF for the author domain itself (B.1.1 example 1)", "example.com",
	    "spf=pass:example.com", "example.com " REJECT, "pass spf" },
	{ "SPF for a child of it, relaxed (B.1.1 example 2)", "example.com",
	    "spf=pass:child.example.com", "example.com " REJECT, "pass spf" },
	{ "SPF for a parent of it, relaxed (4.4.2)", "child.example.com",
	    "spf=pass:example.com", "example.com " REJECT, "pass spf" },
	{ "SPF for a sibling of it, relaxed (4.4 table 1)", "news.example.com",
	    "spf=pass:foo.example.com", "example.com " REJECT, "pass spf" },
	{ "SPF for another domain (B.1.1 example 3)", "child.example.com",
	    "spf=pass:example.net", "example.com " REJECT, "fail reject p" },
	{ "DKIM for the author domain itself (B.1.2 example 1)", "example.com",
	    "dkim=pass:example.com", "example.com " REJECT, "pass dkim" },
	{ "DKIM for a parent of it, relaxed (B.1.2 example 2)", "child.example.com",
	    "dkim=pass:example.com", "example.com " REJECT, "pass dkim" },
	{ "DKIM for another domain (B.1.2 example 3)", "child.example.com",
	    "dkim=pass:example.net", "example.com " REJECT, "fail reject p" },
	{ "both aligned: both are reported (B.3.1)", "example.com",
	    "spf=pass:mail.example.com dkim=pass:example.com", "example.com " REJECT,
	    "pass spf dkim" },
	{ "one of several signatures is enough (4.4.1)", "example.com",
	    "dkim=fail:example.com dkim=pass:example.net dkim=pass:example.com",
	    "example.com " REJECT, "pass dkim" },
	{ "an aligned pass beats SPF's fail (5.3.5)", "example.com",
	    "spf=fail:example.com dkim=pass:example.com", "example.com " REJECT, "pass dkim" },
	{ "an aligned pass of SPF beats a broken signature (5.3.5)", "example.com",
	    "spf=pass:example.com dkim=fail:example.com", "example.com " REJECT, "pass spf" },
	{ "p=none passes by the same rules (4.4)", "example.com", "dkim=pass:example.com",
	    "example.com " NONE, "pass dkim" },
	{ "B.4.1: both align through example.com", "example.com",
	    "spf=pass:example.com dkim=pass:signing.example.com",
	    "example.com " REJECT "signing.example.com " NONE, "pass spf dkim" },
	{ "B.4.2: the deep author domain aligns", "a.b.c.d.e.f.g.h.i.j.k.example.com",
	    "spf=pass:example.com dkim=pass:signing.example.com",
	    "example.com " REJECT "signing.example.com " NONE, "pass spf dkim" },
	{ "B.4.3: SPF aligns below the public suffix, DKIM does not", "giant.bank.example",
	    "spf=pass:mail.giant.bank.example dkim=pass:mail.mega.bank.example",
	    "giant.bank.example " REJECT "bank.example v=DMARC1; p=reject; psd=y\n",
	    "pass spf" },
	{ "B.4.3: DKIM alone fails by the domain's own record", "giant.bank.example",
	    "dkim=pass:mail.mega.bank.example",
	    "giant.bank.example " QUARANTINE "bank.example v=DMARC1; p=reject; psd=y\n",
	    "fail quarantine p" },

	/* Fail, 5.3.5 */
	{ "no authenticated identifier at all (5.3.5)", "example.com", "",
	    "example.com " REJECT, "fail reject p" },
	{ "SPF fails (5.3.5)", "example.com", "spf=fail:example.com", "example.com " REJECT,
	    "fail reject p" },
	{ "SPF softfail is no pass (5.3.3)", "example.com", "spf=softfail:example.com",
	    "example.com " REJECT, "fail reject p" },
	{ "SPF neutral is no pass (5.3.3)", "example.com", "spf=neutral:example.com",
	    "example.com " REJECT, "fail reject p" },
	{ "SPF none is no pass (5.3.3)", "example.com", "spf=none:example.com",
	    "example.com " REJECT, "fail reject p" },
	{ "SPF permerror is no pass (5.3.3)", "example.com", "spf=permerror:example.com",
	    "example.com " REJECT, "fail reject p" },
	{ "a signature refused by policy is no pass (5.3.3)", "example.com",
	    "dkim=policy:example.com", "example.com " REJECT, "fail reject p" },
	{ "a signature with a permanent error is no pass (5.3.3)", "example.com",
	    "dkim=permerror:example.com", "example.com " REJECT, "fail reject p" },
	{ "SPF of the HELO name does not count (4.4.2, 3.2.4)", "example.com",
	    "helo=pass:example.com", "example.com " REJECT, "fail reject p" },
	{ "an identifier without a domain does not count (5.3.3)", "example.com",
	    "spf=pass: dkim=pass:", "example.com " REJECT, "fail reject p" },
	{ "a name that merely ends alike is not below (4.4)", "example.com",
	    "dkim=pass:badexample.com", "example.com " REJECT, "fail reject p" },
	{ "a longer name that begins alike is not aligned (4.4)", "example.com",
	    "dkim=pass:example.com.evil.net", "example.com " REJECT, "fail reject p" },
	{ "the top-level domain is not the organization (4.10.2)", "example.com",
	    "dkim=pass:com", "example.com " REJECT, "fail reject p" },
	{ "other domains below the same top do not align (4.10.2)", "example.com",
	    "spf=pass:example2.com", "example.com " REJECT, "fail reject p" },
	{ "two names below a public suffix do not align (4.10.2 rule 2)", "a.bank.example",
	    "dkim=pass:b.bank.example", "bank.example v=DMARC1; p=reject; psd=y\n",
	    "fail reject p" },
	{ "the public suffix does not align with a name below it (4.10.2 rule 2)",
	    "a.bank.example", "dkim=pass:bank.example",
	    "bank.example v=DMARC1; p=reject; psd=y\n", "fail reject p" },
	{ "a name below does not align with the public suffix (4.10.2 rule 2)", "bank.example",
	    "dkim=pass:a.bank.example", "bank.example v=DMARC1; p=reject; psd=y\n",
	    "fail reject p" },
	{ "a public suffix can pass for itself (4.10.2)", "bank.example",
	    "dkim=pass:bank.example", "bank.example v=DMARC1; p=reject; psd=y\n", "pass dkim" },

	/* Organizational domains in alignment, 4.10.2 and 11.8 */
	{ "psd=n below keeps the parent out (11.8)", "mail.example.com",
	    "dkim=pass:example.com",
	    "mail.example.com v=DMARC1; p=reject; psd=n\nexample.com " NONE, "fail reject p" },
	{ "psd=n at the identifier cuts it off from the parent (4.10.2 rule 1)", "example.com",
	    "dkim=pass:a.mail.example.com",
	    "mail.example.com v=DMARC1; p=none; psd=n\nexample.com " REJECT, "fail reject p" },
	{ "psd=n for the organization aligns what is below it (4.10.2 rule 1)",
	    "a.mail.example.com", "dkim=pass:b.mail.example.com",
	    "mail.example.com v=DMARC1; p=reject; psd=n\nexample.com " NONE, "pass dkim" },
	{ "a record at the top level without psd aligns all below it (11.8)", "a.com",
	    "dkim=pass:b.com", "a.com " REJECT "com " NONE, "pass dkim" },
	{ "psd=n guards against such a top level (11.8)", "a.com", "dkim=pass:b.com",
	    "a.com v=DMARC1; p=reject; psd=n\ncom " NONE, "fail reject p" },
	{ "a record of its own below the organization changes nothing (4.10.2 rule 3)",
	    "news.example.com", "dkim=pass:foo.example.com",
	    "news.example.com " REJECT "foo.example.com " NONE "example.com " NONE,
	    "pass dkim" },
	{ "without a record at the organization, siblings do not align (4.10.2)",
	    "news.example.com", "dkim=pass:foo.example.com", "news.example.com " REJECT,
	    "fail reject p" },
	{ "without a record at the organization, what is below the author aligns (4.10.2)",
	    "news.example.com", "dkim=pass:x.news.example.com", "news.example.com " REJECT,
	    "pass dkim" },
	{ "identical names align though the organization is elsewhere (4.10.2)",
	    "mail.example.com", "spf=pass:mail.example.com",
	    "mail.example.com " REJECT "example.com " NONE, "pass spf" },

	/* Strict, 3.2.10.2 */
	{ "strict DKIM: identical names align (3.2.10.2)", "example.com",
	    "dkim=pass:example.com", "example.com v=DMARC1; p=reject; adkim=s\n", "pass dkim" },
	{ "strict DKIM: a child does not align (3.2.10.2)", "example.com",
	    "dkim=pass:mail.example.com", "example.com v=DMARC1; p=reject; adkim=s\n",
	    "fail reject p" },
	{ "strict SPF: a child does not align (3.2.10.2)", "example.com",
	    "spf=pass:mail.example.com", "example.com v=DMARC1; p=reject; aspf=s\n",
	    "fail reject p" },
	{ "strict DKIM leaves SPF relaxed (4.7)", "example.com",
	    "spf=pass:mail.example.com dkim=pass:mail.example.com",
	    "example.com v=DMARC1; p=reject; adkim=s\n", "pass spf" },
	{ "strict SPF leaves DKIM relaxed (4.7)", "example.com",
	    "spf=pass:mail.example.com dkim=pass:mail.example.com",
	    "example.com v=DMARC1; p=reject; aspf=s\n", "pass dkim" },
	{ "strict is taken from the record that applies (4.7)", "a.example.com",
	    "dkim=pass:b.example.com", "example.com v=DMARC1; p=reject; adkim=s\n",
	    "fail reject p" },
	{ "strict at the organization does not bind a record of one's own (4.7)",
	    "a.example.com", "dkim=pass:b.example.com",
	    "example.com v=DMARC1; p=reject; adkim=s\na.example.com " REJECT, "pass dkim" },

	/* Which policy, 4.7 and 4.10.1 */
	{ "p=quarantine (4.7)", "example.com", "", "example.com " QUARANTINE,
	    "fail quarantine p" },
	{ "p=none (4.7)", "example.com", "", "example.com " NONE, "fail none p" },
	{ "p goes for sub-domains where nothing else is said (4.7, p)", "a.example.com", "",
	    "example.com " REJECT, "fail reject p" },
	{ "sp goes for an existing sub-domain (4.7, sp)", "a.example.com", "",
	    "example.com v=DMARC1; p=reject; sp=none\n= a.example.com\n", "fail none sp" },
	{ "sp does not go for the domain itself (4.7, sp)", "example.com", "",
	    "example.com v=DMARC1; p=reject; sp=none\n", "fail reject p" },
	{ "sp goes for a sub-domain that does not exist, without np (4.7, np)", "a.example.com",
	    "", "example.com v=DMARC1; p=none; sp=quarantine\n", "fail quarantine sp" },
	{ "sp at a sub-domain's own record does not go for itself (4.7, sp)", "a.example.com",
	    "", "a.example.com v=DMARC1; p=none; sp=reject\n", "fail none p" },
	{ "sp of a record between the two never counts (4.7, sp)", "b.a.example.com", "",
	    "a.example.com v=DMARC1; p=none; sp=reject\nexample.com " QUARANTINE,
	    "fail quarantine p" },
	{ "np goes for a sub-domain that does not exist (4.7, np)", "a.example.com", "",
	    "example.com v=DMARC1; p=none; np=reject\n", "fail reject np" },
	{ "np does not go for one that exists (4.7, np)", "a.example.com", "",
	    "example.com v=DMARC1; p=none; np=reject\n= a.example.com\n", "fail none p" },
	{ "np goes before sp where it does not exist (4.7, np)", "a.example.com", "",
	    "example.com v=DMARC1; p=none; sp=quarantine; np=reject\n", "fail reject np" },
	{ "sp goes before np where it exists (4.7, np)", "a.example.com", "",
	    "example.com v=DMARC1; p=none; sp=quarantine; np=reject\n= a.example.com\n",
	    "fail quarantine sp" },
	{ "np may be milder than p (4.7, np)", "a.example.com", "",
	    "example.com v=DMARC1; p=reject; np=none\n", "fail none np" },
	{ "np does not go for the domain itself (4.7, np)", "example.com", "",
	    "example.com v=DMARC1; p=none; np=reject\n", "fail none p" },
	{ "a name with others below it exists (3.2.13, A.4)", "a.example.com", "",
	    "example.com v=DMARC1; p=none; np=reject\n= b.a.example.com\n", "fail none p" },
	{ "a name with a TXT record at _dmarc exists (A.4)", "a.example.com", "",
	    "example.com v=DMARC1; p=none; np=reject\na.example.com hello\n", "fail none p" },
	{ "a public suffix's sp goes for what exists below it (4.10.1)", "a.bank.example", "",
	    "bank.example v=DMARC1; p=none; sp=reject; psd=y\n= a.bank.example\n",
	    "fail reject sp" },
	{ "a public suffix's np goes for what does not (4.10.1)", "a.bank.example", "",
	    "bank.example v=DMARC1; p=none; np=reject; psd=y\n", "fail reject np" },
	{ "a public suffix's record does not go for organizations with their own (4.10.1)",
	    "giant.bank.example", "",
	    "giant.bank.example " NONE "bank.example v=DMARC1; p=reject; psd=y\n",
	    "fail none p" },
	{ "nor for their sub-domains (4.10.1)", "mail.giant.bank.example", "",
	    "giant.bank.example v=DMARC1; p=quarantine\n"
	    "bank.example v=DMARC1; p=reject; psd=y\n",
	    "fail quarantine p" },

	/* Testing, 4.7 t */
	{ "t=y makes reject quarantine (4.7, t)", "example.com", "",
	    "example.com v=DMARC1; p=reject; t=y\n", "fail quarantine p by t=y" },
	{ "t=y makes quarantine none (4.7, t)", "example.com", "",
	    "example.com v=DMARC1; p=quarantine; t=y\n", "fail none p by t=y" },
	{ "t=y leaves none as it is (4.7, t)", "example.com", "",
	    "example.com v=DMARC1; p=none; t=y\n", "fail none p" },
	{ "t=y goes for sp too (4.7, t)", "a.example.com", "",
	    "example.com v=DMARC1; p=none; sp=reject; t=y\n= a.example.com\n",
	    "fail quarantine sp by t=y" },
	{ "t=y goes for np too (4.7, t)", "a.example.com", "",
	    "example.com v=DMARC1; p=none; np=quarantine; t=y\n", "fail none np by t=y" },
	{ "t=n changes nothing (4.7, t)", "example.com", "",
	    "example.com v=DMARC1; p=reject; t=n\n", "fail reject p" },
	{ "pct changes nothing any more (A.6)", "example.com", "",
	    "example.com v=DMARC1; p=reject; pct=0\n", "fail reject p" },
	{ "t=y does not touch a pass (4.7, t)", "example.com", "dkim=pass:example.com",
	    "example.com v=DMARC1; p=reject; t=y\n", "pass dkim" },

	/* Where DMARC does not apply, 5.3.2 and 4.10.1 */
	{ "no record: none, whatever passed (5.3.2)", "example.com",
	    "spf=pass:example.com dkim=pass:example.com", "", "none" },
	{ "several records: none (4.10 step 2)", "example.com", "",
	    "example.com " REJECT "example.com " REJECT, "none" },
	{ "another version: none (4.7)", "example.com", "", "example.com v=DMARC2; p=reject\n",
	    "none" },
	{ "no policy and no rua: an error for good (4.10.1, 9.2)", "example.com",
	    "dkim=pass:example.com", "example.com v=DMARC1; p=deny\n", "permerror" },
	{ "a malformed sp without rua: an error even for the domain itself (4.10.1)",
	    "example.com", "dkim=pass:example.com", "example.com v=DMARC1; p=reject; sp=x\n",
	    "permerror" },
	{ "a malformed p with rua: as p=none (4.10.1)", "example.com", "",
	    "example.com v=DMARC1; p=deny; rua=mailto:a@example.com\n", "fail none p" },
	{ "a malformed p with rua: passes are passes (4.10.1)", "example.com",
	    "spf=pass:example.com", "example.com v=DMARC1; p=deny; rua=mailto:a@example.com\n",
	    "pass spf" },
	{ "a record without p but with rua: sub-domains have their sp (4.7, p)",
	    "a.example.com", "",
	    "example.com v=DMARC1; sp=reject; rua=mailto:a@example.com\n= a.example.com\n",
	    "fail reject sp" },
	{ "no author domain: no evaluation (5.3.1)", "", "dkim=pass:example.com",
	    "example.com " REJECT, "permerror" },
	{ "a name of one label without a record: none (4.10)", "localdomain", "", "", "none" },

	/* DNS gives no answer, 5.3.6 and 4.10.1 */
	{ "no answer for the author domain's record (5.3.6)", "example.com",
	    "dkim=pass:example.com", "example.com ?\n", "temperror" },
	{ "no answer for the organization's record (5.3.6)", "a.example.com",
	    "dkim=pass:a.example.com", "example.com ?\n", "temperror" },
	{ "no answer further up does not matter to identical names (5.3.6)", "example.com",
	    "dkim=pass:example.com", "example.com " REJECT "com ?\n", "pass dkim" },
	{ "nor to names without a label in common (5.3.6)", "example.com",
	    "dkim=pass:example.net", "example.com " REJECT "com ?\n", "fail reject p" },
	{ "nor in strict mode (5.3.6)", "example.com", "dkim=pass:mail.example.com",
	    "example.com v=DMARC1; p=reject; adkim=s\ncom ?\n", "fail reject p" },
	{ "nor when nothing passed (5.3.6)", "example.com", "dkim=fail:mail.example.com",
	    "example.com " REJECT "com ?\n", "fail reject p" },
	{ "it matters to a relaxed child (5.3.6)", "example.com", "dkim=pass:mail.example.com",
	    "example.com " REJECT "com ?\n", "temperror reject p" },
	{ "but not beside another pass (5.3.6)", "example.com",
	    "dkim=pass:mail.example.com spf=pass:example.com", "example.com " REJECT "com ?\n",
	    "pass spf" },
	{ "no answer on the identifier's way up (5.3.6)", "example.com",
	    "dkim=pass:a.example.com", "example.com " REJECT "a.example.com ?\n",
	    "temperror reject p" },
	{ "SPF's temperror for an aligned name could have been a pass (5.3.6)", "example.com",
	    "spf=temperror:example.com", "example.com " REJECT, "temperror reject p" },
	{ "SPF's temperror for a relaxed child could, too (5.3.6)", "example.com",
	    "spf=temperror:mail.example.com", "example.com " REJECT, "temperror reject p" },
	{ "SPF's temperror for another domain could not (5.3.6)", "example.com",
	    "spf=temperror:example.net", "example.com " REJECT, "fail reject p" },
	{ "SPF's temperror for a child under strict alignment could not (5.3.6)", "example.com",
	    "spf=temperror:mail.example.com", "example.com v=DMARC1; p=reject; aspf=s\n",
	    "fail reject p" },
	{ "SPF's temperror of the HELO name could not (5.3.6)", "example.com",
	    "helo=temperror:example.com", "example.com " REJECT, "fail reject p" },
	{ "DKIM's temperror beside an aligned SPF pass does not matter (5.3.6)", "example.com",
	    "spf=pass:example.com dkim=temperror:example.com", "example.com " REJECT,
	    "pass spf" },
	{ "DKIM's temperror beside an unaligned pass does (5.3.6)", "example.com",
	    "spf=pass:example.net dkim=temperror:example.com", "example.com " REJECT,
	    "temperror reject p" },
	{ "DKIM's temperror under p=none is still one (5.3.6)", "example.com",
	    "dkim=temperror:example.com", "example.com " NONE, "temperror none p" },
	{ "whether a sub-domain exists stays unknown (5.3.6): the stricter policy is named",
	    "a.example.com", "", "example.com v=DMARC1; p=none; np=reject\n? a.example.com\n",
	    "temperror reject np" },
	{ "the same, where sp is the stricter one (5.3.6)", "a.example.com", "",
	    "example.com v=DMARC1; p=none; sp=reject; np=none\n? a.example.com\n",
	    "temperror reject sp" },
	{ "whether it exists does not matter when np is like sp (5.3.6)", "a.example.com", "",
	    "example.com v=DMARC1; p=none; sp=reject; np=reject\n? a.example.com\n",
	    "fail reject sp" },
	{ "nor when the message passes (5.3.6)", "a.example.com", "dkim=pass:a.example.com",
	    "example.com v=DMARC1; p=none; np=reject\n? a.example.com\n", "pass dkim" },

	/* Several author domains, 11.5 */
	{ "the strictest policy of those that fail (11.5)", "a.example b.example", "",
	    "a.example " QUARANTINE "b.example " REJECT, "fail reject p of b.example" },
	{ "one that fails beats one that passes (11.5)", "a.example b.example",
	    "dkim=pass:a.example", "a.example " REJECT "b.example " QUARANTINE,
	    "fail quarantine p of b.example" },
	{ "all pass: pass (11.5)", "a.example b.example",
	    "dkim=pass:a.example spf=pass:b.example", "a.example " REJECT "b.example " REJECT,
	    "pass dkim of a.example" },
	{ "a failed p=none beats a pass (11.5)", "a.example b.example", "spf=pass:a.example",
	    "a.example " REJECT "b.example " NONE, "fail none p of b.example" },
	{ "one without a record beats a pass: not every author is known (11.5)",
	    "a.example b.example", "spf=pass:a.example", "a.example " REJECT,
	    "none of b.example" },
	{ "a failed reject beats a missing answer (11.5)", "a.example b.example", "",
	    "a.example ?\nb.example " REJECT, "fail reject p of b.example" },
	{ "a missing answer beats a failed none (11.5)", "a.example b.example", "",
	    "a.example " NONE "b.example ?\n", "temperror of b.example" },
	{ "a missing answer beats a record without a policy (11.5)", "a.example b.example", "",
	    "a.example v=DMARC1; p=x\nb.example ?\n", "temperror of b.example" },
	{ "t=y counts before the strictest is chosen (11.5, 4.7)", "a.example b.example", "",
	    "a.example v=DMARC1; p=quarantine; t=y\nb.example v=DMARC1; p=reject; t=y\n",
	    "fail quarantine p by t=y of b.example" },
	{ "four are judged (11.5)", "a.example b.example c.example d.example", "",
	    "d.example " REJECT, "fail reject p of d.example" },
	{ "five are too many: no evaluation (11.5)",
	    "a.example b.example c.example d.example e.example", "", "a.example " REJECT,
	    "permerror" },
};

static size_t
domains_read(const char *text, struct arena *arena, const char **out)
{
	struct view rest = view_of(text), word;
	size_t count = 0;

	while (text[0] != '\0' && view_split(&rest, ' ', &word)) {
		assert_true(count < DMARC_RESULTS_MAX);
		out[count++] = arena_strdup(arena, word);
	}
	return count;
}

static void
describe(const struct dmarc_outcome *out, bool several, char *text, size_t room)
{
	const bool has_policy = out->policy_tag[0] != '\0' && out->result != AUTHRES_PASS;

	snprintf(text, room, "%s%s%s%s%s%s%s%s%s%s", authres_result_name(out->result),
	    out->spf_aligned ? " spf" : "", out->dkim_aligned ? " dkim" : "",
	    has_policy ? " " : "", has_policy ? dmarc_policy_name(out->policy) : "",
	    has_policy ? " " : "", has_policy ? out->policy_tag : "",
	    has_policy && out->policy != out->requested_policy ? " by t=y" : "",
	    several && out->from_domain[0] != '\0' ? " of " : "",
	    several ? out->from_domain : "");
}

static bool
case_holds(const struct outcome_case *c)
{
	struct dns_table *dns = dmarc_zone(c->zone);
	const char *from[DMARC_RESULTS_MAX];
	struct authres results[DMARC_RESULTS_MAX];
	struct dmarc_outcome out;
	struct arena arena;
	char got[300];
	bool holds;

	arena_init(&arena);
	const struct dmarc_request request = {
		.dns = dns_table_source(dns),
		.deadline_ms = 1000,
		.from_domains = from,
		.from_count = domains_read(c->from, &arena, from),
		.results = results,
		.result_count = dmarc_results_read(c->results, &arena, results),
	};
	dmarc_evaluate(&request, &arena, &out);
	describe(&out, request.from_count > 1, got, sizeof(got));
	holds = strcmp(got, c->expected) == 0;
	if (!holds)
		print_error("%s: %s, not %s (%s)\n", c->name, got, c->expected, out.reason);
	assert_int_equal(out.found.queries, dns->query_count);
	for (size_t i = 0; i < dns->query_count; i++)
		assert_int_equal(dns_table_asked(dns, dns->log[i].name, dns->log[i].type), 1);
	arena_finish(&arena);
	dns_table_destroy(&dns);
	return holds;
}

static void
test_outcomes(void **state)
{
	size_t failures = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		failures += !case_holds(&cases[i]);
	assert_int_equal(failures, 0);
}

static void
test_names_are_sentences_with_sections(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (strchr(cases[i].name, '.') == NULL)
			fail_msg("no section in \"%s\"", cases[i].name);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(cases[i].name, cases[j].name);
	}
}

/* evaluate - for the tests of what a table does not show. */
static void
evaluate(struct dns_table *dns, const char *from, const char *results, struct arena *arena,
    struct dmarc_outcome *out)
{
	struct authres list[DMARC_RESULTS_MAX];
	const struct dmarc_request request = {
		.dns = dns_table_source(dns),
		.deadline_ms = 1000,
		.from_domains = &from,
		.from_count = 1,
		.results = list,
		.result_count = dmarc_results_read(results, arena, list),
	};

	dns_table_forget_asked(dns);
	dmarc_evaluate(&request, arena, out);
}

static void
test_dns_is_asked_as_little_as_possible(void **state)
{
	struct dns_table *dns = dmarc_zone("example.com " REJECT);
	struct dmarc_outcome out;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	evaluate(
	    dns, "example.com", "spf=pass:example.com dkim=pass:example.com", &arena, &out);
	assert_int_equal(dns->query_count, 1);
	assert_string_equal(out.found.organizational_domain, "");

	evaluate(
	    dns, "example.com", "spf=pass:example.net dkim=pass:a.b.example.org", &arena, &out);
	assert_int_equal(dns->query_count, 1);

	evaluate(dns, "example.com", "spf=pass:evil.com", &arena, &out);
	assert_int_equal(dns->query_count, 2); /* _dmarc.com: could it be the organization? */

	evaluate(
	    dns, "example.com", "spf=pass:a.example.com dkim=pass:b.example.com", &arena, &out);
	assert_int_equal(dns->query_count, 4);
	assert_string_equal(out.found.organizational_domain, "example.com");

	evaluate(dns, "x.example.com", "spf=fail:x.example.com", &arena, &out);
	assert_int_equal(dns->query_count, 3); /* no np: whether x exists does not matter */
	arena_finish(&arena);
	dns_table_destroy(&dns);
}

static void
test_reasons_are_for_people(void **state)
{
	struct dns_table *dns = dmarc_zone("example.com " REJECT "down.example ?\n");
	struct dmarc_outcome out;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	evaluate(dns, "example.com", "spf=pass:example.net", &arena, &out);
	assert_string_equal(out.reason, "SPF: pass for example.net; DKIM: none");
	evaluate(dns, "example.com",
	    "spf=softfail:example.com dkim=fail:example.com dkim=pass:a.net", &arena, &out);
	assert_string_equal(
	    out.reason, "SPF: softfail for example.com; DKIM: pass for a.net and others");
	evaluate(dns, "example.com", "dkim=pass:example.com", &arena, &out);
	assert_string_equal(out.reason, "aligned: DKIM");
	assert_string_equal(out.dkim_domain, "example.com");
	evaluate(dns, "down.example", "", &arena, &out);
	assert_string_equal(out.reason, "_dmarc.down.example: DNS gives no answer (SERVFAIL)");
	evaluate(dns, "example.org", "", &arena, &out);
	assert_string_equal(out.reason, "no DMARC record");
	arena_finish(&arena);
	dns_table_destroy(&dns);
}

static void
test_an_alias_that_leads_nowhere_exists(void **state)
{
	struct dns_table *dns = dmarc_zone("example.com v=DMARC1; p=none; np=reject\n");
	struct dmarc_outcome out;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	dns_table_add(dns, "a.example.com", DNS_CNAME, "gone.example.net");
	evaluate(dns, "a.example.com", "", &arena, &out);
	assert_int_equal(out.policy, DMARC_P_NONE);
	arena_finish(&arena);
	dns_table_destroy(&dns);
}

/* 4.10.2: one passing signature, and whether its domain is aligned with the author's. */
static void
test_alignment_alone(void **state)
{
	static const struct {
		const char *from, *authenticated;
		bool strict;
		enum authres_result expected;
	} pairs[] = {
		{ "a.example.com", "b.example.com", false, AUTHRES_PASS },
		{ "a.example.com", "b.example.com", true, AUTHRES_FAIL },
		{ "a.example.com", "a.example.com", true, AUTHRES_PASS },
		{ "a.example.com", "n.example.com", false, AUTHRES_FAIL },
		{ "a.example.com", "example.net", false, AUTHRES_FAIL },
		{ "a.example.com", "", false, AUTHRES_FAIL },
		{ "a.example.com", "x.down.example.com", false, AUTHRES_TEMPERROR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct dns_table *dns =
		    dmarc_zone(pairs[i].strict ? "example.com v=DMARC1; p=reject; adkim=s\n"
					       : "example.com " REJECT
						 "n.example.com v=DMARC1; p=none; psd=n\n"
						 "down.example.com ?\n");
		const struct authres signature = { .method = AUTHRES_DKIM,
			.result = AUTHRES_PASS,
			.domain = pairs[i].authenticated,
			.is_for_dmarc = true };
		const struct dmarc_request request = { .dns = dns_table_source(dns),
			.deadline_ms = 1000,
			.from_domains = &pairs[i].from,
			.from_count = 1,
			.results = &signature,
			.result_count = 1 };
		struct dmarc_outcome out;
		struct arena arena;

		arena_init(&arena);
		dmarc_evaluate(&request, &arena, &out);
		assert_int_equal(out.result, pairs[i].expected);
		arena_finish(&arena);
		dns_table_destroy(&dns);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_names_are_sentences_with_sections),
		cmocka_unit_test(test_dns_is_asked_as_little_as_possible),
		cmocka_unit_test(test_reasons_are_for_people),
		cmocka_unit_test(test_an_alias_that_leads_nowhere_exists),
		cmocka_unit_test(test_alignment_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
