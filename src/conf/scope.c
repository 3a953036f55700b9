/*
 * The names are those of PROTOCOL section 6; their order is that of the bits.
 */
#include "conf/scope.h"

static const struct {
	const char *name;
	unsigned set;
} scopes[SCOPE_COUNT] = {
	{ "read", SCOPE_READ },
	{ "write", SCOPE_WRITE | SCOPE_READ },
	{ "admin", SCOPE_ADMIN | SCOPE_WRITE | SCOPE_READ },
	{ "provider", SCOPE_PROVIDER },
};

unsigned
scope_find(struct span name)
{
	for (unsigned i = 0; i < SCOPE_COUNT; i++) {
		if (span_is(name, scopes[i].name))
			return scopes[i].set;
	}
	return 0;
}

const char *
scope_name(unsigned index)
{
	return scopes[index].name;
}

void
scope_write(unsigned set, struct jsonw *w)
{
	jsonw_array(w);
	for (unsigned i = 0; i < SCOPE_COUNT; i++) {
		if ((set & 1U << i) != 0)
			jsonw_cstr(w, scopes[i].name);
	}
	jsonw_array_end(w);
}
