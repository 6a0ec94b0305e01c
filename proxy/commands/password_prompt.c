/* SPDX-License-Identifier: MPL-2.0 */
/* See password_prompt.h. Reads by read(2): stdio would keep the password in a buffer of its
 * own. */
#include "proxy/commands/password_prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

/* Signals that must find the terminal with its echo on. */
static const int ending_numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };

static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
	caught = number;
}

/*
 * wait_for - until fd can be read. The signals that are caught come only here, so that none
 * gets lost between a look at caught and read(2).
 */
static bool
wait_for(int fd, const sigset_t *open_mask)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (ppoll(&p, 1, NULL, open_mask) < 0) {
		if (errno != EINTR || caught != 0)
			return false;
	}
	return true;
}

/*
 * read_text - up to the line end, into text; the count of octets, or -1 with *err set.
 * open_mask: signals as they were before they were blocked, or NULL.
 */
static ssize_t
read_text(int fd, const sigset_t *open_mask, char text[PASSWORD_LINE_MAX], struct err *err)
{
	size_t len = 0;
	ssize_t got;
	char c;

	for (;;) {
		got = -1;
		if (open_mask == NULL || wait_for(fd, open_mask))
			got = read(fd, &c, 1);
		if (got < 0 && errno == EINTR && caught == 0)
			continue;
		if (got < 0) {
			err_set_errno(err, errno, "the password could not be read");
			return -1;
		}
		if (got == 0 || c == '\n')
			break;
		if (len == PASSWORD_LINE_MAX) {
			err_set(err, ERR_LIMIT, "the password is over %d octets",
			    PASSWORD_LINE_MAX);
			return -1;
		}
		text[len++] = c;
	}
	secret_wipe(&c, sizeof(c));
	return (ssize_t)len;
}

static bool
read_secret(int fd, const sigset_t *open_mask, struct secret *out, struct err *err)
{
	char text[PASSWORD_LINE_MAX];
	const ssize_t len = read_text(fd, open_mask, text, err);
	bool is_set = false;

	if (len == 0)
		err_set(err, ERR_CONFIG, "the password is empty");
	else if (len > 0 && !(is_set = secret_set(out, view_make(text, (size_t)len))))
		err_set(err, ERR_CONFIG, "the password has a NUL octet");
	secret_wipe(text, sizeof(text));
	return is_set;
}

bool
password_read_line(int fd, struct secret *out, struct err *err)
{
	return read_secret(fd, NULL, out, err);
}

/* The signals as they were. */
struct endings {
	struct sigaction actions[ARRAY_LEN(ending_numbers)];
	sigset_t mask;
};

static void
catch_endings(struct endings *before)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&action.sa_mask);
	sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_LEN(ending_numbers); i++)
		sigaddset(&blocked, ending_numbers[i]);
	(void)sigprocmask(SIG_BLOCK, &blocked, &before->mask);
	caught = 0;
	for (size_t i = 0; i < ARRAY_LEN(ending_numbers); i++)
		(void)sigaction(ending_numbers[i], &action, &before->actions[i]);
}

/* release_endings - and let the one that was caught do what it was meant to. */
static void
release_endings(const struct endings *before)
{
	for (size_t i = 0; i < ARRAY_LEN(ending_numbers); i++)
		(void)sigaction(ending_numbers[i], &before->actions[i], NULL);
	if (caught != 0)
		(void)raise(caught);
	(void)sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

static bool
prompt_on(int fd, const char *prompt, struct secret *out, struct err *err)
{
	struct endings before;
	struct termios shown, hidden;
	bool is_read;

	if (tcgetattr(fd, &shown) != 0)
		return err_set_errno(err, errno, "the terminal");
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	hidden.c_lflag |= ECHONL;
	catch_endings(&before);
	is_read = tcsetattr(fd, TCSAFLUSH, &hidden) == 0;
	if (!is_read)
		err_set_errno(err, errno, "the terminal");
	is_read = is_read && dprintf(fd, "%s", prompt) >= 0 &&
		  read_secret(fd, &before.mask, out, err);
	(void)tcsetattr(fd, TCSAFLUSH, &shown);
	release_endings(&before);
	return caught == 0 ? is_read : err_set(err, ERR_CLOSED, "interrupted");
}

bool
password_prompt(const char *prompt, struct secret *out, struct err *err)
{
	const int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	bool is_read;

	if (fd < 0)
		return err_set_errno(err, errno, "/dev/tty");
	is_read = prompt_on(fd, prompt, out, err);
	close(fd);
	return is_read;
}
