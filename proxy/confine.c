/* SPDX-License-Identifier: MPL-2.0 */
/* The layers in their order, and the word about them: see proxy/confine.h. */
#include "proxy/confine_private.h"

#include "lib/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>

static const char *const names[] = {
	[CONFINE_CAPABILITIES] = "capabilities",
	[CONFINE_CORE_DUMPS] = "core_dumps",
	[CONFINE_NO_NEW_PRIVS] = "no_new_privs",
	[CONFINE_LANDLOCK] = "landlock",
	[CONFINE_SECCOMP] = "seccomp",
};

const char *
confine_layer_name(enum confine_layer layer)
{
	return names[layer];
}

unsigned
confine_bit(enum confine_layer layer)
{
	return 1U << layer;
}

void
confine_note(struct confine_report *report, enum confine_layer layer, enum confine_state state,
    const char *fmt, ...)
{
	va_list args;

	report->layers[layer].state = state;
	va_start(args, fmt);
	(void)vsnprintf(
	    report->layers[layer].why, sizeof(report->layers[layer].why), fmt, args);
	va_end(args);
}

/* check_threads - a layer holds for the thread that puts it on: no other may be there yet. */
static bool
check_threads(struct err *err)
{
	struct stat st;

	if (CONFINE_SANITIZED || stat("/proc/self/task", &st) != 0)
		return true;	   /* without /proc nobody can tell */
	return st.st_nlink <= 3 || /* the folder's own two, and that of one thread */
	       err_set(err, ERR_CONFIG,
		   "cannot give up rights: %u threads run already (started by a plugin?)",
		   (unsigned)st.st_nlink - 2);
}

static bool
put_on(enum confine_layer layer, enum confine_profile profile, struct confine_paths *paths,
    struct confine_report *report, struct err *err)
{
	switch (layer) {
	case CONFINE_CAPABILITIES:
		return confine_capabilities(report, err);
	case CONFINE_CORE_DUMPS:
		return confine_core_dumps(err);
	case CONFINE_NO_NEW_PRIVS:
		return confine_no_new_privs(err);
	case CONFINE_LANDLOCK:
		return confine_landlock(paths, report, err);
	case CONFINE_SECCOMP:
		return confine_seccomp(profile, report, err);
	case CONFINE_LAYERS:
		break;
	}
	BUG("layer %d", (int)layer);
}

bool
confine_process(enum confine_profile profile, unsigned off, struct confine_paths *paths,
    struct confine_report *report, struct err *err)
{
	if (!check_threads(err))
		return false;
	for (enum confine_layer layer = 0; layer < CONFINE_LAYERS; layer++) {
		const bool is_off = (off & confine_bit(layer)) != 0;

		confine_note(report, layer, is_off ? CONFINE_OFF : CONFINE_ON, "%s", "");
		if (is_off && layer == CONFINE_CORE_DUMPS)
			(void)prctl(
			    PR_SET_DUMPABLE, 1, 0, 0, 0); /* the change of user took it */
		if (!is_off && !put_on(layer, profile, paths, report, err))
			return err_prefix(err, "confine: %s", names[layer]);
	}
	return true;
}

void
confine_log(const struct confine_report *report)
{
	static const char *const words[] = {
		[CONFINE_OFF] = "off",
		[CONFINE_ON] = "on",
		[CONFINE_ABSENT] = "absent",
	};
	struct log_field fields[CONFINE_LAYERS + 1];
	enum log_level level = LEVEL_INFO;
	char reason[CONFINE_LAYERS * 128] = "";
	size_t len = 0;

	for (size_t i = 0; i < CONFINE_LAYERS; i++) {
		const char *why = report->layers[i].why;

		fields[i] = LOG_STR(names[i], words[report->layers[i].state]);
		if (report->layers[i].state != CONFINE_ON)
			level = LEVEL_WARNING;
		if (why[0] != '\0')
			len += (size_t)snprintf(reason + len, sizeof(reason) - len, "%s%s: %s",
			    len > 0 ? "; " : "", names[i], why);
	}
	fields[CONFINE_LAYERS] = LOG_OPT("reason", reason);
	log_write(level, "gate.confined", fields, ARRAY_LEN(fields));
}
