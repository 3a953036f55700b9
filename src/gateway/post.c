/*
 * What mail about calls has in common, whoever sends it.
 */
#include "gateway/post.h"

#include <errno.h>

#include "bus/bell.h"
#include "bus/mailbox.h"
#include "bus/roster.h"
#include "bus/segment.h"
#include "gateway/context.h"

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
		bell_ring(g->segment, letter->slot);
	return r;
}

bool
post_is_dead(const struct gateway *g, unsigned slot, uint32_t generation)
{
	struct roster_entry entry;

	roster_get(g->roster, slot, &entry);
	return entry.generation != generation || entry.state == ROSTER_DEAD ||
	       entry.state == ROSTER_EMPTY;
}
