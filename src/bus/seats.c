/*
 * Seats: in-flight numbers by worker and provider, and the granting of those that become free.
 *
 * Invariant: while a place is free nobody waits for it, but for those that came while they were not
 * known to the granter: a request looks for a free place and begins to wait under one taking of the
 * lock, and whoever frees a place grants it under another.
 */
#include "bus/seats.h"

#include <errno.h>

#include "base/failpoint.h"
#include "bus/providers_view.h"

#define LOAD(word)	   atomic_load_explicit(word, memory_order_relaxed)
#define STORE(word, value) atomic_store_explicit(word, value, memory_order_relaxed)

static struct provider_seats *
seats_of(const struct providers *providers, unsigned slot, unsigned row)
{
	return &providers->parts.slots[slot].seats[row];
}

/* The line of a place, NULL when another provider, or none, stands there now. */
static struct provider_line *
line_of(const struct providers *providers, const struct seats_place *place)
{
	struct provider_line *line = &providers->parts.shared->lines[place->row % PROVIDERS_MAX];

	if (place->row >= PROVIDERS_MAX || place->conn_id == 0)
		return NULL;
	return LOAD(&line->conn_id) == place->conn_id ? line : NULL;
}

unsigned
seats_in_flight(const struct providers *providers, unsigned row)
{
	unsigned slots = providers_view_slots(providers), sum = 0;

	if (row >= PROVIDERS_MAX)
		return 0;
	for (unsigned slot = 0; slot < slots; slot++)
		sum += LOAD(&seats_of(providers, slot, row)->in_flight);
	return sum;
}

unsigned
seats_waiting(const struct providers *providers, unsigned method)
{
	unsigned slots = providers_view_slots(providers), sum = 0;

	if (method >= PROVIDERS_METHODS)
		return 0;
	for (unsigned slot = 0; slot < slots; slot++)
		sum += LOAD(&providers->parts.slots[slot].waiting[method]);
	return sum;
}

unsigned
seats_granted(const struct providers *providers, unsigned slot, unsigned row)
{
	return LOAD(&seats_of(providers, slot, row)->granted);
}

/* --- granting, under the lock --------------------------------------------------------------- */

/* Gives a free seat of the row to the next worker that waits; which one, or SEATS_NO_SLOT. */
static unsigned
grant(struct providers *providers, struct provider_line *line, unsigned row)
{
	unsigned slots = providers_view_slots(providers);

	if (slots == 0 || LOAD(&line->is_full) ||
	    seats_in_flight(providers, row) >= line->concurrency)
		return SEATS_NO_SLOT;
	for (unsigned i = 1; i <= slots; i++) {
		unsigned slot = (line->last_granted + i) % slots;
		struct provider_seats *seats = seats_of(providers, slot, row);
		uint16_t granted = LOAD(&seats->granted);

		if (LOAD(&seats->waiting) <= granted)
			continue;
		line->last_granted = slot;
		STORE(&seats->granted, (uint16_t)(granted + 1));
		STORE(&seats->in_flight, (uint16_t)(LOAD(&seats->in_flight) + 1));
		failpoint("seat granted");
		providers_view_tell(providers, slot);
		return slot;
	}
	return SEATS_NO_SLOT;
}

/* --- taking --------------------------------------------------------------------------------- */

/* The place with the fewest in flight of those that have a seat left; `count` when none has. */
static unsigned
find_seat(const struct providers *providers, const struct seats_wanted *wanted, unsigned *ret_alive)
{
	unsigned best = wanted->count, fewest = UINT32_MAX;

	*ret_alive = 0;
	for (unsigned i = 0; i < wanted->count; i++) {
		unsigned which = (wanted->turn + i) % wanted->count;
		const struct seats_place *place = &wanted->places[which];
		const struct provider_line *line = line_of(providers, place);
		unsigned in_flight;

		if (line == NULL)
			continue;
		++*ret_alive;
		in_flight = seats_in_flight(providers, place->row);
		if (LOAD(&line->is_full) || in_flight >= line->concurrency || in_flight >= fewest)
			continue;
		best = which;
		fewest = in_flight;
	}
	return best;
}

static void
add_waiting(struct providers *providers, const struct seats_wanted *wanted, uint32_t n)
{
	struct providers_slot *own = &providers->parts.slots[wanted->slot];

	STORE(&own->waiting[wanted->method], LOAD(&own->waiting[wanted->method]) + n);
	for (unsigned i = 0; i < wanted->count; i++) {
		_Atomic uint32_t *waiting = &own->seats[wanted->places[i].row].waiting;

		STORE(waiting, LOAD(waiting) + n);
	}
	failpoint("waiting");
}

static enum seats_verdict
take_locked(struct providers *providers, const struct seats_wanted *wanted, unsigned *ret_which)
{
	struct providers_shared *shared = providers->parts.shared;
	struct provider_seats *seats;
	unsigned alive, which;

	if (wanted->slot >= LOAD(&shared->slots_used))
		STORE(&shared->slots_used, wanted->slot + 1);
	which = find_seat(providers, wanted, &alive);
	if (alive == 0)
		return SEATS_STALE;
	if (which < wanted->count) {
		seats = seats_of(providers, wanted->slot, wanted->places[which].row);
		STORE(&seats->in_flight, (uint16_t)(LOAD(&seats->in_flight) + 1));
		failpoint("seat taken");
		*ret_which = which;
		return SEATS_TAKEN;
	}
	if (!wanted->is_forced && seats_waiting(providers, wanted->method) >= SEATS_LINE_MAX)
		return SEATS_FULL;
	add_waiting(providers, wanted, 1);
	return SEATS_WAITS;
}

enum seats_verdict
seats_take(struct providers *providers, const struct seats_wanted *wanted, unsigned *ret_which)
{
	struct shlock *lock = &providers->parts.shared->lock;
	enum seats_verdict verdict;

	if (wanted->count == 0)
		return SEATS_STALE;
	if (shlock_take(lock, NULL) < 0)
		return SEATS_LOCKED;
	verdict = take_locked(providers, wanted, ret_which);
	shlock_give(lock);
	return verdict;
}

void
seats_stop_waiting(struct providers *providers, const struct seats_wanted *wanted)
{
	add_waiting(providers, wanted, UINT32_MAX);
}

int
seats_use(struct providers *providers, unsigned slot, const struct seats_place *place)
{
	struct shlock *lock = &providers->parts.shared->lock;
	struct provider_seats *seats = seats_of(providers, slot, place->row);
	int r = shlock_take(lock, NULL);

	if (r < 0)
		return r;
	if (line_of(providers, place) == NULL || LOAD(&seats->granted) == 0)
		r = -ENOENT;
	else
		STORE(&seats->granted, (uint16_t)(LOAD(&seats->granted) - 1));
	failpoint("grant used");
	shlock_give(lock);
	return r;
}

/* --- giving back ---------------------------------------------------------------------------- */

int
seats_release(struct providers *providers, unsigned slot, const struct seats_place *place,
    bool is_granted, unsigned *ret_slot)
{
	struct shlock *lock = &providers->parts.shared->lock;
	struct provider_seats *seats = seats_of(providers, slot, place->row);
	struct provider_line *line;
	int r = shlock_take(lock, NULL);

	*ret_slot = SEATS_NO_SLOT;
	if (r < 0)
		return r;
	line = line_of(providers, place);
	if (line != NULL && LOAD(&seats->in_flight) > 0) {
		if (is_granted && LOAD(&seats->granted) > 0)
			STORE(&seats->granted, (uint16_t)(LOAD(&seats->granted) - 1));
		STORE(&seats->in_flight, (uint16_t)(LOAD(&seats->in_flight) - 1));
		failpoint("seat given back");
		*ret_slot = grant(providers, line, place->row);
	}
	shlock_give(lock);
	return 0;
}

void
seats_set_full(struct providers *providers, const struct seats_place *place, bool is_full)
{
	struct shlock *lock = &providers->parts.shared->lock;
	struct provider_line *line = line_of(providers, place);

	if (line == NULL || (LOAD(&line->is_full) != 0) == is_full)
		return;
	STORE(&line->is_full, is_full);
	failpoint("is_full");
	if (is_full || shlock_take(lock, NULL) < 0)
		return;
	while (grant(providers, line, place->row) != SEATS_NO_SLOT)
		continue;
	shlock_give(lock);
}
