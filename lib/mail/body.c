/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The content store. Up to the threshold the content is one growing block of memory. Beyond it
 * the block becomes the write buffer of a temporary file without a name, so that a crash leaves
 * nothing behind and few system calls are made. After a failed write the store refuses
 * everything: the file is never tried again.
 */
#include "lib/mail/body.h"

#include "lib/base/mem.h"
#include "lib/mail/body_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_FIRST 4096 /* octets of the first block */

struct body_store {
	char *temp_dir; /* owned */
	size_t memory_octets;
	uint64_t max_octets;

	char *block; /* owned; room octets, of which len are in use, at most memory_octets */
	size_t room, len;
	uint64_t written;	 /* octets in the file */
	int fd;			 /* of the file; -1: none */
	void *map;		 /* of the sealed file, written octets; NULL: none */
	struct body_guard guard; /* of the map */
	bool is_in_file, is_sealed, has_failed;
};

struct body_store *
body_create(const struct body_limits *limits)
{
	struct body_store *b = mem_calloc(1, sizeof(*b));

	b->temp_dir = mem_strdup(limits->temp_dir);
	b->memory_octets = limits->memory_octets;
	b->max_octets = limits->max_octets;
	b->fd = -1;
	return b;
}

void
body_destroy(struct body_store **b)
{
	struct body_store *s = *b;

	if (s == NULL)
		return;
	if (s->map != NULL) {
		body_guard_remove(&s->guard);
		munmap(s->map, (size_t)s->written);
	}
	if (s->fd >= 0)
		close(s->fd);
	mem_free(s->block);
	mem_free(s->temp_dir);
	mem_free(s);
	*b = NULL;
}

uint64_t
body_size(const struct body_store *b)
{
	return b->written + b->len;
}

bool
body_is_in_file(const struct body_store *b)
{
	return b->is_in_file;
}

/* A file that has a name for a moment: for file systems without O_TMPFILE. */
static int
body_open_named(const char *dir)
{
	char path[4096];

	int n = snprintf(path, sizeof(path), "%s/gatepost-XXXXXX", dir);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0 && unlink(path) != 0) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static bool
body_open_file(struct body_store *b, struct err *err)
{
	b->fd = open(b->temp_dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	if (b->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		b->fd = body_open_named(b->temp_dir);
	if (b->fd < 0)
		return err_set_errno(
		    err, errno, "cannot make a temporary file in %s", b->temp_dir);
	b->is_in_file = true;
	return true;
}

static bool
body_write(struct body_store *b, const char *p, size_t len, struct err *err)
{
	while (len > 0) {
		ssize_t n = write(b->fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set_errno(err, n < 0 ? errno : ENOSPC,
			    "cannot write a temporary file in %s", b->temp_dir);
		p += n;
		len -= (size_t)n;
		b->written += (uint64_t)n;
	}
	return true;
}

/* Move what is in memory to the file. */
static bool
body_flush(struct body_store *b, struct err *err)
{
	if (b->fd < 0 && !body_open_file(b, err))
		return false;
	/* written grows as the octets get there, so len must not count them any more. */
	size_t len = b->len;
	b->len = 0;
	return body_write(b, b->block, len, err);
}

/* The caller has checked that len more octets stay within memory_octets. */
static void
body_keep(struct body_store *b, const char *p, size_t len)
{
	size_t need = b->len + len;

	if (need > b->room) {
		size_t room = b->room > 0 ? b->room : MEMORY_FIRST;
		while (room < need)
			room *= 2;
		if (room > b->memory_octets)
			room = b->memory_octets;
		b->block = mem_realloc(b->block, room);
		b->room = room;
	}
	memcpy(b->block + b->len, p, len);
	b->len = need;
}

bool
body_append(struct body_store *b, struct view data, struct err *err)
{
	if (b->is_sealed)
		BUG("body_append on a sealed store");
	if (b->has_failed)
		return err_set(err, ERR_IO, "the temporary file could not be written before");
	if (data.len > b->max_octets - body_size(b))
		return err_set(err, ERR_LIMIT, "the content is over %llu octets",
		    (unsigned long long)b->max_octets);
	if (data.len == 0)
		return true;
	if (data.len <= b->memory_octets - b->len) {
		body_keep(b, data.p, data.len);
		return true;
	}
	bool ok = body_flush(b, err);
	if (ok && data.len < b->memory_octets)
		body_keep(b, data.p, data.len);
	else if (ok)
		ok = body_write(b, data.p, data.len, err);
	b->has_failed = !ok;
	return ok;
}

bool
body_seal(struct body_store *b, struct err *err)
{
	if (b->is_sealed)
		BUG("body_seal on a sealed store");
	if (b->has_failed)
		return err_set(err, ERR_IO, "the temporary file could not be written before");
	if (b->is_in_file) {
		b->has_failed = true; /* until the end of this block */
		if (!body_flush(b, err))
			return false;
		void *map = mmap(NULL, (size_t)b->written, PROT_READ, MAP_PRIVATE, b->fd, 0);
		if (map == MAP_FAILED)
			return err_set_errno(err, errno,
			    "cannot map a temporary file of %llu octets",
			    (unsigned long long)b->written);
		b->map = map;
		body_guard_add(&b->guard, map, (size_t)b->written);
		close(b->fd);
		b->fd = -1;
		mem_free(b->block);
		b->block = NULL;
		b->room = 0;
		b->has_failed = false;
	}
	b->is_sealed = true;
	return true;
}

struct view
body_view(const struct body_store *b)
{
	if (!b->is_sealed)
		BUG("body_view before body_seal");
	if (b->map != NULL)
		return view_make(b->map, (size_t)b->written);
	return view_make(b->block != NULL ? b->block : "", b->len);
}

bool
body_is_intact(const struct body_store *b)
{
	return b->map == NULL || !atomic_load(&b->guard.has_lost);
}
