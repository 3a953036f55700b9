/*
 * Idempotency keys in shared memory.
 *
 * Invariants, whatever process dies at whatever instruction:
 *  - an entry's state is stored after the rest of it, and taken away before the rest changes;
 *  - `end` is raised before the bytes are written that it counts: what a finished entry refers to is whole, or
 *    lies too far before `end`;
 *  - every length and position read from the memory is compared with its bounds before it is used.
 */
#include "bus/idempotency.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/failpoint.h"
#include "base/random.h"
#include "base/siphash.h"
#include "bus/layout.h"

enum {
	STATE_FREE,
	STATE_RUNNING,
	STATE_AWAITED, /* it runs, and others wait for its answer */
	STATE_NOT_KEPT,
	STATE_FINISHED, /* and, from here on, the answer's kind */
	KINDS = 256,
};

/* What stands in owner and runner, but for a slot + 1. */
enum {
	NOBODY = 0,
	LOST = UINT16_MAX, /* there was one */
};

enum { GRACE_MS = 10000 }; /* beyond its time-out, in which a call is surely over */

#define LOAD(word)	   atomic_load_explicit(word, memory_order_relaxed)
#define STORE(word, value) atomic_store_explicit(word, value, memory_order_relaxed)

struct idempotency {
	struct idempotency_shared *shared;
	unsigned slots;
	struct shlock_watch watch;
};

struct idempotency *
idempotency_new(struct idempotency_shared *shared, unsigned slots)
{
	struct idempotency *idempotency = mem_zalloc(sizeof(*idempotency));

	if (idempotency == NULL)
		return NULL;
	idempotency->shared = shared;
	idempotency->slots = slots;
	return idempotency;
}

void
idempotency_free(struct idempotency *idempotency)
{
	mem_free(idempotency);
}

int
idempotency_format(struct idempotency *idempotency)
{
	struct idempotency_shared *shared = idempotency->shared;
	int r;

	memset((void *)shared, 0, offsetof(struct idempotency_shared, data));
	r = random_bytes(shared->keys, sizeof(shared->keys));
	return r < 0 ? r : shlock_init(&shared->lock);
}

/* --- entries -------------------------------------------------------------------------------- */

static void
hash(const struct idempotency_shared *shared, struct span bytes, uint64_t ret[2])
{
	const struct siphash_key first = { shared->keys[0], shared->keys[1] };
	const struct siphash_key second = { shared->keys[2], shared->keys[3] };

	ret[0] = siphash(&first, bytes);
	ret[1] = siphash(&second, bytes);
}

static idempotency_ticket
ticket_of(const struct idempotency_shared *shared, const struct idempotency_entry *entry)
{
	return (uint64_t)entry->serial << 32 | (uint64_t)(entry - shared->entries + 1);
}

/* The entry of a ticket, NULL when it is another call's by now. */
static struct idempotency_entry *
entry_of(struct idempotency_shared *shared, idempotency_ticket ticket)
{
	uint64_t place = (ticket & UINT32_MAX) - 1;
	struct idempotency_entry *entry;

	if (place >= IDEMPOTENCY_ENTRIES)
		return NULL;
	entry = &shared->entries[place];
	if (LOAD(&entry->state) == STATE_FREE || entry->serial != ticket >> 32)
		return NULL;
	return entry;
}

static bool
is_running(uint32_t state)
{
	return state == STATE_RUNNING || state == STATE_AWAITED;
}

/* Whether the answer lies where the entry says, and was not overwritten. */
static bool
is_whole(const struct idempotency_shared *shared, const struct idempotency_entry *entry)
{
	uint64_t end = LOAD(&shared->end);

	return entry->length <= IDEMPOTENCY_ANSWER_MAX && entry->position <= end &&
	       end - entry->position <= IDEMPOTENCY_DATA && entry->length <= end - entry->position;
}

/* Whether the place can be taken by a new call without a loss. */
static bool
is_over(
    const struct idempotency_shared *shared, const struct idempotency_entry *entry, uint64_t now_ms)
{
	uint32_t state = LOAD(&entry->state);

	return state == STATE_FREE || entry->deadline_ms <= now_ms ||
	       (state >= STATE_FINISHED && !is_whole(shared, entry));
}

static void
set_state(struct idempotency_entry *entry, uint32_t state)
{
	atomic_store_explicit(&entry->state, state, memory_order_release);
	failpoint("state of the call");
}

/* --- the bytes of answers ------------------------------------------------------------------- */

static void
put(struct idempotency_shared *shared, struct idempotency_entry *entry, struct span answer)
{
	uint64_t position = LOAD(&shared->end);
	size_t offset = position % IDEMPOTENCY_DATA;
	size_t first = min_size(answer.n, IDEMPOTENCY_DATA - offset);

	atomic_store_explicit(&shared->end, position + answer.n, memory_order_release);
	failpoint("end of the answers");
	if (answer.n > 0) {
		memcpy(shared->data + offset, answer.p, first);
		memcpy(shared->data, answer.p + first, answer.n - first);
	}
	failpoint("bytes of the answer");
	entry->position = position;
	entry->length = (uint32_t)answer.n;
}

static enum idempotency_verdict
get(const struct idempotency_shared *shared, const struct idempotency_entry *entry,
    unsigned *ret_kind, struct buf *into)
{
	uint32_t state = LOAD(&entry->state);
	size_t offset = entry->position % IDEMPOTENCY_DATA;
	size_t first = min_size(entry->length, IDEMPOTENCY_DATA - offset);

	if (is_running(state))
		return IDEMPOTENCY_RUNNING;
	if (state == STATE_NOT_KEPT)
		return IDEMPOTENCY_NOT_KEPT;
	if (!is_whole(shared, entry))
		return IDEMPOTENCY_GONE;
	buf_reset(into);
	buf_append(into, shared->data + offset, first);
	buf_append(into, shared->data, entry->length - first);
	if (buf_status(into) != 0)
		return IDEMPOTENCY_NO_MEMORY;
	*ret_kind = (state - STATE_FINISHED) % KINDS;
	return IDEMPOTENCY_ANSWER;
}

/* --- beginning ------------------------------------------------------------------------------ */

/* The entry of the key; else a place for it, or NULL: all run. *ret_is_found says which. */
static struct idempotency_entry *
find(struct idempotency_shared *shared, const uint64_t key[2], uint64_t now_ms, bool *ret_is_found)
{
	struct idempotency_entry *set =
	    &shared->entries[key[0] % IDEMPOTENCY_SETS * IDEMPOTENCY_WAYS];
	struct idempotency_entry *best = NULL;
	bool is_free = false;

	*ret_is_found = false;
	for (unsigned i = 0; i < IDEMPOTENCY_WAYS; i++) {
		struct idempotency_entry *entry = &set[i];

		if (is_over(shared, entry, now_ms)) {
			best = entry;
			is_free = true;
			continue;
		}
		if (entry->key[0] == key[0] && entry->key[1] == key[1]) {
			*ret_is_found = true;
			return entry;
		}
		/* The oldest answer of the set goes, when there is no other place. */
		if (!is_free && !is_running(LOAD(&entry->state)) &&
		    (best == NULL || entry->deadline_ms < best->deadline_ms))
			best = entry;
	}
	return best;
}

static void
claim(struct idempotency_shared *shared, struct idempotency_entry *entry,
    const struct idempotency_call *call, const uint64_t key[2], const uint64_t params[2])
{
	uint32_t serial = LOAD(&shared->serial) + 1;

	set_state(entry, STATE_FREE);
	STORE(&shared->serial, serial);
	memcpy(entry->key, key, sizeof(entry->key));
	memcpy(entry->params, params, sizeof(entry->params));
	entry->serial = serial;
	entry->position = 0;
	entry->length = 0;
	entry->owner = (uint16_t)(call->slot + 1);
	entry->runner = 0;
	entry->deadline_ms = call->now_ms + call->timeout_ms + GRACE_MS;
	failpoint("entry of the call");
	set_state(entry, STATE_RUNNING);
}

static enum idempotency_verdict
begin_locked(struct idempotency_shared *shared, const struct idempotency_call *call,
    const uint64_t key[2], const uint64_t params[2], struct idempotency_entry **ret,
    unsigned *ret_kind, struct buf *into)
{
	bool is_found;
	struct idempotency_entry *entry = find(shared, key, call->now_ms, &is_found);

	if (entry == NULL)
		return IDEMPOTENCY_FULL;
	*ret = entry;
	if (!is_found) {
		claim(shared, entry, call, key, params);
		return IDEMPOTENCY_FIRST;
	}
	if (entry->params[0] != params[0] || entry->params[1] != params[1])
		return IDEMPOTENCY_MISMATCH;
	if (LOAD(&entry->state) == STATE_RUNNING)
		set_state(entry, STATE_AWAITED);
	return get(shared, entry, ret_kind, into);
}

enum idempotency_verdict
idempotency_begin(struct idempotency *idempotency, const struct idempotency_call *call,
    idempotency_ticket *ret_ticket, unsigned *ret_kind, struct buf *into)
{
	struct idempotency_shared *shared = idempotency->shared;
	struct idempotency_entry *entry = NULL;
	enum idempotency_verdict verdict;
	uint64_t key[2], params[2];

	if (call->slot >= idempotency->slots)
		return IDEMPOTENCY_FULL;
	hash(shared, call->identity, key);
	hash(shared, call->params, params);
	if (shlock_take(&shared->lock, NULL) < 0)
		return IDEMPOTENCY_LOCKED;
	verdict = begin_locked(shared, call, key, params, &entry, ret_kind, into);
	if (verdict == IDEMPOTENCY_FIRST || verdict == IDEMPOTENCY_RUNNING)
		*ret_ticket = ticket_of(shared, entry);
	shlock_give(&shared->lock);
	return verdict;
}

enum idempotency_verdict
idempotency_look(struct idempotency *idempotency, idempotency_ticket ticket, unsigned *ret_kind,
    struct buf *into)
{
	struct idempotency_shared *shared = idempotency->shared;
	enum idempotency_verdict verdict = IDEMPOTENCY_GONE;
	struct idempotency_entry *entry;

	if (shlock_take(&shared->lock, NULL) < 0)
		return IDEMPOTENCY_LOCKED;
	entry = entry_of(shared, ticket);
	if (entry != NULL)
		verdict = get(shared, entry, ret_kind, into);
	shlock_give(&shared->lock);
	return verdict;
}

/* --- ending --------------------------------------------------------------------------------- */

/*
 * The lock for what must be done: its holder is killed by the supervisor when it stands still, so it is to be had
 * in the end; until then the entry runs on, and ends by its deadline.
 */
static struct idempotency_entry *
take_running(struct idempotency *idempotency, idempotency_ticket ticket)
{
	struct idempotency_entry *entry;

	if (ticket == 0 || shlock_take(&idempotency->shared->lock, NULL) < 0)
		return NULL;
	entry = entry_of(idempotency->shared, ticket);
	if (entry != NULL && is_running(LOAD(&entry->state)))
		return entry;
	shlock_give(&idempotency->shared->lock);
	return NULL;
}

static void
set_runner(struct idempotency *idempotency, idempotency_ticket ticket, uint16_t runner)
{
	struct idempotency_entry *entry = take_running(idempotency, ticket);

	if (entry == NULL)
		return;
	entry->runner = runner;
	failpoint("runner");
	shlock_give(&idempotency->shared->lock);
}

void
idempotency_hand_over(struct idempotency *idempotency, idempotency_ticket ticket, unsigned slot)
{
	set_runner(idempotency, ticket, (uint16_t)(slot + 1));
}

void
idempotency_take_back(struct idempotency *idempotency, idempotency_ticket ticket)
{
	set_runner(idempotency, ticket, NOBODY);
}

bool
idempotency_is_handed_over(struct idempotency *idempotency, idempotency_ticket ticket)
{
	struct idempotency_entry *entry = take_running(idempotency, ticket);
	bool is_handed_over;

	if (entry == NULL)
		return false;
	is_handed_over = entry->runner != 0;
	shlock_give(&idempotency->shared->lock);
	return is_handed_over;
}

bool
idempotency_finish(struct idempotency *idempotency, idempotency_ticket ticket, unsigned kind,
    struct span answer, uint64_t now_ms)
{
	struct idempotency_entry *entry = take_running(idempotency, ticket);
	bool is_awaited;

	if (entry == NULL)
		return false;
	is_awaited = LOAD(&entry->state) == STATE_AWAITED;
	if (answer.n <= IDEMPOTENCY_ANSWER_MAX)
		put(idempotency->shared, entry, answer);
	entry->deadline_ms = now_ms + IDEMPOTENCY_KEPT_MS;
	failpoint("deadline of the answer");
	set_state(entry,
	    answer.n <= IDEMPOTENCY_ANSWER_MAX ? STATE_FINISHED + kind % KINDS : STATE_NOT_KEPT);
	shlock_give(&idempotency->shared->lock);
	return is_awaited;
}

bool
idempotency_forget(struct idempotency *idempotency, idempotency_ticket ticket)
{
	struct idempotency_entry *entry = take_running(idempotency, ticket);
	bool is_awaited;

	if (entry == NULL)
		return false;
	is_awaited = LOAD(&entry->state) == STATE_AWAITED;
	set_state(entry, STATE_FREE);
	shlock_give(&idempotency->shared->lock);
	return is_awaited;
}

/* --- after the dead ------------------------------------------------------------------------- */

/* One of the two that a running call may have has died: whoever is left finishes it. */
static void
outlive(struct idempotency_entry *entry, uint16_t dead)
{
	if (entry->owner == dead)
		entry->owner = NOBODY;
	if (entry->runner == dead)
		entry->runner = LOST;
	failpoint("owner of the call");
	if (entry->owner == NOBODY && (entry->runner == NOBODY || entry->runner == LOST))
		set_state(entry, STATE_FREE);
}

void
idempotency_clear_slot(struct idempotency *idempotency, unsigned slot)
{
	struct idempotency_shared *shared = idempotency->shared;
	uint16_t dead = (uint16_t)(slot + 1);
	int r;

	shlock_mend(&shared->lock);
	r = shlock_take(&shared->lock, NULL);
	for (unsigned i = 0; i < IDEMPOTENCY_ENTRIES; i++) {
		struct idempotency_entry *entry = &shared->entries[i];

		if (is_running(LOAD(&entry->state)))
			outlive(entry, dead);
	}
	if (r == 0)
		shlock_give(&shared->lock);
}

/* --- questions ------------------------------------------------------------------------------ */

void
idempotency_count(const struct idempotency *idempotency, uint64_t now_ms, unsigned *ret_running,
    unsigned *ret_finished)
{
	const struct idempotency_shared *shared = idempotency->shared;

	*ret_running = *ret_finished = 0;
	for (unsigned i = 0; i < IDEMPOTENCY_ENTRIES; i++) {
		const struct idempotency_entry *entry = &shared->entries[i];

		if (is_over(shared, entry, now_ms))
			continue;
		if (is_running(LOAD(&entry->state)))
			++*ret_running;
		else
			++*ret_finished;
	}
}

uint64_t
idempotency_recoveries(const struct idempotency *idempotency)
{
	return shlock_recoveries(&idempotency->shared->lock);
}

pid_t
idempotency_stuck_holder(struct idempotency *idempotency, uint64_t limit_ms)
{
	return shlock_stuck(&idempotency->shared->lock, &idempotency->watch, limit_ms);
}
