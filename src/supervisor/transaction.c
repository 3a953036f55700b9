/*
 * Why this file exists: who is owed what, apart from how it is done, so that every order of events
 * can be tested.
 */
#include "supervisor/transaction.h"

#include <assert.h>

#include "bus/segment_layout.h"

static_assert((int)TRANSACTION_MEMBERS >= (int)SEGMENT_WORKER_SLOTS_MAX, "a place for each worker");

void
transaction_meet(struct transaction *t, unsigned member, uint32_t life)
{
	if (t->members[member].life != life)
		t->members[member] = (struct transaction_member){ .life = life };
}

void
transaction_want(struct transaction *t)
{
	t->is_wanted = true;
}

bool
transaction_ask(struct transaction *t, unsigned member, uint64_t ticket)
{
	struct transaction_member *m = &t->members[member];

	if (m->ticket != 0)
		return false;
	m->ticket = ticket;
	m->answered_by = t->number + 1;
	t->is_wanted = true;
	return true;
}

bool
transaction_is_due(const struct transaction *t)
{
	return t->phase == TRANSACTION_IDLE && t->is_wanted;
}

uint64_t
transaction_begin(struct transaction *t)
{
	t->phase = TRANSACTION_TAKING;
	t->is_wanted = false;
	return ++t->number;
}

void
transaction_owe(struct transaction *t, unsigned member)
{
	t->members[member].owes = t->number;
}

bool
transaction_take(struct transaction *t, unsigned member, uint64_t number)
{
	struct transaction_member *m = &t->members[member];

	if (m->owes == 0 || m->owes != number)
		return false;
	m->owes = 0;
	return true;
}

void
transaction_skip(struct transaction *t)
{
	t->phase = TRANSACTION_TELLING;
}

bool
transaction_owes(const struct transaction *t, unsigned member)
{
	return t->members[member].owes != 0;
}

static bool
is_owed(const struct transaction *t)
{
	for (unsigned i = 0; i < TRANSACTION_MEMBERS; i++)
		if (t->members[i].owes != 0)
			return true;
	return false;
}

bool
transaction_settle(struct transaction *t)
{
	if (t->phase == TRANSACTION_TAKING && !is_owed(t))
		t->phase = TRANSACTION_TELLING;
	return t->phase == TRANSACTION_TELLING;
}

bool
transaction_next_asker(struct transaction *t, unsigned *ret_member, uint64_t *ret_ticket)
{
	for (unsigned i = 0; i < TRANSACTION_MEMBERS; i++) {
		struct transaction_member *m = &t->members[i];

		if (m->ticket == 0 || m->answered_by > t->number)
			continue;
		*ret_member = i;
		*ret_ticket = m->ticket;
		m->ticket = 0;
		return true;
	}
	return false;
}

void
transaction_end(struct transaction *t)
{
	t->phase = TRANSACTION_IDLE;
}
