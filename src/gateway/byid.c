/*
 * Chains, which are short: there are more buckets than a worker usually has connections.
 */
#include "gateway/byid.h"

#include <stddef.h>

static struct byid_link *const *
bucket(const struct byid *table, uint32_t id)
{
	return &table->buckets[id % BYID_BUCKETS];
}

void
byid_add(struct byid *table, struct byid_link *link, uint32_t id)
{
	struct byid_link **head = &table->buckets[id % BYID_BUCKETS];

	link->id = id;
	link->next = *head;
	*head = link;
}

void
byid_remove(struct byid *table, struct byid_link *link)
{
	struct byid_link **at = &table->buckets[link->id % BYID_BUCKETS];

	while (*at != NULL && *at != link)
		at = &(*at)->next;
	if (*at == link)
		*at = link->next;
	link->next = NULL;
	link->id = 0;
}

struct byid_link *
byid_find(const struct byid *table, uint32_t id)
{
	for (struct byid_link *at = *bucket(table, id); at != NULL; at = at->next)
		if (at->id == id && id != 0)
			return at;
	return NULL;
}
