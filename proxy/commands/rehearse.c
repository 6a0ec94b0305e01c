/* SPDX-License-Identifier: MPL-2.0 */
/* Getting ready for rehearsals; see rehearse.h. */
#include "proxy/commands/rehearse.h"

#include "lib/base/log.h"
#include "lib/domain/dkim_sign.h"
#include "lib/domain/dkim_verify.h"
#include "proxy/watch.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

bool
rehearse_start(const char *command)
{
	static const struct log_config log = {
		.level = LEVEL_ERROR, .format = LOG_FORMAT_TEXT, .target = LOG_TARGET_STDERR
	};
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct err err = { 0 };

	(void)sigaction(SIGPIPE, &ignore, NULL); /* links may talk to sockets */
	log_configure(&log);
	if (dkim_sign_init(&err) && dkim_verify_init(&err))
		return true;
	(void)fprintf(stderr, "gatepost %s: %s\n", command, err.text);
	return false;
}

void
rehearse_stop(void)
{
	dkim_verify_finish();
	dkim_sign_finish();
}

/* open_dns - the source that the recorder asks; NULL: an error was added. */
static const struct dns_source *
open_dns(struct rehearse *r, const struct loaded_config *loaded, enum rehearse_dns dns,
    const char *dns_file, struct conf_errors *errors)
{
	struct err err = { 0 };

	switch (dns) {
	case REHEARSE_DNS_LIVE:
		r->resolver = watch_resolver(&loaded->config, &err);
		if (r->resolver != NULL)
			return resolver_source(r->resolver);
		conf_error(errors, loaded->config.dns.where, "dns", "%s", err.text);
		return NULL;
	case REHEARSE_DNS_FILE:
	case REHEARSE_DNS_STRICT:
		r->file = dns_file_read(dns_file, errors);
		break;
	case REHEARSE_DNS_EMPTY:
		r->file = dns_file_parse("no file", VIEW(""), errors);
		break;
	}
	if (r->file == NULL)
		return NULL;
	if (dns == REHEARSE_DNS_STRICT)
		dns_file_set_strict(r->file);
	return dns_file_source(r->file);
}

bool
rehearse_open(struct rehearse *r, const char *config, enum rehearse_dns dns,
    const char *dns_file, struct conf_errors *errors)
{
	struct loaded_config *loaded = config_load(config, errors);
	const struct dns_source *source = NULL;

	*r = (struct rehearse){ .snapshot = NULL };
	if (loaded != NULL)
		source = open_dns(r, loaded, dns, dns_file, errors);
	if (source != NULL) {
		r->recorder = dns_recorder_create(source);
		r->snapshot =
		    snapshot_rehearse(&loaded, dns_recorder_source(r->recorder), errors);
	}
	config_unload(&loaded);
	return r->snapshot != NULL;
}

void
rehearse_close(struct rehearse *r)
{
	snapshot_release(&r->snapshot);
	dns_recorder_destroy(&r->recorder);
	dns_file_destroy(&r->file);
	resolver_close(&r->resolver);
}

static bool
is_unlisted(const struct dns_answer *answer)
{
	return answer->status == DNS_TEMPFAIL && strcmp(answer->why, DNS_FILE_UNLISTED) == 0;
}

size_t
rehearse_unlisted(struct rehearse *r)
{
	size_t unlisted = 0;

	for (size_t i = 0; i < dns_recorder_count(r->recorder); i++) {
		const struct dns_question *q = dns_recorder_get(r->recorder, i);

		unlisted += q->is_each
				? q->server_count == 1 && is_unlisted(&q->servers[0].answer)
				: is_unlisted(&q->answer);
	}
	return unlisted;
}

bool
rehearse_time(const char *text, int64_t *out)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	if (end == NULL || *end != '\0')
		return false;
	*out = (int64_t)timegm(&tm);
	return *out >= 0;
}
