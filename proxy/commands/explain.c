/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gatepost explain: what would become of this message, and why? Runs the real chain of the
 * configuration over it, without a server or an upstream, and tells link by link what each
 * did. Changes nothing.
 */
#include "proxy/commands/commands.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/mem.h"
#include "proxy/commands/rehearse.h"
#include "proxy/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_REFUSED = 3, EXIT_DEFERRED = 4 };

#define RECIPIENTS_MAX 10000

static const char usage[] =
    "usage: gatepost explain [OPTION]... --ip ADDRESS --helo NAME --from ADDRESS --to ADDRESS\n"
    "                        MESSAGE\n"
    "\n"
    "Runs the chain of the configuration over a message (a file, or \"-\" for standard "
    "input),\n"
    "without a server or an upstream, and tells what each link did. Nothing is sent, and\n"
    "nothing written.\n"
    "\n"
    "  -c, --config FILE      configuration (default " CONFIG_FILE_DEFAULT ")\n"
    "      --as LOGIN         this login has authenticated (role submission, with TLS)\n"
    "      --role ROLE        inbound or submission (default: submission with --as, else\n"
    "                         inbound)\n"
    "      --listener ADDRESS the listener, as it is configured (default: the role's first)\n"
    "      --tls              the client uses TLS\n"
    "      --ip ADDRESS       the client's address\n"
    "      --helo NAME        what it says at EHLO\n"
    "      --from ADDRESS     of MAIL; \"<>\" is the null reverse-path\n"
    "      --to ADDRESS       of RCPT; may be given several times\n"
    "      --dns FILE         answers of the DNS; a name that is not in it does not exist\n"
    "      --strict-dns       a name that is not in it is an error\n"
    "      --record-dns FILE  write all answers to such a file\n"
    "      --time TIME        as if it were TIME (2026-11-24T12:00:00Z)\n"
    "      --output FILE      write the message as it would be forwarded\n"
    "      --json             print one JSON object instead\n"
    "  -h, --help             print this\n"
    "\n"
    "Exit status: 0 it would be accepted, 1 an error, 2 wrong usage, 3 it would be refused,\n"
    "4 it would be deferred.\n";

struct options {
	const char *config, *role, *dns, *record_dns, *output, *message, *time;
	bool is_strict, is_json;
	int output_fd, record_fd; /* -1: none */
	struct rehearsal_request request;
	const char *recipients[RECIPIENTS_MAX];
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "as", required_argument, NULL, 'a' },
	{ "role", required_argument, NULL, 'r' },
	{ "listener", required_argument, NULL, 'l' },
	{ "tls", no_argument, NULL, 's' },
	{ "ip", required_argument, NULL, 'i' },
	{ "helo", required_argument, NULL, 'e' },
	{ "from", required_argument, NULL, 'f' },
	{ "to", required_argument, NULL, 't' },
	{ "dns", required_argument, NULL, 'd' },
	{ "strict-dns", no_argument, NULL, 'S' },
	{ "record-dns", required_argument, NULL, 'R' },
	{ "time", required_argument, NULL, 'T' },
	{ "output", required_argument, NULL, 'o' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* ---- the command line ---- */

static bool
complain(const char *what, const char *text)
{
	(void)fprintf(stderr, "gatepost explain: %s%s\n", what, text);
	return false;
}

static bool
take_recipient(struct options *o, const char *address)
{
	if (o->request.recipient_count == RECIPIENTS_MAX)
		return complain("--to: ", "too many recipients");
	o->recipients[o->request.recipient_count++] = address;
	return true;
}

static bool
take_option(struct options *o, int option, const char *value)
{
	struct rehearsal_request *request = &o->request;

	switch (option) {
	case 'c':
		o->config = value;
		return true;
	case 'a':
		request->login = value;
		return true;
	case 'r':
		o->role = value;
		return true;
	case 'l':
		request->listener = value;
		return true;
	case 's':
		request->tls = true;
		return true;
	case 'i':
		return address_from_host(value, 0, &request->client) ||
		       complain("--ip: this is no address: ", value);
	case 'e':
		request->helo = value;
		return true;
	case 'f':
		request->from = value;
		return true;
	case 't':
		return take_recipient(o, value);
	case 'd':
		o->dns = value;
		return true;
	case 'S':
		o->is_strict = true;
		return true;
	case 'R':
		o->record_dns = value;
		return true;
	case 'T':
		o->time = value;
		return true;
	case 'o':
		o->output = value;
		return true;
	case 'j':
		o->is_json = true;
		return true;
	default:
		return false;
	}
}

static bool
choose_role(struct options *o)
{
	const bool has_login = o->request.login != NULL;

	o->request.role = has_login ? ROLE_SUBMISSION : ROLE_INBOUND;
	if (o->role == NULL)
		return true;
	if (strcmp(o->role, "submission") == 0)
		o->request.role = ROLE_SUBMISSION;
	else if (strcmp(o->role, "inbound") != 0)
		return complain("--role is inbound or submission, not ", o->role);
	else if (has_login)
		return complain("", "--as goes with the role submission: nobody logs in on an "
				    "inbound listener");
	return true;
}

static bool
check_options(struct options *o, int argc, char **argv)
{
	int64_t now;

	if (o->request.client.ss_family == 0 || o->request.helo == NULL ||
	    o->request.from == NULL || o->request.recipient_count == 0)
		return complain("", "--ip, --helo, --from and --to are needed");
	if (optind != argc - 1)
		return complain("", "one message is needed: a file, or \"-\"");
	o->message = argv[optind];
	o->request.recipients = o->recipients;
	if (o->is_strict && o->dns == NULL)
		return complain("", "--strict-dns goes with --dns");
	if (o->time != NULL && !rehearse_time(o->time, &now))
		return complain("--time is like 2026-11-24T12:00:00Z, not ", o->time);
	return choose_role(o);
}

/* ---- files ---- */

static bool
read_message(struct options *o, struct buf *content)
{
	struct err err = { 0 };
	const bool is_stdin = strcmp(o->message, "-") == 0;

	if (is_stdin ? file_read_fd(STDIN_FILENO, content, &err)
		     : file_read(o->message, content, &err)) {
		o->request.content = buf_view(content);
		return true;
	}
	(void)err_prefix(&err, "%s", is_stdin ? "standard input" : o->message);
	return complain("", err.text);
}

/* open_output - *fd_out is -1 without a path. */
static bool
open_output(const char *path, int *fd_out)
{
	*fd_out = -1;
	if (path == NULL)
		return true;
	*fd_out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644);
	if (*fd_out < 0)
		(void)fprintf(stderr, "gatepost explain: %s: %s\n", path, strerror(errno));
	return *fd_out >= 0;
}

static bool
close_output(int *fd, const char *path, bool is_written)
{
	if (*fd >= 0)
		is_written = close(*fd) == 0 && is_written;
	*fd = -1;
	if (!is_written)
		(void)fprintf(stderr, "gatepost explain: %s: %s\n", path, strerror(errno));
	return is_written;
}

static bool
write_piece(void *context, struct view piece)
{
	return file_write_all(*(const int *)context, piece);
}

static bool
write_dns(struct dns_recorder *dns, int fd)
{
	struct buf text;
	bool ok;

	buf_init(&text, DNS_FILE_MAX);
	errno = EFBIG;
	ok = dns_recorder_print(dns, &text) && file_write_all(fd, buf_view(&text));
	buf_finish(&text);
	return ok;
}

/* ---- the command ---- */

static int
exit_status(const struct rehearsal *r)
{
	switch (r->verdict) {
	case REHEARSAL_ACCEPTED:
	case REHEARSAL_DISCARDED:
		return EXIT_SUCCESS;
	case REHEARSAL_REFUSED:
		return EXIT_REFUSED;
	case REHEARSAL_DEFERRED:
		return EXIT_DEFERRED;
	}
	BUG("verdict %d", (int)r->verdict);
}

static bool
tell(const struct options *o, const struct rehearse_story *story)
{
	struct buf out;
	bool ok;

	buf_init(&out, REHEARSE_TEXT_MAX);
	ok = o->is_json ? rehearse_tell_json(story, &out) : rehearse_tell(story, "", &out);
	if (!ok)
		(void)complain("", "there is too much to tell");
	ok = ok && fwrite(out.p, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
	buf_finish(&out);
	return ok;
}

static bool
write_files(struct options *o, struct dns_recorder *dns, struct rehearsal *rehearsal)
{
	bool ok = true;

	if (o->record_fd >= 0)
		ok = close_output(&o->record_fd, o->record_dns, write_dns(dns, o->record_fd));
	if (o->output_fd >= 0)
		ok = close_output(&o->output_fd, o->output,
			 rehearsal->message == NULL ||
			     message_write(rehearsal->message, write_piece, &o->output_fd)) &&
		     ok;
	return ok;
}

static bool
is_all_listed(const struct options *o, struct rehearse *r)
{
	const size_t unlisted = o->is_strict ? rehearse_unlisted(r) : 0;

	if (unlisted > 0)
		(void)fprintf(stderr, "gatepost explain: %zu questions are not in %s\n",
		    unlisted, o->dns);
	return unlisted == 0;
}

static int
rehearse(struct options *o, struct rehearse *r)
{
	struct rehearsal rehearsal;
	struct err err = { 0 };
	int status = EXIT_FAILURE;

	if (!rehearsal_run(r->snapshot, &o->request, r->recorder, &rehearsal, &err)) {
		(void)complain("", err.text);
	} else {
		const struct rehearse_story story = { &o->request, &rehearsal, r->recorder };

		if (tell(o, &story) && write_files(o, r->recorder, &rehearsal) &&
		    is_all_listed(o, r))
			status = exit_status(&rehearsal);
	}
	rehearsal_finish(&rehearsal);
	return status;
}

/*
 * give_up_rights - messages are strangers' work, and root has no business reading them: as
 * root, be who serves from here on. Keys and whatever else only root reads have been read.
 */
static bool
give_up_rights(const struct config *config)
{
	struct err err = { 0 };
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0 || (privileges_find(config->user, config->group, &uid, &gid, &err) &&
				  privileges_drop(config->user, uid, gid, &err)))
		return true;
	return complain("", err.text);
}

static int
explain(struct options *o)
{
	const enum rehearse_dns dns = o->dns == NULL ? REHEARSE_DNS_LIVE
				      : o->is_strict ? REHEARSE_DNS_STRICT
						     : REHEARSE_DNS_FILE;
	struct conf_errors errors;
	struct rehearse r;
	int64_t now;
	int status = EXIT_FAILURE;

	if (!rehearse_start("explain"))
		return EXIT_FAILURE;
	if (o->time != NULL && rehearse_time(o->time, &now))
		clock_real_fix(now);
	conf_errors_init(&errors);
	if (rehearse_open(&r, o->config, dns, o->dns, &errors) &&
	    open_output(o->output, &o->output_fd) &&
	    open_output(o->record_dns, &o->record_fd) && give_up_rights(r.snapshot->config))
		status = rehearse(o, &r);
	if (o->output_fd >= 0)
		(void)close(o->output_fd);
	if (o->record_fd >= 0)
		(void)close(o->record_fd);
	for (size_t i = 0; i < errors.count; i++)
		(void)fprintf(stderr, "%s\n", errors.lines[i]);
	rehearse_close(&r);
	conf_errors_finish(&errors);
	rehearse_stop();
	return status;
}

int
command_explain(int argc, char **argv)
{
	struct options *o = mem_calloc(1, sizeof(*o));
	struct buf content;
	int option, status = EXIT_USAGE;
	bool ok = true;

	buf_init(&content, REHEARSE_MESSAGE_MAX);
	o->config = CONFIG_FILE_DEFAULT;
	o->output_fd = o->record_fd = -1;
	while (ok && (option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (option == 'h') {
			status = fputs(usage, stdout) < 0;
			goto out;
		}
		ok = take_option(o, option, optarg);
	}
	if (!ok || !check_options(o, argc, argv)) {
		(void)fputs(usage, stderr);
		goto out;
	}
	status = read_message(o, &content) ? explain(o) : EXIT_FAILURE;
out:
	buf_finish(&content);
	mem_free(o);
	return status;
}
