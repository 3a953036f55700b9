/*
 * What a client subscribes to, from JSON to filter: {"events"?: [pattern…], "sessionKeys"?: [key…]}.
 *
 * The hello's "subscribe" and the params of events.subscribe and events.history have this one form;
 * here are its bounds.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"
#include "proto/envelope_fault.h"
#include "proto/filter.h"

enum {
	SUBSCRIPTION_EVENTS_MAX = 256,	  /* patterns */
	SUBSCRIPTION_KEYS_MAX = 1024,	  /* session keys */
	SUBSCRIPTION_KEY_BYTES_MAX = 256, /* of one session key */
};

/*
 * Reads the object text (empty: the default filter) and builds its filter, which the caller frees
 * with filter_free. path is where the object stands, "subscribe" or "params"; faults name what is
 * below it ("params.events[2]"). Other members are ignored, but none may come twice. An absent
 * "events" is the default set; an empty array takes no event by name.
 *
 * Returns 0 and *ret; -EBADMSG and *ret_fault; -ENOMEM.
 */
int subscription_parse(struct span text, const char *path, struct filter **ret,
    struct envelope_fault *ret_fault) must_check;
