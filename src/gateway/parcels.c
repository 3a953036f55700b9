/*
 * One list for all mailboxes: it is short, since every sender has one parcel in it at most, but for what a
 * connection that ended left behind.
 */
#include "gateway/parcels.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "bus/counters.h"
#include "gateway/connection.h"
#include "gateway/context.h"

struct parcel {
	struct list link;
	struct connection *sender; /* NULL: gone, or not paused for it */
	struct post_letter letter;
	uint32_t generation;
	char bytes[];
};

struct parcels {
	struct list waiting;
};

struct parcels *
parcels_new(void)
{
	struct parcels *parcels = mem_zalloc(sizeof(*parcels));

	if (parcels != NULL)
		list_init(&parcels->waiting);
	return parcels;
}

void
parcels_free(struct parcels *parcels)
{
	struct list *first;

	if (parcels == NULL)
		return;
	while ((first = list_first(&parcels->waiting)) != NULL) {
		list_remove(first);
		mem_free(container_of(first, struct parcel, link));
	}
	mem_free(parcels);
}

/* Whether it has to be tried again. */
static bool
has_no_room(int r)
{
	return r == -ENOBUFS || r == -ETIMEDOUT;
}

static int
send_to(struct gateway *g, const struct post_letter *letter, uint32_t generation)
{
	int r = post_send(g, letter);

	/* What the dead would be sent is cleared with the rest of theirs, or means nothing to a successor. */
	return has_no_room(r) && post_is_dead(g, letter->slot, generation) ? 0 : r;
}

/* Whether something for this slot waits, which must arrive before. */
static bool
is_behind(const struct parcels *parcels, unsigned slot)
{
	const struct list *at;

	LIST_FOREACH (at, &parcels->waiting) {
		if (container_of(at, struct parcel, link)->letter.slot == slot)
			return true;
	}
	return false;
}

/* Without memory to keep it, its caller is answered by its time-out. */
static void
keep(struct parcels *parcels, const struct post_letter *letter, uint32_t generation,
    struct connection *sender)
{
	struct parcel *parcel = mem_alloc(sizeof(*parcel) + letter->body.n);

	if (parcel == NULL)
		return;
	*parcel = (struct parcel){ .sender = sender, .letter = *letter, .generation = generation };
	if (letter->body.n > 0)
		memcpy(parcel->bytes, letter->body.p, letter->body.n);
	parcel->letter.body = span_make(parcel->bytes, letter->body.n);
	list_init(&parcel->link);
	list_append(&parcels->waiting, &parcel->link);
	if (sender != NULL)
		connection_pause(sender);
}

void
parcels_post(struct parcels *parcels, struct gateway *g, const struct post_letter *letter,
    uint32_t generation, struct connection *sender)
{
	/* What uses a reserve of its own has room, and says the same behind an answer as before it. */
	bool may_pass = letter->uses_reserve || !is_behind(parcels, letter->slot);

	if (may_pass && !has_no_room(send_to(g, letter, generation)))
		return;
	keep(parcels, letter, generation, sender);
	counters_add(&g->counters->answers_held, 1);
}

void
parcels_forget(struct parcels *parcels, const struct connection *sender)
{
	struct list *at;

	LIST_FOREACH (at, &parcels->waiting) {
		struct parcel *parcel = container_of(at, struct parcel, link);

		if (parcel->sender == sender)
			parcel->sender = NULL;
	}
}

static void
let_go(struct parcel *parcel)
{
	struct connection *sender = parcel->sender;

	list_remove(&parcel->link);
	mem_free(parcel);
	if (sender != NULL)
		connection_resume(sender);
}

void
parcels_turn(struct parcels *parcels, struct gateway *g)
{
	struct list left, *first;
	unsigned full = UINT32_MAX;

	list_init(&left);
	/* Who is resumed may send more, which then stands behind these. */
	while ((first = list_first(&parcels->waiting)) != NULL) {
		list_remove(first);
		list_append(&left, first);
	}
	while ((first = list_first(&left)) != NULL) {
		struct parcel *parcel = container_of(first, struct parcel, link);
		unsigned slot = parcel->letter.slot;

		if (slot == full || has_no_room(send_to(g, &parcel->letter, parcel->generation))) {
			full = slot;
			list_remove(first);
			list_append(&parcels->waiting, first);
		} else {
			let_go(parcel);
		}
	}
}
