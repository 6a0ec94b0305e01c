/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A delivery into a Maildir: written and fsynced in tmp/, renamed into new/, which is fsynced
 * too, then 250. What fails on the way leaves nothing behind in tmp/. The content is kept octet
 * for octet, CRLF line ends included, below Return-Path and one Delivered-To a recipient.
 */
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/smtp/xtext.h"
#include "proxy/upstream/delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define WRITE	 65536	    /* octets gathered before a write */
#define HOST_MAX 24	    /* octets of our host name in a file's name */
#define HEAD_MAX (4U << 20) /* octets of the fields on top: thousands of recipients */

struct maildir_delivery {
	struct delivery base; /* first */
	struct buf head;      /* Return-Path, Delivered-To */
};

struct file {
	int fd;
	struct buf out; /* not yet written */
};

static bool
file_flush(struct file *f)
{
	bool ok = file_write_all(f->fd, buf_view(&f->out));

	buf_clear(&f->out);
	return ok;
}

static bool
file_add(void *context, struct view piece)
{
	struct file *f = context;

	if (f->out.len + piece.len > WRITE && !file_flush(f))
		return false;
	if (piece.len > WRITE)
		return file_write_all(f->fd, piece);
	return buf_add_view(&f->out, piece);
}

/* fill - all of it in the file and on the disk; errno otherwise. */
static bool
fill(int fd, const struct maildir_delivery *d, const struct message *message)
{
	struct file f = { .fd = fd };
	bool ok;

	buf_init(&f.out, WRITE);
	ok = file_add(&f, buf_view(&d->head)) && message_write(message, file_add, &f) &&
	     file_flush(&f) && fsync(fd) == 0;
	buf_finish(&f.out);
	if (ok && !message_is_intact(message)) {
		errno = EIO;
		ok = false;
	}
	return ok;
}

/*
 * make_name - unique as the Maildir specification has it: seconds, then microseconds, process
 * and a counter, then the host, in which '/' and ':' cannot stand.
 */
static void
make_name(const char *hostname, char *out, size_t room)
{
	static atomic_uint counter;
	struct timeval now;
	size_t from;

	gettimeofday(&now, NULL);
	snprintf(out, room, "%lld.M%06ldP%ldQ%u.", (long long)now.tv_sec, (long)now.tv_usec,
	    (long)getpid(), atomic_fetch_add(&counter, 1));
	from = strlen(out);
	snprintf(out + from, room - from, "%.*s", HOST_MAX, hostname);
	for (char *p = out + from; *p != '\0'; p++) {
		if (!ascii_is_alnum(*p) && *p != '-')
			*p = *p == '.' ? '.' : '_';
	}
}

/* publish - from tmp/ to new/; a doubt about the disk takes it back. */
static bool
publish(int folder, const char *tmp, const char *name)
{
	char target[80];
	int errnum;

	snprintf(target, sizeof(target), "new/%s", name);
	if (renameat(folder, tmp, folder, target) != 0)
		return false;
	if (file_sync_folder(folder, "new"))
		return true;
	errnum = errno;
	(void)unlinkat(folder, target, 0);
	errno = errnum;
	return false;
}

static bool
store(const struct maildir_delivery *d, int folder, const struct message *message,
    const char *name)
{
	char tmp[80];
	bool ok;
	int errnum, fd;

	snprintf(tmp, sizeof(tmp), "tmp/%s", name);
	fd = openat(folder, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	ok = fill(fd, d, message);
	errnum = errno;
	if (close(fd) != 0 && ok) {
		errnum = errno;
		ok = false;
	}
	if (ok && publish(folder, tmp, name))
		return true;
	if (ok)
		errnum = errno;
	(void)unlinkat(folder, tmp, 0);
	errno = errnum;
	return false;
}

/* open_folder - the Maildir, made with its three folders when they are not there yet; -1:
 * errno. */
static int
open_folder(const char *path)
{
	static const char *const parts[] = { "tmp", "new", "cur" };
	int fd;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; fd >= 0 && i < ARRAY_LEN(parts); i++) {
		if (mkdirat(fd, parts[i], 0700) != 0 && errno != EEXIST) {
			int errnum = errno;

			close(fd);
			errno = errnum;
			return -1;
		}
	}
	return fd;
}

static bool
deliver(struct maildir_delivery *d, const struct message *message)
{
	const struct upstream *u = d->base.upstream;
	char name[sizeof(d->base.facts.queue_id)];
	int folder = open_folder(u->config->maildir);
	bool ok;
	int errnum;

	if (folder < 0)
		return false;
	make_name(u->hostname, name, sizeof(name));
	ok = store(d, folder, message, name);
	errnum = errno;
	close(folder);
	errno = errnum;
	if (ok)
		snprintf(d->base.facts.queue_id, sizeof(name), "%s", name);
	return ok;
}

/* tell - who looks on, in the words that a server would have heard. */
static void
tell(const struct maildir_delivery *d, int64_t began_us, const char *verb, const char *path,
    const struct smtp_reply *reply)
{
	char command[SMTP_PATH_MAX + 16];

	(void)snprintf(command, sizeof(command), "%s:<%s>", verb, path);
	delivery_tell(
	    &d->base, began_us, &(struct delivery_event){ .command = command, .reply = reply });
}

static void
maildir_mail(struct delivery *base, const struct smtp_mail *mail, struct smtp_reply *reply_out)
{
	struct maildir_delivery *d = (struct maildir_delivery *)base;
	char path[SMTP_PATH_MAX];

	smtp_path_write(&mail->path, path);
	if (!buf_printf(&d->head, "Return-Path: <%s>\r\n", path))
		BUG("no room for Return-Path");
	smtp_reply_set(reply_out, 250, "2.1.0", "Sender ok");
	tell(d, delivery_began_us(base), "MAIL FROM", path, reply_out);
}

/* add_original - whom the sender has named (RFC 8098 2.3), when RCPT says so. */
static bool
add_original(struct maildir_delivery *d, const struct smtp_dsn *dsn)
{
	const size_t semicolon = dsn->orcpt.len > 0 ? view_find(dsn->orcpt, ';') : 0;
	char name[SMTP_PARAM_MAX];

	if (dsn->orcpt.len == 0)
		return true;
	const size_t len = xtext_decode(view_from(dsn->orcpt, semicolon + 1), name);
	return buf_printf(&d->head, "Original-Recipient: %.*s;%.*s\r\n", (int)semicolon,
	    dsn->orcpt.p, (int)len, name);
}

static void
maildir_rcpt(struct delivery *base, const struct smtp_path *path, const struct smtp_dsn *dsn,
    struct smtp_reply *reply_out)
{
	struct maildir_delivery *d = (struct maildir_delivery *)base;
	char text[SMTP_PATH_MAX];

	smtp_path_write(path, text);
	if (buf_printf(&d->head, "Delivered-To: %s\r\n", text) && add_original(d, dsn))
		smtp_reply_set(reply_out, 250, "2.1.5", "Recipient ok");
	else
		smtp_reply_set(reply_out, 452, "4.5.3", "Too many recipients");
	tell(d, delivery_began_us(base), "RCPT TO", text, reply_out);
}

static void
maildir_reset(struct delivery *base)
{
	struct maildir_delivery *d = (struct maildir_delivery *)base;

	d->head.len = 0;
}

/* log_unstored - and the reply to it; errno says why. */
static void
log_unstored(const struct delivery *base, struct smtp_reply *reply_out)
{
	const int errnum = errno;
	struct err err;

	if (errnum == ENOSPC || errnum == EDQUOT)
		smtp_reply_set(reply_out, 452, "4.3.1", "No space left, try again later");
	else
		smtp_reply_set(reply_out, 451, "4.3.0",
		    "The message could not be stored, try again later");
	err_set_errno(&err, errnum, "%s", base->upstream->config->maildir);
	log_event(LEVEL_ERROR, "upstream.fail", LOG_STR("id", base->id),
	    LOG_STR("upstream", base->facts.upstream),
	    LOG_STR("reason", err_kind_name(err.kind)), LOG_STR("error", err.text));
}

static void
maildir_send(struct delivery *base, const struct message *message, struct smtp_reply *reply_out)
{
	const int64_t began_us = delivery_began_us(base);

	if (deliver((struct maildir_delivery *)base, message))
		smtp_reply_set(
		    reply_out, 250, "2.0.0", "Ok: queued as %s", base->facts.queue_id);
	else
		log_unstored(base, reply_out);
	delivery_tell(
	    base, began_us, &(struct delivery_event){ .command = ".", .reply = reply_out });
}

static void
maildir_destroy(struct delivery *base)
{
	struct maildir_delivery *d = (struct maildir_delivery *)base;

	buf_finish(&d->head);
	mem_free(d);
}

struct delivery *
delivery_maildir_create(void)
{
	static const struct delivery_ops ops = { maildir_mail, maildir_rcpt, maildir_reset,
		maildir_send, maildir_destroy };
	struct maildir_delivery *d = mem_calloc(1, sizeof(*d));

	d->base.ops = &ops;
	buf_init(&d->head, HEAD_MAX);
	return &d->base;
}
