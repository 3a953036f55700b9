/*
 * Hash map from byte strings to pointers. Keys are copied; values are the caller's and are never
 * freed here. The hash is SipHash-1-3 under a random key of each map, so that peers who choose the
 * keys can not choose collisions. The table grows and shrinks with what it holds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/span.h"

struct map;

/*
 * What map_each calls for each entry. Returns true to go on, false to end the walk. It may remove
 * the very entry it is called for (after which key is no longer valid), and nothing else: no
 * map_put, no other removal, no map_free.
 */
typedef bool map_visit(struct span key, void *value, void *arg);

/* A new empty map, or NULL without memory (or without random bytes). Freed by map_free. */
struct map *map_new(void) must_check;

/* Frees the map and its keys, not the values. NULL is allowed. */
void map_free(struct map *);

/*
 * Enters a key that is not there yet; value must not be NULL. 0; -EEXIST when the key is there
 * (nothing changes); -ENOMEM.
 */
int map_put(struct map *, struct span key, void *value) must_check;

/* Takes the key out and returns its value, or NULL when there was no such key. */
void *map_remove(struct map *, struct span key);

/* The value of the key, or NULL when there is no such key. */
void *map_get(const struct map *, struct span key);

/* Number of entries. */
size_t map_count(const struct map *);

/* Calls visit with arg for every entry, in no particular order, until it returns false. */
void map_each(struct map *, map_visit *visit, void *arg);
