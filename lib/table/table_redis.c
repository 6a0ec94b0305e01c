/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tables in redis: GET, SMEMBERS or HGET. hiredis writes the commands and reads the replies
 * (the key is an argument with its length, never part of a command's text); the octets go over
 * our own streams, so that deadlines hold to the millisecond and TLS is verified as elsewhere.
 */
#include "lib/table/table_check.h"
#include "lib/table/table_private.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/net/address.h"
#include "lib/table/table_connect.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

#define REPLY_MAX   (16 * TABLE_ANSWER_MAX) /* octets of a reply */
#define PORT	    6379
#define ARGUMENTS   3
#define READ_OCTETS 8192

#if HIREDIS_MAJOR >= 1
typedef size_t array_count;
#else
typedef int array_count;
#endif

struct store {
	struct stream *stream;
	redisReader *reader;
	redisReplyObjectFunctions functions; /* of the reader: its own, but for make_array */
	void *(*make_array)(const redisReadTask *, array_count); /* its own */
	const struct table_config *config;			 /* borrowed */
	bool is_spent; /* no further answer of it can be trusted */
};

/* ---- settings ---- */

static bool
find_server(const struct table_config *config, struct table_server *out, struct err *err)
{
	if (config->server[0] == '/')
		return table_server_path(view_of(config->server), out, err);
	*out = (struct table_server){ .is_path = false };
	return address_split(
	    config->server, PORT, out->host, sizeof(out->host), &out->port, err);
}

static bool
store_check(const struct table_config *config, struct conf_errors *errors)
{
	const size_t errors_before = errors->count;
	struct err err = { .kind = ERR_NONE };
	struct table_server server;

	table_check_keys(config, errors);
	if (errors->count > errors_before)
		return false;
	if (config->key != NULL)
		table_check_pattern(config, "tables.key", config->key, errors);
	if ((config->form == TABLE_HASH) != (config->hash != NULL))
		conf_error(
		    errors, config->where, "tables.hash", "and form = \"hash\" go together");
	if (config->login != NULL && config->password_file == NULL)
		conf_error(errors, config->where, "tables.login", "needs password_file");
	if (config->tls == TABLE_TLS_STARTTLS)
		conf_error(errors, config->where, "tables.tls", "redis has no \"starttls\"");
	if (!find_server(config, &server, &err))
		conf_error(errors, config->where, "tables.server", "%s", err.text);
	else
		table_check_secure(config, server.is_path ? NULL : server.host,
		    config->tls == TABLE_TLS_IMPLICIT, errors);
	return errors->count == errors_before;
}

/* ---- replies ---- */

/* make_array - one of more members than we take is never made: the reader then fails. */
static void *
make_array(const redisReadTask *task, array_count count)
{
	const struct store *t = task->privdata;

	if (count < (array_count)0 || count > (array_count)TABLE_VALUES_MAX)
		return NULL;
	return t->make_array(task, count);
}

/*
 * read_reply - NULL: err says why. One that is too large leaves its rest behind: then the
 * connection is spent, and the entry bad.
 */
static redisReply *
read_reply(struct store *t, int64_t deadline_ms, struct table_answer *answer, struct err *err)
{
	char octets[READ_OCTETS];
	size_t total = 0, got;
	void *reply = NULL;

	while (total <= REPLY_MAX) {
		got = stream_read(t->stream, octets, sizeof(octets), deadline_ms, err);
		if (got == 0)
			return NULL;
		total += got;
		if (redisReaderFeed(t->reader, octets, got) != REDIS_OK ||
		    redisReaderGetReply(t->reader, &reply) != REDIS_OK) {
			(void)err_set(
			    err, ERR_PROTOCOL, "a malformed reply: %s", t->reader->errstr);
			return NULL;
		}
		if (reply != NULL) {
			/* More than the answer: it must not be taken for the next one. */
			t->is_spent = t->reader->pos < t->reader->len;
			return reply;
		}
	}
	t->is_spent = true;
	(void)table_answer_spoil(answer, err, "a reply of over 1 MiB");
	return NULL;
}

/* run - one command; NULL: err says why. An error of the server comes as a reply. */
static redisReply *
run(struct store *t, const struct view *words, size_t count, int64_t deadline_ms,
    struct table_answer *answer, struct err *err)
{
	const char *arguments[ARGUMENTS];
	size_t lengths[ARGUMENTS];
	char *command = NULL;
	int len;
	bool ok;

	for (size_t i = 0; i < count; i++) {
		arguments[i] = words[i].p;
		lengths[i] = words[i].len;
	}
	len = redisFormatCommandArgv(&command, (int)count, arguments, lengths);
	if (len < 0) {
		(void)err_set(err, ERR_IO, "no memory");
		return NULL;
	}
	ok = stream_write(t->stream, view_make(command, (size_t)len), deadline_ms, err);
	secret_wipe(command, (size_t)len);
	redisFreeCommand(command);
	return ok ? read_reply(t, deadline_ms, answer, err) : NULL;
}

static bool
reply_is_error(const redisReply *reply, struct err *err)
{
	if (reply->type != REDIS_REPLY_ERROR)
		return false;
	(void)err_set(err, ERR_REFUSED, "it says: %.*s",
	    reply->len < 160 ? (int)reply->len : 160, reply->str);
	return true;
}

/* ---- connecting ---- */

static bool
connect_to(struct store *t, int64_t deadline_ms, struct err *err)
{
	struct table_server server;

	if (!find_server(t->config, &server, err))
		return false;
	t->stream = table_server_connect(&server, deadline_ms, err);
	return t->stream != NULL &&
	       (t->config->tls != TABLE_TLS_IMPLICIT ||
		   table_start_tls(t->stream, &server, t->config, deadline_ms, err));
}

/* tell - a command to which anything but an error is a good answer. */
static bool
tell(struct store *t, const struct view *words, size_t count, int64_t deadline_ms,
    struct err *err)
{
	struct table_answer nothing = { .arena = NULL };
	redisReply *reply = run(t, words, count, deadline_ms, &nothing, err);
	bool ok = reply != NULL && !reply_is_error(reply, err);

	if (reply != NULL)
		freeReplyObject(reply);
	return ok;
}

static bool
log_in(struct store *t, const struct secret *password, int64_t deadline_ms, struct err *err)
{
	struct view words[ARGUMENTS] = { VIEW("AUTH") };
	size_t count = 1;

	if (!secret_is_set(password))
		return true;
	if (t->config->login != NULL)
		words[count++] = view_of(t->config->login);
	words[count++] = view_make(password->p, password->len);
	return tell(t, words, count, deadline_ms, err) || err_prefix(err, "AUTH");
}

static bool
choose_database(struct store *t, int64_t deadline_ms, struct err *err)
{
	char number[24];
	struct view words[] = { VIEW("SELECT"), { number, 0 } };

	if (t->config->database == 0)
		return true;
	(void)snprintf(number, sizeof(number), "%lld", (long long)t->config->database);
	words[1] = view_of(number);
	return tell(t, words, ARRAY_LEN(words), deadline_ms, err) || err_prefix(err, "SELECT");
}

static void
store_close(void *connection)
{
	struct store *t = connection;

	if (t->stream != NULL)
		stream_abort(&t->stream);
	if (t->reader != NULL)
		redisReaderFree(t->reader);
	mem_free(t);
}

static bool
make_reader(struct store *t, struct err *err)
{
	t->reader = redisReaderCreate();
	if (t->reader == NULL)
		return err_set(err, ERR_IO, "no memory");
	t->functions = *t->reader->fn;
	t->make_array = t->functions.createArray;
	t->functions.createArray = make_array;
	t->reader->fn = &t->functions;
	t->reader->privdata = t;
	return true;
}

static void *
store_open(const struct table_config *config, const struct secret *password,
    int64_t deadline_ms, struct err *err)
{
	struct store *t = mem_calloc(1, sizeof(*t));

	t->config = config;
	if (make_reader(t, err) && connect_to(t, deadline_ms, err) &&
	    log_in(t, password, deadline_ms, err) && choose_database(t, deadline_ms, err))
		return t;
	store_close(t);
	return NULL;
}

/* store_is_usable - a server that says something unasked, or has closed, is not. */
static bool
store_is_usable(void *connection)
{
	struct store *t = connection;

	return !t->is_spent && stream_is_quiet(t->stream);
}

/* ---- asking ---- */

static bool
add_string(const redisReply *reply, struct table_answer *answer, struct err *err)
{
	if (reply->type != REDIS_REPLY_STRING)
		return table_answer_spoil(answer, err, "it is no string");
	return table_answer_add(answer, view_make(reply->str, (size_t)reply->len), err);
}

static enum table_result
judge(const redisReply *reply, struct table_answer *answer, struct err *err)
{
	bool ok = true;

	if (reply_is_error(reply, err)) {
		if (view_starts(view_make(reply->str, (size_t)reply->len), VIEW("WRONGTYPE")))
			(void)table_answer_spoil(answer, err, "it is of another type");
		return TABLE_DOWN;
	}
	if (reply->type == REDIS_REPLY_NIL ||
	    (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0))
		return TABLE_ABSENT;
	if (reply->type != REDIS_REPLY_ARRAY)
		return add_string(reply, answer, err) ? TABLE_FOUND : TABLE_DOWN;
	for (size_t i = 0; ok && i < reply->elements; i++)
		ok = add_string(reply->element[i], answer, err);
	return ok ? TABLE_FOUND : TABLE_DOWN;
}

static size_t
make_command(const struct store *t, struct view name, struct view words[ARGUMENTS])
{
	if (t->config->form == TABLE_HASH) {
		words[0] = VIEW("HGET");
		words[1] = view_of(t->config->hash);
		words[2] = name;
		return 3;
	}
	words[0] = t->config->form == TABLE_MEMBERS ? VIEW("SMEMBERS") : VIEW("GET");
	words[1] = name;
	return 2;
}

static enum table_result
store_ask(void *connection, struct view key, int64_t deadline_ms, struct table_answer *answer,
    struct err *err)
{
	struct store *t = connection;
	struct view words[ARGUMENTS];
	const struct view name = t->config->key == NULL
				     ? key
				     : table_pattern_fill(answer->arena, t->config->key, key);
	const size_t count = make_command(t, name, words);
	redisReply *reply = run(t, words, count, deadline_ms, answer, err);
	enum table_result result = TABLE_DOWN;

	if (reply != NULL)
		result = judge(reply, answer, err);
	if (reply != NULL)
		freeReplyObject(reply);
	return result;
}

const struct table_kind table_kind_redis = {
	.name = "redis",
	.is_cached = false,
	.check = store_check,
	.open = store_open,
	.close = store_close,
	.is_usable = store_is_usable,
	.ask = store_ask,
};
