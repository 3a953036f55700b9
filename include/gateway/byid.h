/*
 * Finding a connection of this worker by its id.
 *
 * Ids are scrambled (bus/directory), so their low bits spread over the buckets as they are. Adding and removing
 * take no memory.
 */
#pragma once

#include <stdint.h>

enum { BYID_BUCKETS = 4096 };

/* Embedded in what is found. */
struct byid_link {
	struct byid_link *next;
	uint32_t id; /* 0: it is in no table */
};

/* Zero-initialised is valid and empty. */
struct byid {
	struct byid_link *buckets[BYID_BUCKETS];
};

/* Adds a link that is in no table under an id, not 0, that no other has. */
void byid_add(struct byid *table, struct byid_link *link, uint32_t id);

/* Takes it out, if it is in. */
void byid_remove(struct byid *table, struct byid_link *link);

/* The link of this id, or NULL. */
struct byid_link *byid_find(const struct byid *table, uint32_t id);
