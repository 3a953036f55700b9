/*
 * The directory: each connection has one owner, ids name the living alone, and a close reaches
 * its owner whatever is full, held or dead.
 */
#include "support_bus.h"

#include <errno.h>
#include <signal.h>

#include "bus/directory_view.h"
#include "support_children.h"

enum {
	HELD_MAX = 40,
	KILLS = 60,
};

static void
test_claim_find_release(void **state)
{
	struct bus *bus = *state;
	uint32_t id = 0;
	unsigned slot = 99;

	assert_int_equal(directory_claim(bus->directory, 2, &id), 0);
	assert_int_not_equal(id, 0);
	assert_int_equal(directory_find(bus->directory, id, &slot), 0);
	assert_int_equal(slot, 2);
	assert_int_equal(directory_count(bus->directory, 2), 1);
	directory_release(bus->directory, id);
	assert_int_equal(directory_find(bus->directory, id, &slot), -ENOENT);
	assert_int_equal(directory_count(bus->directory, 2), 0);
	directory_release(bus->directory, id);
	assert_int_equal(directory_count(bus->directory, 2), 0);
	assert_int_equal(directory_find(bus->directory, 0, &slot), -ENOENT);
	assert_int_equal(
	    directory_claim(bus->directory, segment_slots(bus->segment), &id), -EINVAL);
	assert_int_equal(directory_count(bus->directory, segment_slots(bus->segment)), 0);
}

static int
order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/*
 * As many as it was laid out for, from wherever the claims come; then none, until one is
 * released.
 */
static void
test_capacity(void **state)
{
	struct bus *bus = *state;
	uint32_t ids[BUS_CONNECTIONS];
	uint32_t id;

	assert_int_equal(directory_capacity(bus->directory), BUS_CONNECTIONS);
	for (unsigned i = 0; i < BUS_CONNECTIONS; i++)
		assert_int_equal(directory_claim(bus->directory, i % BUS_WORKERS, &ids[i]), 0);
	assert_int_equal(directory_claim(bus->directory, 0, &id), -ENOSPC);
	id = ids[77];
	directory_release(bus->directory, id);
	assert_int_equal(directory_claim(bus->directory, 0, &ids[77]), 0);
	assert_int_not_equal(ids[77], id);
	assert_int_equal(directory_claim(bus->directory, 0, &id), -ENOSPC);
	qsort(ids, BUS_CONNECTIONS, sizeof(ids[0]), order);
	for (unsigned i = 1; i < BUS_CONNECTIONS; i++)
		assert_true(ids[i] > ids[i - 1]);
}

/* Ids do not come again while the generations of an entry have not gone round. */
static void
test_ids_are_not_used_again_soon(void **state)
{
	struct bus *bus = *state;
	uint32_t *ids = calloc(100000, sizeof(*ids));
	unsigned slot;

	for (unsigned i = 0; i < 100000; i++) {
		assert_int_equal(directory_claim(bus->directory, 0, &ids[i]), 0);
		directory_release(bus->directory, ids[i]);
	}
	assert_int_equal(directory_find(bus->directory, ids[0], &slot), -ENOENT);
	qsort(ids, 100000, sizeof(ids[0]), order);
	for (unsigned i = 1; i < 100000; i++)
		assert_true(ids[i] > ids[i - 1]);
	free(ids);
}

/* The generation begins anew at 1, and no id is 0, in the smallest and the largest directory. */
static void
test_generations_go_round(void **state)
{
	const uint32_t capacities[] = { 1, 2, 3, 1 << 20 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct directory_parts parts = {
			.shared = aligned_alloc(64, sizeof(struct directory_shared)),
			.slots = aligned_alloc(64, sizeof(struct directory_slot)),
			.entries = calloc(capacities[i], sizeof(uint64_t)),
			.capacity = capacities[i],
			.slot_count = 1,
		};
		struct directory *directory = directory_new(&parts);
		uint32_t id;
		unsigned slot;

		assert_int_equal(directory_format(directory), 0);
		atomic_store(&parts.entries[0], UINT32_MAX >> directory->index_bits);
		assert_int_equal(directory_claim(directory, 0, &id), 0);
		assert_int_not_equal(id, 0);
		assert_int_equal(directory_find(directory, id, &slot), 0);
		assert_int_equal(atomic_load(&parts.entries[0]) & UINT32_MAX, 1);
		directory_free(directory);
		free(parts.shared);
		free(parts.slots);
		free((void *)parts.entries);
	}
}

/* What another process may have written into an entry is not followed. */
static void
test_wild_entries(void **state)
{
	struct bus *bus = *state;
	struct directory_parts *parts = &bus->directory->parts;
	char reason[DIRECTORY_REASON_MAX + 1];
	uint32_t id;
	unsigned slot;

	assert_int_equal(directory_claim(bus->directory, 0, &id), 0);
	for (uint32_t i = 0; i < parts->capacity; i++)
		if (atomic_load(&parts->entries[i]) != 0) {
			uint64_t word = atomic_load(&parts->entries[i]);

			atomic_store(&parts->entries[i], word | DIRECTORY_SLOT_MASK);
			assert_int_equal(directory_find(bus->directory, id, &slot), -ENOENT);
			atomic_store(&parts->entries[i], word | UINT64_C(0x7fff) << 48);
			assert_true(directory_take_close(bus->directory, id, reason));
			assert_string_equal(reason, "");
		}
	for (uint32_t i = 0; i < 100000; i++)
		assert_true(directory_find(bus->directory, i * 2654435761u, &slot) == -ENOENT ||
			    i * 2654435761u == id);
	memset(parts->shared->reasons, 'x', sizeof(parts->shared->reasons));
	assert_int_equal(directory_request_close(bus->directory, id, SPAN("bye"), &slot), 0);
	assert_true(directory_take_close(bus->directory, id, reason));
	assert_string_equal(reason, "bye");
}

static void
test_close_is_asked_and_taken(void **state)
{
	struct bus *bus = *state;
	char reason[DIRECTORY_REASON_MAX + 1];
	uint32_t id;
	uint64_t before = directory_close_requests(bus->directory, 1);
	unsigned slot = 99;

	assert_int_equal(directory_claim(bus->directory, 1, &id), 0);
	assert_false(directory_take_close(bus->directory, id, reason));
	assert_false(directory_has_requests(bus->directory, 1));
	assert_int_equal(directory_request_close(bus->directory, id, SPAN("go home"), &slot), 0);
	assert_int_equal(slot, 1);
	assert_true(directory_has_requests(bus->directory, 1));
	assert_int_equal(directory_request_close(bus->directory, id, SPAN("again"), &slot), 0);
	/* Told again: who asked first may have died before it told. */
	assert_true(directory_close_requests(bus->directory, 1) == before + 2);
	assert_false(directory_has_requests(bus->directory, 1));
	assert_true(directory_take_close(bus->directory, id, reason));
	assert_string_equal(reason, "go home");
	assert_false(directory_take_close(bus->directory, id, reason));
	assert_int_equal(directory_find(bus->directory, id, &slot), 0);

	assert_int_equal(directory_request_close(bus->directory, id, SPAN(""), &slot), 0);
	directory_release(bus->directory, id);
	assert_false(directory_take_close(bus->directory, id, reason));
	assert_int_equal(directory_request_close(bus->directory, id, SPAN("late"), &slot), -ENOENT);
	assert_false(directory_has_requests(bus->directory, segment_slots(bus->segment)));
	assert_true(directory_close_requests(bus->directory, segment_slots(bus->segment)) == 0);
}

/* Cut at 123 bytes, and before a character that would be cut in two. */
static void
test_long_reasons(void **state)
{
	struct bus *bus = *state;
	char reason[DIRECTORY_REASON_MAX + 1];
	char text[200];
	uint32_t id;
	unsigned slot;

	assert_int_equal(directory_claim(bus->directory, 1, &id), 0);
	memset(text, 'a', sizeof(text));
	for (size_t n = 122; n <= 124; n++) {
		assert_int_equal(
		    directory_request_close(bus->directory, id, span_make(text, n), &slot), 0);
		assert_true(directory_take_close(bus->directory, id, reason));
		assert_int_equal(strlen(reason), n > 123 ? 123 : n);
	}
	memcpy(text + 121, "\xe2\x82\xac", 3);
	assert_int_equal(
	    directory_request_close(bus->directory, id, span_make(text, 200), &slot), 0);
	assert_true(directory_take_close(bus->directory, id, reason));
	assert_int_equal(strlen(reason), 121);
	memset(text, 0x80, sizeof(text));
	assert_int_equal(
	    directory_request_close(bus->directory, id, span_make(text, 200), &slot), 0);
	assert_true(directory_take_close(bus->directory, id, reason));
	assert_string_equal(reason, "");
}

/* More closes than there are places for reasons: all are asked, the last without a reason. */
static void
test_reasons_run_out(void **state)
{
	struct bus *bus = *state;
	char reason[DIRECTORY_REASON_MAX + 1];
	uint32_t ids[DIRECTORY_REASONS + 10];
	unsigned slot;

	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
			assert_int_equal(directory_claim(bus->directory, 1, &ids[i]), 0);
			assert_int_equal(
			    directory_request_close(bus->directory, ids[i], SPAN("reason"), &slot),
			    0);
		}
		for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
			assert_true(directory_take_close(bus->directory, ids[i], reason));
			assert_string_equal(reason, i < DIRECTORY_REASONS ? "reason" : "");
			directory_release(bus->directory, ids[i]);
		}
	}
}

/*
 * The lock of the reasons is held by a process that stands still: the close is asked all the
 * same.
 */
static void
test_close_does_not_depend_on_the_lock(void **state)
{
	struct bus *bus = *state;
	struct shlock *lock = &bus->directory->parts.shared->lock;
	char reason[DIRECTORY_REASON_MAX + 1];
	uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);
	uint32_t id;
	unsigned slot;
	pid_t pid = support_fork();

	if (pid == 0) {
		if (shlock_take(lock, NULL) == 0)
			raise(SIGSTOP);
		_exit(EXIT_FAILURE);
	}
	while (directory_stuck_holder(bus->directory, 1) == 0)
		assert_true(support_wait(deadline));
	assert_int_equal(directory_claim(bus->directory, 1, &id), 0);
	assert_int_equal(directory_request_close(bus->directory, id, SPAN("reason"), &slot), 0);
	assert_true(directory_take_close(bus->directory, id, reason));
	assert_string_equal(reason, "");
	support_kill(pid);
	assert_int_equal(directory_request_close(bus->directory, id, SPAN("reason"), &slot), 0);
	assert_true(directory_take_close(bus->directory, id, reason));
	assert_string_equal(reason, "reason");
	assert_true(directory_recoveries(bus->directory) == 1);
}

/* --- several processes -------------------------------------------------------------------- */

/* What a worker tells the test: the id that it holds longest, and how far it has come. */
struct worker {
	_Atomic uint32_t shown;
	_Atomic uint32_t closed; /* the last id that was closed by request, with the right reason */
	_Atomic uint64_t rounds;
	_Atomic uint32_t fault;
};

static void
reason_for(uint32_t id, char out[16])
{
	snprintf(out, 16, "close %08x", id);
}

/* Takes the close of the shown connection, if one was asked, and shows another. */
static void
serve_close(struct bus *bus, unsigned slot, struct worker *worker, uint32_t *id)
{
	char reason[DIRECTORY_REASON_MAX + 1];
	char should[16];

	if (!directory_has_requests(bus->directory, slot))
		return;
	directory_close_requests(bus->directory, slot);
	if (!directory_take_close(bus->directory, *id, reason))
		return;
	reason_for(*id, should);
	if (strcmp(reason, should) != 0)
		worker->fault = 3;
	worker->closed = *id;
	directory_release(bus->directory, *id);
	if (directory_claim(bus->directory, slot, id) < 0)
		worker->fault = 4;
	worker->shown = *id;
}

/* Claims and releases without end; what it holds must be its own. */
static void
work(struct bus *bus, unsigned slot, struct worker *worker, uint64_t seed)
{
	uint32_t held[HELD_MAX] = { 0 };
	uint32_t id;
	unsigned owner;

	if (directory_claim(bus->directory, slot, &id) < 0)
		_exit(EXIT_FAILURE);
	worker->shown = id;
	for (;; worker->rounds++) {
		uint32_t *place = &held[support_random(&seed) % HELD_MAX];

		if (*place == 0 && directory_claim(bus->directory, slot, place) < 0)
			worker->fault = 1;
		if (directory_find(bus->directory, *place, &owner) < 0 || owner != slot)
			worker->fault = 2;
		if (support_random(&seed) % 2 == 0) {
			directory_release(bus->directory, *place);
			*place = 0;
		}
		serve_close(bus, slot, worker, &id);
	}
}

static pid_t
start_worker(struct bus *bus, unsigned slot, struct worker *worker, uint64_t seed)
{
	pid_t pid = support_fork();

	if (pid == 0) {
		work(bus, slot, worker, seed);
		_exit(EXIT_FAILURE);
	}
	return pid;
}

/* Asks for the close of what a worker shows, and waits until that was done. */
static void
close_one(struct bus *bus, struct worker *worker)
{
	uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);
	char reason[16];
	uint32_t id;
	unsigned slot;

	do {
		id = worker->shown;
		reason_for(id, reason);
		assert_true(support_wait(deadline));
	} while (
	    id == 0 || directory_request_close(bus->directory, id, span_cstr(reason), &slot) < 0);
	while (worker->closed != id)
		assert_true(support_wait(deadline));
}

static void
test_workers_that_are_killed(void **state)
{
	struct bus *bus = *state;
	struct worker *workers = support_share(BUS_WORKERS * sizeof(*workers));
	pid_t pids[BUS_WORKERS];
	uint64_t seed = 5;
	uint32_t id;

	for (unsigned i = 0; i < BUS_WORKERS; i++)
		pids[i] = start_worker(bus, i, &workers[i], i);
	for (unsigned k = 0; k < KILLS; k++) {
		unsigned victim = (unsigned)(support_random(&seed) % BUS_WORKERS);
		uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);
		uint64_t goal = workers[victim].rounds + support_random(&seed) % 3000;

		while (workers[victim].rounds < goal)
			assert_true(support_wait(deadline));
		close_one(bus, &workers[(victim + 1) % BUS_WORKERS]);
		support_kill(pids[victim]);
		segment_clear_slot(bus->segment, victim);
		assert_int_equal(directory_count(bus->directory, victim), 0);
		workers[victim].shown = 0;
		pids[victim] = start_worker(bus, victim, &workers[victim], seed);
	}
	for (unsigned i = 0; i < BUS_WORKERS; i++) {
		support_kill(pids[i]);
		segment_clear_slot(bus->segment, i);
		assert_int_equal(workers[i].fault, 0);
	}
	for (unsigned i = 0; i < BUS_CONNECTIONS; i++)
		assert_int_equal(directory_claim(bus->directory, 0, &id), 0);
	assert_int_equal(directory_claim(bus->directory, 0, &id), -ENOSPC);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		bus_test(test_claim_find_release),
		bus_test(test_capacity),
		bus_test(test_ids_are_not_used_again_soon),
		cmocka_unit_test(test_generations_go_round),
		bus_test(test_wild_entries),
		bus_test(test_close_is_asked_and_taken),
		bus_test(test_long_reasons),
		bus_test(test_reasons_run_out),
		bus_test(test_close_does_not_depend_on_the_lock),
		bus_test(test_workers_that_are_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
