/*
 * What mail about calls has in common, whoever sends it.
 */
#include "gateway/post.h"

#include <assert.h>
#include <errno.h>

#include "bus/bell.h"
#include "bus/mailbox.h"
#include "bus/roster.h"
#include "bus/segment.h"
#include "gateway/context.h"

enum { BITS = 64 };

static_assert(
    SEGMENT_SLOTS_MAX <= ARRAY_LEN(((struct gateway *)0)->mailed) * BITS, "a bit for each");

int
post_send(struct gateway *g, const struct post_letter *letter)
{
	struct mail mail = {
		.kind = (uint16_t)letter->kind,
		.from_slot = (uint16_t)g->slot,
		.from_generation = g->generation,
		.token = letter->token,
		.body = letter->body,
		.uses_reserve = letter->uses_reserve,
	};
	struct mailbox *mailbox = segment_mailbox(g->segment, letter->slot);
	int r = mailbox == NULL ? -ENOTCONN : mailbox_send(mailbox, &mail);

	/* To oneself it needs no bell: the loop looks at the mailbox before it sleeps. */
	if (r == 0 && letter->slot != g->slot)
		g->mailed[letter->slot / BITS] |= UINT64_C(1) << letter->slot % BITS;
	return r;
}

void
post_wake(struct gateway *g)
{
	for (unsigned i = 0; i < ARRAY_LEN(g->mailed); i++) {
		for (; g->mailed[i] != 0; g->mailed[i] &= g->mailed[i] - 1)
			bell_ring(g->segment, i * BITS + (unsigned)__builtin_ctzll(g->mailed[i]));
	}
}

bool
post_is_dead(const struct gateway *g, unsigned slot, uint32_t generation)
{
	struct roster_entry entry;

	roster_get(g->roster, slot, &entry);
	return entry.generation != generation || entry.state == ROSTER_DEAD ||
	       entry.state == ROSTER_EMPTY;
}
