/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Private keys for unit tests, used for nothing else, and a file to read them from. The Ed25519
 * key is that of RFC 8463 A.2. Include behind cmocka.h.
 */
#ifndef GATEPOST_TESTS_DKIM_KEYS_H
#define GATEPOST_TESTS_DKIM_KEYS_H

#include "lib/domain/dkim_key.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char key_rsa_2048[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCjwGn79pK2uO4e\n"
    "R3dD05FNVARgmVdidyANLIICLD/eVKdFaXYcULUXmrb4u4pAgECf+6dgQO7L1ohO\n"
    "j17noYdg/5XCOL1EX3IHRrXqKnLIcP/Uo157roStzhJVMp9uXqH5JBRBQ77zARX2\n"
    "fE/AuMmPHa5W7nQDfIY3CWO+FN2D74YCLKvp53MczykDgvQi5R0++IFIBeaGWnkQ\n"
    "ZjVxO9Is8+xHq6NBPyiSMZufv+4YbqGNGvEzdqj17oC/v0yHVuzoVBcF22qc74m6\n"
    "VZmWJXJF/9TZOqVtWCVjWEsrslBNsUfiWJ5+EjbrrkXKevqcSLGXXLnQgabf3sXC\n"
    "0DZqfnk/AgMBAAECggEAGnsrveHNLhwlSI5EHPA3kkAhCRd4iJA9MFmJ7hyxI3JL\n"
    "LrAfDUsxTfo+LBFKtU2dpdbw5WGlfHSwIbbmdneqc1GXKraO8mIBCGjd/bAUVJKO\n"
    "523tV1EMsdLJJ4VX6mWxX0n/YI06ca/eQ7iCE+eOPkUNhDoXAYKqGHe97T0QlEeY\n"
    "dOzvkjdIo5ZXQcGgohBZi6Im11I61l7NWGsDLzU1vbVYk1wWYB49hfjkUIB3dIty\n"
    "o+dUxEBXKMXbciFk4Au2LKqLO6L+RtWNG1LRN7zxgWTfV0ksq2X4ym38tEhMDA+g\n"
    "JmqYuyF1y1fA4SDJZ66ft7t4UiUlOALPzLZY9xp9CQKBgQDfXwxSXTPokaZTYW8o\n"
    "JUe1HvtCXvRRCV6QyRo5e3+LNGZ8/Ktt8oIkcosBZpxnR9K0Ucwzm5a2VB4W7/y+\n"
    "NZXq5pB/E7YQyGCCKFb9euhpRxvvf5fu03m59czBP05sxDBdFhHT5XSo61wfeCQz\n"
    "KWnUbAb28gZv1DHEGqqQt3/ckwKBgQC7q+SipXB1e9iMQ8evE602n86uF2ExstNZ\n"
    "sBA6GMAULOr4nJqKDbT7MoWPU/SxDZ5F9auPIz68t0mLSEOIuI72QjEIdl0Nx3yy\n"
    "kqHqO8uM31XCe6QdhtPTxlXQvRQ+H/acLmpRx92VKfNQFHqMJUK78JosmHpHwcUF\n"
    "Vv/q08UIJQKBgGx0zRnM0WByH+1KWNuIRmoGEf+m9T/HqdfpHUed1E718XFsiZxH\n"
    "7LLfvui+NuDa+c6+DMVeHW6IJ1gBzJlakWFN9AkPvA4oDNwF1D8dh21eroy6Sj4X\n"
    "Bnqpg3KtV1nuZIE+LwfQ2LUQGlnZTtJcoFsY3MTYvRFdWZCbVggQYQ/rAoGBAJU+\n"
    "r8ZAttxXLvDs/iHXDgrAr8Z2xU6WnclXYLAy+p2Q0xP+xk8/c0vI87n11EPxRorw\n"
    "QgzExKGjSRNA1qQl0Vs5bHEEYCATIrGINsdl4gwXl8XgObVZgZ+KvLgRhcWZ+a5e\n"
    "oyKCRU7YW6y1fHdzMkzvnEwWvjfOevYyJ7cBzlEZAoGAc+h2VWYeKPXkznu8azxZ\n"
    "Bg7NIgXuOer9AH2NG345LG+SapB4QNFVxSgDsolNsMWQxHzm6sTo6cL3fQU0d7/W\n"
    "aM4z3G4prGPvUctpmx++JnZwUx4Wod0mIcMTd8+1UHkKY+tqVqykGa6FEpqe9vgs\n"
    "LAF5nIMehOZbS3MpmD2w17Y=\n"
    "-----END PRIVATE KEY-----\n";

static const char key_ed25519[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

static inline void
write_key_file(const char *path, const char *pem, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, pem, strlen(pem)), strlen(pem));
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

/* key_of - NULL when it is refused. */
static inline struct dkim_key *
key_of(const char *pem, mode_t mode, char warning_out[160], struct err *err)
{
	char path[] = "/tmp/gatepost-key-XXXXXX";
	int fd = mkstemp(path);
	struct dkim_key *key;

	assert_true(fd >= 0);
	close(fd);
	write_key_file(path, pem, mode);
	key = dkim_key_read(path, warning_out, err);
	unlink(path);
	return key;
}

static inline struct dkim_key *
good_key(const char *pem)
{
	char warning[160];
	struct err err = { 0 };
	struct dkim_key *key = key_of(pem, 0600, warning, &err);

	if (key == NULL)
		fail_msg("%s", err.text);
	return key;
}

#endif
