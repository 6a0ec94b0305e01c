/* SPDX-License-Identifier: MPL-2.0 */
/* Authentication results as values: see authres.h. */
#include "lib/mail/authres.h"

const char *
authres_method_name(enum authres_method method)
{
	switch (method) {
	case AUTHRES_SPF:
		return "spf";
	case AUTHRES_DKIM:
		return "dkim";
	case AUTHRES_DMARC:
		return "dmarc";
	case AUTHRES_ARC:
		return "arc";
	}
	BUG("method %d", (int)method);
}

const char *
authres_result_name(enum authres_result result)
{
	switch (result) {
	case AUTHRES_NONE:
		return "none";
	case AUTHRES_PASS:
		return "pass";
	case AUTHRES_FAIL:
		return "fail";
	case AUTHRES_SOFTFAIL:
		return "softfail";
	case AUTHRES_NEUTRAL:
		return "neutral";
	case AUTHRES_POLICY:
		return "policy";
	case AUTHRES_TEMPERROR:
		return "temperror";
	case AUTHRES_PERMERROR:
		return "permerror";
	}
	BUG("result %d", (int)result);
}

static const char *
copy_text(const char *text, struct arena *arena)
{
	return text != NULL ? arena_strdup(arena, view_of(text)) : NULL;
}

struct authres
authres_copy(const struct authres *r, struct arena *arena)
{
	struct authres copy = *r;

	copy.domain = arena_strdup(arena, view_of(r->domain != NULL ? r->domain : ""));
	copy.reason = copy_text(r->reason, arena);
	copy.comment = copy_text(r->comment, arena);
	for (size_t i = 0; i < r->property_count; i++) {
		copy.properties[i] = (struct authres_property){
			.type = copy_text(r->properties[i].type, arena),
			.name = copy_text(r->properties[i].name, arena),
			.value = copy_text(r->properties[i].value, arena),
		};
	}
	return copy;
}

const char *
authres_property(const struct authres *r, const char *type, const char *name)
{
	for (size_t i = 0; i < r->property_count; i++) {
		if (strcmp(r->properties[i].type, type) == 0 &&
		    strcmp(r->properties[i].name, name) == 0)
			return r->properties[i].value;
	}
	return NULL;
}
