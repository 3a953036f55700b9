/*
 * Chained table, a power of two wide. The first few buckets lie in the map itself, so that a small
 * map is one block. Invariants: each entry hangs in bucket hash & (width - 1); no rehash while
 * map_each walks. The table doubles when it is full and halves when one in eight buckets would do;
 * when there is no memory for either, the old table goes on serving, with longer or emptier chains.
 */
#include "base/map.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "base/siphash.h"

enum { WIDTH_MIN = 8 };

struct entry {
	struct entry *next;
	void *value;
	uint64_t hash;
	size_t key_len;
	char key[];
};

struct map {
	struct siphash_key seed;
	struct entry **buckets; /* first, or a block of its own */
	size_t width, count;
	unsigned walkers; /* map_each calls under way */
	struct entry *first[WIDTH_MIN];
};

struct map *
map_new(void)
{
	struct map *m = mem_zalloc(sizeof(*m));

	if (m == NULL)
		return NULL;
	if (random_bytes(&m->seed, sizeof(m->seed)) < 0) {
		mem_free(m);
		return NULL;
	}
	m->buckets = m->first;
	m->width = WIDTH_MIN;
	return m;
}

static void
free_table(struct map *m)
{
	if (m->buckets != m->first)
		mem_free(m->buckets);
}

void
map_free(struct map *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->width; i++) {
		struct entry *e = m->buckets[i];

		while (e != NULL) {
			struct entry *next = e->next;

			mem_free(e);
			e = next;
		}
	}
	free_table(m);
	mem_free(m);
}

static void
resize(struct map *m, size_t width)
{
	struct entry **buckets;

	if (m->walkers > 0)
		return;
	buckets = width > WIDTH_MIN ? mem_array(width, sizeof(struct entry *)) : m->first;
	if (buckets == NULL)
		return;
	if (buckets == m->first)
		memset(m->first, 0, sizeof(m->first));
	for (size_t i = 0; i < m->width; i++) {
		struct entry *e = m->buckets[i];

		while (e != NULL) {
			struct entry *next = e->next;
			struct entry **bucket = &buckets[e->hash & (width - 1)];

			e->next = *bucket;
			*bucket = e;
			e = next;
		}
	}
	free_table(m);
	m->buckets = buckets;
	m->width = width;
}

/* Gives back the table's memory once one bucket in eight would do. */
static void
shrink(struct map *m)
{
	size_t width = m->width;

	while (width > WIDTH_MIN && m->count < width / 8)
		width /= 2;
	if (width < m->width)
		resize(m, width);
}

/* The link that points at the entry of the key, or the NULL at the end of its chain. */
static struct entry **
find(const struct map *m, struct span key, uint64_t hash)
{
	struct entry **link = &m->buckets[hash & (m->width - 1)];

	for (; *link != NULL; link = &(*link)->next) {
		const struct entry *e = *link;

		if (e->hash == hash && span_is_equal(span_make(e->key, e->key_len), key))
			break;
	}
	return link;
}

int
map_put(struct map *m, struct span key, void *value)
{
	uint64_t hash = siphash(&m->seed, key);
	struct entry *e;
	struct entry **bucket;

	if (*find(m, key, hash) != NULL)
		return -EEXIST;
	if (key.n > SIZE_MAX - sizeof(*e))
		return -ENOMEM;
	e = mem_alloc(sizeof(*e) + key.n);
	if (e == NULL)
		return -ENOMEM;
	if (m->count >= m->width)
		resize(m, m->width * 2);
	e->value = value;
	e->hash = hash;
	e->key_len = key.n;
	if (key.n > 0)
		memcpy(e->key, key.p, key.n);
	bucket = &m->buckets[hash & (m->width - 1)];
	e->next = *bucket;
	*bucket = e;
	m->count++;
	return 0;
}

void *
map_remove(struct map *m, struct span key)
{
	struct entry **link = find(m, key, siphash(&m->seed, key));
	struct entry *e = *link;
	void *value;

	if (e == NULL)
		return NULL;
	value = e->value;
	*link = e->next;
	mem_free(e);
	m->count--;
	shrink(m);
	return value;
}

void *
map_get(const struct map *m, struct span key)
{
	const struct entry *e = *find(m, key, siphash(&m->seed, key));

	return e == NULL ? NULL : e->value;
}

size_t
map_count(const struct map *m)
{
	return m->count;
}

void
map_each(struct map *m, map_visit *visit, void *arg)
{
	bool goes_on = true;

	m->walkers++;
	for (size_t i = 0; goes_on && i < m->width; i++) {
		struct entry *next;

		for (struct entry *e = m->buckets[i]; goes_on && e != NULL; e = next) {
			next = e->next;
			goes_on = visit(span_make(e->key, e->key_len), e->value, arg);
		}
	}
	m->walkers--;
	shrink(m);
}
