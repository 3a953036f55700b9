/*
 * One block holds the struct, the arrays and the canonical bytes, in which the texts lie that the
 * arrays point at:
 *
 *	struct filter │ exact names │ prefixes │ keys │ canonical bytes
 *
 * Each array is sorted and without repetitions, so that a match is a binary search: one in the
 * exact names, one for each dot of the event's name in the prefixes, one in the keys. The span
 * of a prefix leaves out the ".*", but those two bytes stand behind it in memory. The canonical
 * bytes are the three arrays and the `*`, each text behind its length, so that no text can be taken
 * for the border of another (keys may hold any bytes):
 *
 *	what is forbidden │ count of exact names │ (length │ bytes)* │ count of prefixes │ … │ has `*` │
 *	count of keys │ …
 */
#include "proto/filter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"

struct set {
	struct span *items;
	size_t n;
	size_t tail; /* bytes behind each item that belong to its text but are not compared */
};

struct filter {
	struct set exact, prefixes, keys;
	bool has_star;
	enum filter_restriction restriction;
	char *restriction_at; /* where the canonical bytes say so */
	struct span canon;
};

static const struct span star = SPAN_INIT("*");
static const struct span below = SPAN_INIT(".*");
static const struct span admin_namespace = SPAN_INIT("gateway");

static const struct span admin_events[] = {
	SPAN_INIT("gateway.connected"),
	SPAN_INIT("gateway.disconnected"),
	SPAN_INIT("gateway.pairing"),
};

static int
compare_items(const void *a, const void *b)
{
	return span_compare(*(const struct span *)a, *(const struct span *)b);
}

static void
set_sort(struct set *set)
{
	size_t kept = 0;

	if (set->n == 0)
		return;
	qsort(set->items, set->n, sizeof(*set->items), compare_items);
	for (size_t i = 0; i < set->n; i++) {
		if (kept == 0 || !span_is_equal(set->items[kept - 1], set->items[i]))
			set->items[kept++] = set->items[i];
	}
	set->n = kept;
}

static bool
set_has(const struct set *set, struct span item)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = span_compare(item, set->items[middle]);

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* Whether a prefix of the set stands above the event. */
static bool
set_covers(const struct set *prefixes, struct span event)
{
	if (prefixes->n == 0)
		return false;
	for (size_t i = 0; i < event.n; i++) {
		if (event.p[i] == '.' && set_has(prefixes, span_make(event.p, i)))
			return true;
	}
	return false;
}

static void
put_number(char **at, size_t number)
{
	uint32_t word = (uint32_t)number;

	memcpy(*at, &word, sizeof(word));
	*at += sizeof(word);
}

/* Writes the set's part of the canonical bytes; its items point there from now on. */
static void
set_settle(struct set *set, char **at)
{
	put_number(at, set->n);
	for (size_t i = 0; i < set->n; i++) {
		struct span *item = &set->items[i];

		put_number(at, item->n);
		if (item->n > 0)
			memcpy(*at, item->p, item->n + set->tail);
		item->p = *at;
		*at += item->n + set->tail;
	}
}

/* Most bytes that the texts and their lengths take: repetitions are counted too. */
static size_t
settled_bytes(const struct span *items, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += sizeof(uint32_t) + items[i].n;
	return bytes;
}

/* Exact names fill the array from its beginning, prefixes from its end. */
static void
sort_out(struct filter *f, const struct span *patterns, size_t n, struct span *items)
{
	f->exact.items = items;
	f->prefixes.items = items + n;
	f->prefixes.tail = below.n;
	for (size_t i = 0; i < n; i++) {
		struct span p = patterns[i];

		if (span_is_equal(p, star)) {
			f->has_star = true;
		} else if (p.n > below.n && p.p[p.n - 1] == '*') {
			f->prefixes.n++;
			*--f->prefixes.items = span_make(p.p, p.n - below.n);
		} else {
			f->exact.items[f->exact.n++] = p;
		}
	}
}

struct filter *
filter_new(
    const struct span *patterns, size_t pattern_count, const struct span *keys, size_t key_count)
{
	struct filter *f;
	struct span *items;
	char *canon, *at;

	if (patterns == NULL) {
		patterns = &star;
		pattern_count = 1;
	}
	f = mem_zalloc(sizeof(*f) + (pattern_count + key_count) * sizeof(*items) +
		       5 * sizeof(uint32_t) + settled_bytes(patterns, pattern_count) +
		       settled_bytes(keys, key_count));
	if (f == NULL)
		return NULL;
	items = (struct span *)(f + 1);
	canon = at = (char *)(items + pattern_count + key_count);
	f->restriction_at = at;
	put_number(&at, FILTER_ALLOWS_ALL);
	sort_out(f, patterns, pattern_count, items);
	f->keys = (struct set){ .items = items + pattern_count, .n = key_count };
	if (key_count > 0)
		memcpy(f->keys.items, keys, key_count * sizeof(*keys));
	set_sort(&f->exact);
	set_sort(&f->prefixes);
	set_sort(&f->keys);
	set_settle(&f->exact, &at);
	set_settle(&f->prefixes, &at);
	put_number(&at, f->has_star);
	set_settle(&f->keys, &at);
	f->canon = span_make(canon, (size_t)(at - canon));
	return f;
}

void
filter_restrict(struct filter *f, enum filter_restriction restriction)
{
	char *at = f->restriction_at;

	f->restriction = restriction;
	put_number(&at, restriction);
}

void
filter_free(struct filter *f)
{
	mem_free(f);
}

static bool
is_admin(struct span event)
{
	for (size_t i = 0; i < ARRAY_LEN(admin_events); i++) {
		if (span_is_equal(event, admin_events[i]))
			return true;
	}
	return false;
}

bool
filter_takes(const struct filter *f, struct span event, struct span key)
{
	if (f->restriction == FILTER_FORBIDS_ALL || (f->keys.n > 0 && !set_has(&f->keys, key)))
		return false;
	if (is_admin(event))
		return filter_names_admin(f, event);
	return f->has_star || set_has(&f->exact, event) || set_covers(&f->prefixes, event);
}

bool
filter_names_admin(const struct filter *f, struct span event)
{
	if (f->restriction != FILTER_ALLOWS_ALL)
		return false;
	if (set_has(&f->prefixes, admin_namespace))
		return event.n == 0 || is_admin(event);
	if (event.n > 0)
		return is_admin(event) && set_has(&f->exact, event);
	for (size_t i = 0; i < ARRAY_LEN(admin_events); i++) {
		if (set_has(&f->exact, admin_events[i]))
			return true;
	}
	return false;
}

struct span
filter_canon(const struct filter *f)
{
	return f->canon;
}

static void
write_set(const struct set *set, struct jsonw *w)
{
	for (size_t i = 0; i < set->n; i++)
		jsonw_str(w, span_make(set->items[i].p, set->items[i].n + set->tail));
}

void
filter_write(const struct filter *f, struct jsonw *w)
{
	jsonw_key(w, "events");
	jsonw_array(w);
	write_set(&f->exact, w);
	write_set(&f->prefixes, w);
	if (f->has_star)
		jsonw_str(w, star);
	jsonw_array_end(w);
	jsonw_key(w, "sessionKeys");
	jsonw_array(w);
	write_set(&f->keys, w);
	jsonw_array_end(w);
}
