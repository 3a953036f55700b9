/*
 * Equal keys: pairwise for a few, sorted for many.
 *
 * The sort is a heap sort, in place and n log n for any input. It orders by a hash first, so that
 * unequal keys are told apart without being decoded again. The hash begins with an address, which a
 * peer does not know; keys that collided all the same would cost their comparison, no more.
 */
#include "proto/jsonkeys.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/jsonscan.h"
#include "proto/jsontext.h"

struct entry {
	uint64_t hash;
	struct span key;
};

/* FNV-1a over what the key means, not how it is written. */
static uint64_t
hash_key(struct span key, uint64_t hash)
{
	struct jsontext walk;
	struct span piece;
	size_t i;

	jsontext_init(&walk, key);
	while (jsontext_next(&walk, &piece)) {
		for (i = 0; i < piece.n; i++)
			hash = (hash ^ (unsigned char)piece.p[i]) * UINT64_C(1099511628211);
	}
	return hash;
}

/* A total order in which equal keys are neighbours, in the order of their places in the text. */
static bool
is_before(const struct entry *a, const struct entry *b)
{
	int order;

	if (a->hash != b->hash)
		return a->hash < b->hash;
	order = jsontext_compare(a->key, b->key);
	return order != 0 ? order < 0 : a->key.p < b->key.p;
}

static void
swap(struct entry *a, struct entry *b)
{
	struct entry kept = *a;

	*a = *b;
	*b = kept;
}

/* Makes entries[at..n) a heap, given that everything below at is one. */
static void
sift_down(struct entry *entries, size_t at, size_t n)
{
	size_t child;

	while ((child = 2 * at + 1) < n) {
		if (child + 1 < n && is_before(&entries[child], &entries[child + 1]))
			child++;
		if (!is_before(&entries[at], &entries[child]))
			return;
		swap(&entries[at], &entries[child]);
		at = child;
	}
}

static void
sort(struct entry *entries, size_t n)
{
	size_t i;

	for (i = n / 2; i-- > 0;)
		sift_down(entries, i, n);
	for (i = n; i-- > 1;) {
		swap(&entries[0], &entries[i]);
		sift_down(entries, 0, i);
	}
}

/* The keys of the top object, in their order; how many. */
static size_t
gather(struct span object_text, struct entry entries[JSON_KEYS_MAX])
{
	struct jsonscan scan;
	struct json_value value;
	uint64_t basis = UINT64_C(14695981039346656037) ^ (uintptr_t)entries;
	size_t n = 0;
	bool more;

	jsonscan_init(&scan, object_text);
	if (!jsonscan_punct(&scan, '{') || jsonscan_punct(&scan, '}'))
		return 0;
	do {
		if (n == JSON_KEYS_MAX || !jsonscan_key(&scan, &entries[n].key) ||
		    !jsonscan_value(&scan, 1, &value) || !jsonscan_more(&scan, '}', &more))
			return n;
		entries[n].hash = hash_key(entries[n].key, basis);
		n++;
	} while (more);
	return n;
}

bool
jsonkeys_add(struct jsonkeys *keys, struct span key)
{
	unsigned i;

	if (keys->count == JSONKEYS_FEW || (key.n > 0 && memchr(key.p, '\\', key.n) != NULL)) {
		keys->is_undecided = true;
		return false;
	}
	for (i = 0; i < keys->count; i++) {
		if (span_is_equal(keys->seen[i], key))
			return true;
	}
	keys->seen[keys->count++] = key;
	return false;
}

bool
jsonkeys_find_duplicate(struct span object_text, struct span *ret)
{
	struct entry entries[JSON_KEYS_MAX];
	size_t n = gather(object_text, entries), i;
	struct span found = { 0 };

	sort(entries, n);
	for (i = 1; i < n; i++) {
		struct span key = entries[i].key;

		if (entries[i - 1].hash == entries[i].hash &&
		    (found.p == NULL || key.p < found.p) &&
		    jsontext_compare(entries[i - 1].key, key) == 0)
			found = key;
	}
	if (found.p == NULL)
		return false;
	*ret = found;
	return true;
}
