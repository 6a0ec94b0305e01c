/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For LD_PRELOAD: the Nth call of a kind fails. The library counts calls by kind in a file that
 * GATE_FAULT names and that both it and the test have mapped (struct fault_control), so that
 * the test can look at the counts, and order a fault, while the gate runs. Any thread.
 * System calls are made by syscall(2), memory comes from glibc's own names, so no look-up of
 * symbols is needed that would itself want memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* In the order of KINDS in faults.py. */
enum kind {
	KIND_MEMORY,
	KIND_READ,
	KIND_WRITE,
	KIND_DISK, /* write(2) to a file */
	KIND_SEND,
	KIND_SYNC,
	KIND_CONNECT,
	KIND_ACCEPT,
	KIND_OPEN,
	KIND_MMAP,
	KIND_SOCKET,
	KIND_RENAME,
	KIND_COUNT
};

/* Octets as Python's struct has them: "<QQQ" and "<Q" for each kind. */
struct fault_control {
	uint64_t kind;	      /* KIND_COUNT: none shall fail */
	uint64_t first, last; /* of the calls that shall fail; 1 is the first one ever */
	uint64_t failed;      /* so many did */
	uint64_t counts[KIND_COUNT];
};

static struct fault_control nowhere = { .kind = KIND_COUNT };
static struct fault_control *control = &nowhere;

static const int errors[KIND_COUNT] = {
	[KIND_MEMORY] = ENOMEM,
	[KIND_READ] = ECONNRESET,
	[KIND_WRITE] = EPIPE,
	[KIND_DISK] = ENOSPC,
	[KIND_SEND] = EPIPE,
	[KIND_SYNC] = EIO,
	[KIND_CONNECT] = ETIMEDOUT,
	[KIND_ACCEPT] = EMFILE,
	[KIND_OPEN] = EMFILE,
	[KIND_MMAP] = ENOMEM,
	[KIND_SOCKET] = EMFILE,
	[KIND_RENAME] = EIO,
};

/* fails - counts the call; true: it shall fail, and errno says why. */
static int
fails(enum kind kind)
{
	uint64_t nth = __atomic_add_fetch(&control->counts[kind], 1, __ATOMIC_RELAXED);

	if (__atomic_load_n(&control->kind, __ATOMIC_ACQUIRE) != (uint64_t)kind ||
	    nth < __atomic_load_n(&control->first, __ATOMIC_RELAXED) ||
	    nth > __atomic_load_n(&control->last, __ATOMIC_RELAXED))
		return 0;
	__atomic_add_fetch(&control->failed, 1, __ATOMIC_RELAXED);
	errno = errors[kind];
	return 1;
}

__attribute__((constructor)) static void
start(void)
{
	const char *name = getenv("GATE_FAULT");
	int fd =
	    name != NULL ? (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC, 0) : -1;
	void *map = MAP_FAILED;

	if (fd >= 0)
		map = (void *)syscall(SYS_mmap, NULL, sizeof(struct fault_control),
		    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		static const char text[] = "shim: no file in GATE_FAULT\n";

		(void)syscall(SYS_write, STDERR_FILENO, text, sizeof(text) - 1);
		_exit(99);
	}
	(void)syscall(SYS_close, fd);
	control = map;
}

/* ---- memory ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);

void *
malloc(size_t size)
{
	return fails(KIND_MEMORY) ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fails(KIND_MEMORY) ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *p, size_t size)
{
	return fails(KIND_MEMORY) ? NULL : __libc_realloc(p, size);
}

/* ---- octets ---- */

ssize_t
read(int fd, void *p, size_t len)
{
	return fails(KIND_READ) ? -1 : syscall(SYS_read, fd, p, len);
}

ssize_t
recv(int fd, void *p, size_t len, int flags)
{
	return fails(KIND_READ) ? -1 : syscall(SYS_recvfrom, fd, p, len, flags, NULL, NULL);
}

ssize_t __recv_chk(int fd, void *p, size_t len, size_t room, int flags);

ssize_t
__recv_chk(int fd, void *p, size_t len, size_t room, int flags)
{
	if (len > room)
		abort();
	return recv(fd, p, len, flags);
}

static int
fails_to_write(int fd)
{
	struct stat st;

	return fails(fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? KIND_DISK : KIND_WRITE);
}

ssize_t
write(int fd, const void *p, size_t len)
{
	return fails_to_write(fd) ? -1 : syscall(SYS_write, fd, p, len);
}

ssize_t
writev(int fd, const struct iovec *parts, int count)
{
	return fails_to_write(fd) ? -1 : syscall(SYS_writev, fd, parts, count);
}

ssize_t
send(int fd, const void *p, size_t len, int flags)
{
	return fails(KIND_SEND) ? -1 : syscall(SYS_sendto, fd, p, len, flags, NULL, 0);
}

ssize_t
sendto(int fd, const void *p, size_t len, int flags, __CONST_SOCKADDR_ARG to, socklen_t to_len)
{
	return fails(KIND_SEND)
		   ? -1
		   : syscall(SYS_sendto, fd, p, len, flags, to.__sockaddr__, to_len);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	return fails(KIND_SEND) ? -1 : syscall(SYS_sendmsg, fd, message, flags);
}

int
fsync(int fd)
{
	return fails(KIND_SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return fails(KIND_SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* ---- descriptors ---- */

int
socket(int domain, int type, int protocol)
{
	return fails(KIND_SOCKET) ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

int
connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t len)
{
	return fails(KIND_CONNECT) ? -1 : (int)syscall(SYS_connect, fd, to.__sockaddr__, len);
}

int
accept4(int fd, __SOCKADDR_ARG from, socklen_t *len, int flags)
{
	return fails(KIND_ACCEPT)
		   ? -1
		   : (int)syscall(SYS_accept4, fd, from.__sockaddr__, len, flags);
}

int
accept(int fd, __SOCKADDR_ARG from, socklen_t *len)
{
	return accept4(fd, from, len, 0);
}

static int
open_by(int folder, const char *path, int flags, mode_t mode)
{
	return fails(KIND_OPEN) ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
}

/* mode_of - it is there only when a file may be made. */
static mode_t
mode_of(int flags, va_list ap)
{
	return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
}

int
open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_by(AT_FDCWD, path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_by(AT_FDCWD, path, flags, mode);
}

int
openat(int folder, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_by(folder, path, flags, mode);
}

int
openat64(int folder, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_by(folder, path, flags, mode);
}

/* ---- files ---- */

void *
mmap64(void *p, size_t len, int protection, int flags, int fd, off64_t offset)
{
	if (fails(KIND_MMAP))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, p, len, protection, flags, fd, offset);
}

void *
mmap(void *p, size_t len, int protection, int flags, int fd, off_t offset)
{
	return mmap64(p, len, protection, flags, fd, offset);
}

int
renameat(int from_folder, const char *from, int to_folder, const char *to)
{
	return fails(KIND_RENAME)
		   ? -1
		   : (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
}

int
rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}
