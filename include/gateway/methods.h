/*
 * The built-in methods: one table, sorted by name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"
#include "gateway/answer.h"
#include "proto/envelope.h"

enum {
	/* Metrics index of a request for a provider's method. */
	METHOD_PROVIDED = 62,
	/* And of one whose method nobody has. */
	METHOD_OTHER = 63,
};

/* What a token must allow before it may call a method.  read < write < admin; provider stands beside. */
enum method_scope { METHOD_READ, METHOD_WRITE, METHOD_ADMIN, METHOD_PROVIDER };

struct gateway;
struct identity;
struct jsonw;

/* What it takes to call a provider's method, whatever it does. */
#define METHOD_PROVIDED_SCOPE METHOD_WRITE

struct method {
	const char *name;
	enum method_scope scope;
	/*
	 * Answers the request through `to`, now or later (gateway/pending.h): exactly once.  The frame
	 * and `to` are gone when it returns.
	 */
	void (*run)(const struct answer *to, const struct envelope *frame);
};

/* How many there are, and each by its place in the order of names. */
unsigned methods_count(void);
const struct method *method_at(unsigned index);

/* The index of the method of this name, or METHOD_OTHER. */
unsigned method_find(struct span name);

/* Whether who this is may call the method. */
bool method_is_allowed(const struct method *method, const struct identity *identity);

/*
 * Writes the names of all methods that whoever this is may call, built in and providers', as the next elements of
 * an array, in their order.
 */
void methods_write_names(
    const struct gateway *gateway, const struct identity *identity, struct jsonw *out);

/* "read", "write", "admin" or "provider". */
const char *method_scope_name(enum method_scope scope);
