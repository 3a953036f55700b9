/*
 * Which events a connection wants: patterns of event names, and session keys. Built once and then
 * immutable, one heap block, so that the connections of an audience can share it. The order in
 * which things were asked for, and repetitions, do not matter: equal filters have equal canonical
 * bytes, by which audiences are found.
 *
 * An event passes when one pattern matches its name and, where there are keys, its own is among
 * them. The admin events (gateway.connected, gateway.disconnected, gateway.pairing) are taken only
 * when named exactly or by `gateway.*`, never by `*`. So the default filter is that of `*` alone.
 * What a scope forbids is put in by filter_restrict; the events that are sent whatever the filter are
 * the caller's affair.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/jsonw.h"
#include "base/macros.h"
#include "base/span.h"

struct filter;

/* What a filter never takes, whatever it names. */
enum filter_restriction {
	FILTER_ALLOWS_ALL,
	FILTER_FORBIDS_ADMIN, /* the admin events */
	FILTER_FORBIDS_ALL,
};

/*
 * A filter of copies of the given spans, which the caller has validated. patterns NULL: the default;
 * not NULL with count 0: no event at all. key_count 0: whatever the key. NULL without memory. Freed
 * by filter_free.
 */
struct filter *filter_new(const struct span *patterns, size_t pattern_count,
    const struct span *keys, size_t key_count) must_check;

/*
 * Takes out of it what a connection may not have. It is another filter than before. Only before it is
 * shared.
 */
void filter_restrict(struct filter *, enum filter_restriction);

/* Frees it; NULL is allowed. */
void filter_free(struct filter *);

/* Whether an event of this name and session key (empty: it has none) passes. */
bool filter_takes(const struct filter *, struct span event, struct span key);

/*
 * Whether the filter asks for the admin event of this name, exactly or by `gateway.*`; with an empty
 * name: for any of the admin events. Keys are not looked at.
 */
bool filter_names_admin(const struct filter *, struct span event);

/* The canonical bytes: the same for two filters exactly when they hold the same patterns and keys. */
struct span filter_canon(const struct filter *);

/*
 * Writes the members "events" (exact names, then prefixes, then `*`, each sorted) and
 * "sessionKeys" (sorted) into the object that the caller has open.
 */
void filter_write(const struct filter *, struct jsonw *);
