/* SPDX-License-Identifier: MPL-2.0 */
/* The command line of gatepost dmarc-report. */
#ifndef GATEPOST_PROXY_COMMANDS_DMARC_REPORT_OPTIONS_H
#define GATEPOST_PROXY_COMMANDS_DMARC_REPORT_OPTIONS_H

#include "lib/mail/domain_name.h"

enum dmarc_report_mode { REPORT_SEND, REPORT_DRY_RUN, REPORT_PRINT };

struct dmarc_report_options {
	const char *config;
	char domain[DOMAIN_NAME_MAX]; /* "": all */
	int64_t day; /* since 1970; -1: those of the last days that are not done */
	enum dmarc_report_mode mode;
	bool resend;
};

/* dmarc_report_options_read - the exit status, or -1 to go on; has printed what is to say. */
MUST_CHECK int dmarc_report_options_read(struct dmarc_report_options *o, int argc, char **argv);

#endif
