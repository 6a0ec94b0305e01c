/* SPDX-License-Identifier: MPL-2.0 */
/* The group confine: its row, its check, and which layers it leaves. */
#include "proxy/config_check.h"

#include "proxy/confine.h"

#include <stddef.h>

static const struct conf_row confine_rows[] = {
	{ .key = "off",
	    .type = CONF_STRINGS,
	    .offset = offsetof(struct config_confine, off),
	    .help = "Layers to do without, to find out whether one is in the way: "
		    "\"capabilities\", \"core_dumps\", \"no_new_privs\", \"landlock\", "
		    "\"seccomp\". Takes effect at a restart." },
	{ .key = NULL },
};

const struct conf_table config_confine_table = {
	.name = "confine",
	.help = "What the serving process gives up before it reads from a client: every right "
		"of root, core dumps, files that the configuration does not name, system calls "
		"that it does not need. The event gate.confined says what holds.",
	.size = sizeof(struct config_confine),
	.rows = confine_rows,
	.where_offset = offsetof(struct config_confine, where),
};

/* layer_of - CONFINE_LAYERS: there is none of that name. */
static enum confine_layer
layer_of(const char *name)
{
	enum confine_layer layer = 0;

	while (layer < CONFINE_LAYERS && strcmp(confine_layer_name(layer), name) != 0)
		layer++;
	return layer;
}

unsigned
config_confine_off(const struct config_confine *confine)
{
	unsigned off = 0;

	for (size_t i = 0; i < confine->off.count; i++) {
		const enum confine_layer layer = layer_of(confine->off.items[i]);

		if (layer != CONFINE_LAYERS)
			off |= confine_bit(layer);
	}
	return off;
}

static void
check_name(const struct loaded_config *c, const char *name, struct conf_errors *errors)
{
	const char *names[CONFINE_LAYERS], *near;

	for (enum confine_layer layer = 0; layer < CONFINE_LAYERS; layer++)
		names[layer] = confine_layer_name(layer);
	near = conf_nearest(name, names, ARRAY_LEN(names));
	if (layer_of(name) == CONFINE_LAYERS)
		conf_error(errors, config_where(c, c->config.confine.where), "confine.off",
		    "there is no layer \"%s\"%s%s%s", name,
		    near != NULL ? " (did you mean \"" : "", near != NULL ? near : "",
		    near != NULL ? "\"?)" : "");
}

void
config_check_confine(const struct loaded_config *c, struct conf_errors *errors)
{
	const struct config_confine *confine = &c->config.confine;
	const unsigned off = config_confine_off(confine);
	const unsigned need = confine_bit(CONFINE_LANDLOCK) | confine_bit(CONFINE_SECCOMP);

	for (size_t i = 0; i < confine->off.count; i++)
		check_name(c, confine->off.items[i], errors);
	if ((off & confine_bit(CONFINE_NO_NEW_PRIVS)) != 0 && (off & need) != need)
		conf_error(errors, config_where(c, confine->where), "confine.off",
		    "\"landlock\" and \"seccomp\" cannot be had without \"no_new_privs\": "
		    "name them too");
}

void
config_warn_confine(const struct loaded_config *c, struct conf_errors *warnings)
{
	const struct config_confine *confine = &c->config.confine;

	if (confine->off.count > 0)
		conf_error(warnings, config_where(c, confine->where), "confine.off",
		    "is for debugging: whoever takes the gate over can do more without");
}
