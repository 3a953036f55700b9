/*
 * Identities outlive the configuration that they were made of, so all in them is copied.
 */
#include "gateway/identity.h"

#include <errno.h>

#include "base/alloc.h"
#include "proto/names.h"

struct identity *
identity_new(enum identity_kind kind, struct span name, unsigned scopes, uint64_t expires_ms)
{
	struct identity *identity = mem_zalloc(sizeof(*identity));

	if (identity == NULL)
		return NULL;
	identity->refs = 1;
	identity->kind = kind;
	identity->scopes = scopes;
	identity->expires_ms = expires_ms;
	identity->name = mem_strndup(name);
	if (identity->name == NULL) {
		identity_unref(identity);
		return NULL;
	}
	return identity;
}

int
identity_add_event(struct identity *identity, struct span pattern)
{
	size_t bytes = (identity->events_count + 1) * sizeof(*identity->events);
	char **longer = mem_resize(identity->events, bytes);

	if (longer == NULL)
		return -ENOMEM;
	identity->events = longer;
	longer[identity->events_count] = mem_strndup(pattern);
	if (longer[identity->events_count] == NULL)
		return -ENOMEM;
	identity->events_count++;
	return 0;
}

struct identity *
identity_ref(struct identity *identity)
{
	identity->refs++;
	return identity;
}

void
identity_unref(struct identity *identity)
{
	if (identity == NULL || --identity->refs > 0)
		return;
	for (size_t i = 0; i < identity->events_count; i++)
		mem_free(identity->events[i]);
	mem_free(identity->events);
	mem_free(identity->name);
	secret_wipe(identity, sizeof(*identity));
	mem_free(identity);
}

bool
identity_has(const struct identity *identity, unsigned scope)
{
	return identity != NULL && (identity->scopes & scope) != 0;
}

bool
identity_may_publish(const struct identity *identity, struct span event)
{
	if (identity == NULL)
		return false;
	for (size_t i = 0; i < identity->events_count; i++) {
		if (pattern_matches(span_cstr(identity->events[i]), event))
			return true;
	}
	return identity->events_count == 0;
}
