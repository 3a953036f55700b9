/*
 * Patterns and session keys of a subscription: bounds and grammar; what they mean is the filter's.
 */
#include "proto/subscription.h"

#include <errno.h>
#include <stdio.h>

#include "proto/names.h"
#include "proto/params.h"

enum { ROW_EVENTS, ROW_SESSION_KEYS, ROW_COUNT };

static const struct param table[ROW_COUNT] = {
	[ROW_EVENTS] = {
		.name = "events",
		.kind = PARAM_STRINGS,
		.max = SUBSCRIPTION_EVENTS_MAX,
		.item_max = NAME_MAX_BYTES + sizeof(".*") - 1,
	},
	[ROW_SESSION_KEYS] = {
		.name = "sessionKeys",
		.kind = PARAM_STRINGS,
		.max = SUBSCRIPTION_KEYS_MAX,
		.item_max = SUBSCRIPTION_KEY_BYTES_MAX,
	},
};

static int
check_patterns(const struct param_value *events, const char *path, struct envelope_fault *fault)
{
	char field[ENVELOPE_FAULT_FIELD_MAX + 1];
	size_t i;

	for (i = 0; i < events->strings_count; i++) {
		if (pattern_is_valid(events->strings[i]))
			continue;
		(void)snprintf(field, sizeof(field), "%s.events[%zu]", path, i);
		envelope_fault_set(fault, "invalid-field", field,
		    "%s must be the name of an event, a prefix followed by .*, or *.", field);
		return -EBADMSG;
	}
	return 0;
}

/* An array that is given but empty is not NULL: it takes no event at all. */
static const struct span *
patterns_of(const struct param_value *events)
{
	static const struct span none;

	if (!events->is_present)
		return NULL;
	return events->strings_count > 0 ? events->strings : &none;
}

int
subscription_parse(
    struct span text, const char *path, struct filter **ret, struct envelope_fault *ret_fault)
{
	const struct param_value *events, *keys;
	struct filter *filter;
	struct params params;
	int r;

	r = params_read(&params, text, path, table, ROW_COUNT, ret_fault);
	if (r < 0)
		return r;
	events = &params.values[ROW_EVENTS];
	keys = &params.values[ROW_SESSION_KEYS];
	r = check_patterns(events, path, ret_fault);
	if (r == 0) {
		filter = filter_new(
		    patterns_of(events), events->strings_count, keys->strings, keys->strings_count);
		if (filter != NULL)
			*ret = filter;
		else
			r = -ENOMEM;
	}
	params_fini(&params);
	return r;
}
