/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The states of key rotation in their file: a line for each key,
 *
 *	SELECTOR ALGORITHM STATE ORIGIN SINCE SHOWN-SINCE TTL NEGATIVE-TTL IN-USE
 *
 * under a first line that names the format. Nothing in it comes from a peer but numbers. Not
 * for editing by hand, so what is not as we write it is an error, never a guess.
 */
#include "lib/domain/dkim_rotation.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define FIRST_LINE    "gatepost-rotation 1"
#define FILE_MAX      (ROTATION_KEYS_MAX * 256 + 64) /* octets */
#define LOCK_PAUSE_MS 20

enum { WORDS = 9 };

static bool
make_path(const char *folder, const char *domain, const char *name, char out[PATH_MAX],
    struct err *err)
{
	const int len = snprintf(out, PATH_MAX, "%s/%s/%s", folder, domain, name);

	if (len < 0 || len >= PATH_MAX)
		return err_set(err, ERR_CONFIG, "%s/%s: the path is too long", folder, domain);
	return true;
}

bool
rotation_key_path(
    const char *folder, const char *domain, const char *selector, char *out, size_t room)
{
	const int len = snprintf(out, room, "%s/%s/%s.pem", folder, domain, selector);

	return len > 0 && (size_t)len < room;
}

/* The folder itself is locked: it is there, and there is no lock file to leave behind. */
int
rotation_lock(const char *folder, const char *domain, int64_t deadline_ms, struct err *err)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };
	char path[PATH_MAX];
	int fd;

	if (!make_path(folder, domain, ".", path, err))
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		err_set_errno(err, errno, "%s", path);
		return -1;
	}
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK && clock_left_ms(deadline_ms) > 0) {
			(void)nanosleep(&pause, NULL);
			continue;
		}
		err_set_errno(err, errno, "%s: cannot be locked", path);
		(void)close(fd);
		return -1;
	}
	return fd;
}

void
rotation_unlock(int *lock)
{
	if (*lock >= 0)
		(void)close(*lock);
	*lock = -1;
}

/* ---- reading ---- */

static bool
read_time(struct view word, int64_t *out)
{
	uint64_t number;

	if (!view_to_u64(word, &number) || number > INT64_MAX / 2)
		return false;
	*out = (int64_t)number;
	return true;
}

static bool
read_state(struct view word, enum rotation_state *out)
{
	for (enum rotation_state s = ROTATION_PENDING; s <= ROTATION_RETIRED; s++) {
		if (view_eq(word, view_of(rotation_state_name(s)))) {
			*out = s;
			return true;
		}
	}
	return false;
}

static bool
read_algorithm(struct view word, enum dkim_algorithm *out)
{
	*out = view_eq(word, view_of(dkim_algorithm_name(DKIM_RSA_SHA256)))
		   ? DKIM_RSA_SHA256
		   : DKIM_ED25519_SHA256;
	return view_eq(word, view_of(dkim_algorithm_name(*out)));
}

static bool
read_key(struct view line, struct rotation_key *out)
{
	struct view words[WORDS] = { 0 }, word;
	size_t count = 0;

	memset(out, 0, sizeof(*out));
	while (view_split(&line, ' ', &word)) {
		if (count == WORDS)
			return false;
		words[count++] = word;
	}
	out->is_configured = view_eq(words[3], VIEW("configured"));
	out->is_in_use = view_eq(words[8], VIEW("1"));
	return count == WORDS && dkim_selector_is_valid(words[0]) &&
	       view_copy(words[0], out->selector, sizeof(out->selector)) &&
	       read_algorithm(words[1], &out->algorithm) && read_state(words[2], &out->state) &&
	       (out->is_configured || view_eq(words[3], VIEW("made"))) &&
	       read_time(words[4], &out->since) && read_time(words[5], &out->shown_since) &&
	       read_time(words[6], &out->ttl_s) && read_time(words[7], &out->negative_ttl_s) &&
	       (out->is_in_use || view_eq(words[8], VIEW("0")));
}

static bool
read_lines(struct view text, const char *path, struct rotation *out, struct err *err)
{
	struct view line;
	unsigned number = 0;

	if (text.len == 0 || text.p[text.len - 1] != '\n')
		return err_set(err, ERR_CONFIG, "%s: does not end in a whole line", path);
	text.len--;
	while (view_split(&text, '\n', &line)) {
		struct rotation_key key;

		if (++number == 1 && view_eq(line, VIEW(FIRST_LINE)))
			continue;
		if (number == 1 || !read_key(line, &key))
			return err_set(err, ERR_CONFIG, "%s:%u: is no line of a rotation file",
			    path, number);
		if (out->count == ROTATION_KEYS_MAX || rotation_find(out, key.selector) != NULL)
			return err_set(err, ERR_CONFIG, "%s:%u: %s", path, number,
			    out->count == ROTATION_KEYS_MAX ? "too many keys"
							    : "the selector is there twice");
		out->keys[out->count++] = key;
	}
	return true;
}

bool
rotation_read(const char *folder, const char *domain, struct rotation *out, struct err *err)
{
	char path[PATH_MAX], text[FILE_MAX + 1];
	ssize_t got;
	int fd;

	memset(out, 0, sizeof(*out));
	if (!make_path(folder, domain, "states", path, err))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ||
		       err_set_errno(err, errno, "%s", path);
	got = read(fd, text, sizeof(text));
	if (got < 0)
		err_set_errno(err, errno, "%s", path);
	(void)close(fd);
	if (got < 0)
		return false;
	if ((size_t)got > FILE_MAX)
		return err_set(err, ERR_CONFIG, "%s: is too long", path);
	return read_lines(view_make(text, (size_t)got), path, out, err);
}

/* ---- writing ---- */

static bool
print_keys(const struct rotation *r, struct buf *out)
{
	bool ok = buf_add_str(out, FIRST_LINE "\n");

	for (size_t i = 0; i < r->count && ok; i++) {
		const struct rotation_key *k = &r->keys[i];

		ok = buf_printf(out, "%s %s %s %s %lld %lld %lld %lld %d\n", k->selector,
		    dkim_algorithm_name(k->algorithm), rotation_state_name(k->state),
		    k->is_configured ? "configured" : "made", (long long)k->since,
		    (long long)k->shown_since, (long long)k->ttl_s,
		    (long long)k->negative_ttl_s, k->is_in_use);
	}
	return ok;
}

static bool
write_file(const char *folder, const char *domain, struct view text, struct err *err)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	int fd;

	if (!make_path(folder, domain, "states", path, err) ||
	    !make_path(folder, domain, "states.new", fresh, err))
		return false;
	(void)unlink(fresh); /* of a run that ended in the middle */
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return err_set_errno(err, errno, "%s", fresh);
	bool ok = (file_write_all(fd, text) && fsync(fd) == 0) ||
		  err_set_errno(err, errno, "%s", fresh);
	if (close(fd) != 0 && ok)
		ok = err_set_errno(err, errno, "%s", fresh);
	if (ok && rename(fresh, path) != 0)
		ok = err_set_errno(err, errno, "%s", path);
	if (!ok) {
		(void)unlink(fresh);
		return false;
	}
	*strrchr(path, '/') = '\0';
	return file_sync_folder(AT_FDCWD, path) || err_set_errno(err, errno, "%s", path);
}

bool
rotation_write(
    const char *folder, const char *domain, const struct rotation *r, struct err *err)
{
	struct buf text;
	bool ok;

	buf_init(&text, FILE_MAX);
	ok = print_keys(r, &text) ? write_file(folder, domain, buf_view(&text), err)
				  : err_set(err, ERR_LIMIT, "the states are too long");
	buf_finish(&text);
	return ok;
}
