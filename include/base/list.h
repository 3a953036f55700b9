/*
 * Doubly linked ring with the links inside the elements: no allocation, removal without knowing
 * the list. The same struct serves as head and as link; container_of leads from a link to its
 * owner. A link that stands in no list points at itself, so removing it again is harmless.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

/* Visits every link; the body must not remove the link it stands on. */
#define LIST_FOREACH(var, head) for ((var) = (head)->next; (var) != (head); (var) = (var)->next)

/* The same, but the body may remove (and free) the link it stands on, though not the one after. */
#define LIST_FOREACH_SAFE(var, tmp, head)                                \
	for ((var) = (head)->next, (tmp) = (var)->next; (var) != (head); \
	     (var) = (tmp), (tmp) = (var)->next)

/* Makes an empty head, or a link that stands in no list. */
static inline void
list_init(struct list *l)
{
	l->prev = l;
	l->next = l;
}

/* For a head: whether nothing is in the list. For a link: whether it stands in none. */
static inline bool
list_is_empty(const struct list *l)
{
	return l->next == l;
}

/* Puts item, which must stand in no list, last. */
static inline void
list_append(struct list *head, struct list *item)
{
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

/* Puts item, which must stand in no list, first. */
static inline void
list_prepend(struct list *head, struct list *item)
{
	item->next = head->next;
	item->prev = head;
	head->next->prev = item;
	head->next = item;
}

/* Puts all that stand in `from`, which is empty afterwards, behind those of head. */
static inline void
list_append_all(struct list *head, struct list *from)
{
	if (from->next == from)
		return;
	from->next->prev = head->prev;
	head->prev->next = from->next;
	from->prev->next = head;
	head->prev = from->prev;
	list_init(from);
}

/* Takes item out of whatever list it stands in; afterwards it stands in none. */
static inline void
list_remove(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

/* The first link, or NULL when the list is empty. */
static inline struct list *
list_first(const struct list *head)
{
	return head->next == head ? NULL : head->next;
}

/* The last link, or NULL when the list is empty. */
static inline struct list *
list_last(const struct list *head)
{
	return head->prev == head ? NULL : head->prev;
}
