/*
 * The segment: created, adopted after the death of all, or made anew; parts lie where nobody else
 * writes; slots are cleared.
 */
#include "support_bus.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "bus/counters.h"
#include "bus/layout.h"
#include "bus/ring_view.h"
#include "bus/roster.h"
#include "bus/segment_map.h"
#include "bus/wake.h"
#include "support_alloc.h"
#include "support_children.h"

enum { EVENTS = 20 };

/* A bus that keeps its name, so that it can be adopted. */
static int
named_setup(void **state)
{
	struct bus *bus = calloc(1, sizeof(*bus));

	bus_name(bus);
	*state = bus;
	return 0;
}

static int
named_teardown(void **state)
{
	struct bus *bus = *state;
	int r;

	segment_close(bus->segment);
	r = segment_unlink(bus->name);
	free(bus);
	return r;
}

#define named_test(test) cmocka_unit_test_setup_teardown(test, named_setup, named_teardown)

static void
bus_reopen(struct bus *bus, enum segment_origin should)
{
	segment_close(bus->segment);
	bus->segment = NULL;
	bus_open(bus, should);
}

static void
publish(struct ring *ring, unsigned count)
{
	struct ring_draft draft = {
		.name = SPAN("session.message"), .key = SPAN("k"), .frame = SPAN("a frame")
	};
	struct ring_receipt receipt;

	while (count-- > 0)
		assert_int_equal(ring_publish(ring, 0, &draft, &receipt), 0);
}

static void
wants_events(struct ring *ring, uint64_t count)
{
	struct buf frames = { 0 };
	struct buf labels = { 0 };
	struct ring_record record;

	assert_true(ring_head(ring) == count);
	for (uint64_t seq = 1; seq <= count; seq++)
		assert_int_equal(ring_read(ring, seq, &frames, &labels, &record), RING_RECORD);
	buf_fini(&frames);
	buf_fini(&labels);
}

static void
test_layouts_out_of_bounds(void **state)
{
	static const struct segment_layout bad[] = {
		{ 0, 65536, 65536, 10 },
		{ SEGMENT_WORKER_SLOTS_MAX + 1, 65536, 65536, 10 },
		{ 1, RING_BYTES_MIN - 1, 65536, 10 },
		{ 1, UINT64_MAX, 65536, 10 },
		{ 1, 65536, MAILBOX_BYTES_MIN - 1, 10 },
		{ 1, 65536, UINT64_MAX, 10 },
		{ 1, 65536, 65536, 0 },
		{ 1, 65536, 65536, DIRECTORY_CONNECTIONS_MAX + 1 },
	};
	static const char *const names[] = { "", "/", "name", "/a/b" };
	const struct segment_layout good = { 1, 65536, 65536, 10 };
	struct segment *segment;
	enum segment_origin origin;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(
		    segment_open("/lurkbot-test", &bad[i], &segment, &origin), -EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(segment_open(names[i], &good, &segment, &origin), -EINVAL);
}

/* No two parts overlap, in the smallest and in the largest layout. */
static void
test_plan(void **state)
{
	static const struct segment_layout layouts[] = {
		{ 1, RING_BYTES_MIN, MAILBOX_BYTES_MIN, 1 },
		{ 64, 33554432, 4194304, 100000 },
		{ SEGMENT_WORKER_SLOTS_MAX, RING_BYTES_MIN + 1, MAILBOX_BYTES_MIN + 1, 1 << 20 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
		struct segment_plan p;

		assert_int_equal(segment_plan_make(&layouts[i], &p), 0);
		assert_true(p.wake >= sizeof(struct segment_header));
		assert_true(p.roster >= p.wake + sizeof(struct wake_shared));
		assert_true(p.counters >= p.roster + (p.slots + 1) * sizeof(struct roster_line));
		assert_true(p.directory >= p.counters + p.slots * sizeof(struct counters));
		assert_true(p.directory_slots >= p.directory + sizeof(struct directory_shared));
		assert_true(
		    p.entries >= p.directory_slots + p.slots * sizeof(struct directory_slot));
		assert_true(p.ring >= p.entries + p.layout.max_connections * 8);
		assert_true(p.readers >= p.ring + sizeof(struct ring_shared));
		assert_true(p.index >= p.readers + p.slots * sizeof(struct ring_reader));
		assert_true(p.mailboxes >= p.index + p.index_count * sizeof(struct ring_index));
		assert_true(p.own_mail >= p.mailboxes + p.slots * sizeof(struct mailbox_shared));
		assert_true(p.worker_mail >= p.own_mail + 2 * p.layout.mailbox_bytes);
		assert_true(
		    p.ring_data >= p.worker_mail + p.layout.worker_slots * p.layout.mailbox_bytes);
		assert_true(p.total == p.ring_data + p.layout.ring_bytes);
		assert_true(p.ring_data % 4096 == 0 && p.layout.ring_bytes % 4096 == 0);
		assert_true(p.layout.ring_bytes >= layouts[i].ring_bytes);
		assert_true(p.layout.mailbox_bytes >= layouts[i].mailbox_bytes);
	}
}

static void
test_slots(void **state)
{
	struct bus *bus = *state;

	assert_int_equal(segment_slots(bus->segment), BUS_WORKERS + 2);
	assert_int_equal(segment_worker_slots(bus->segment), BUS_WORKERS);
	assert_int_equal(segment_keeper_slot(bus->segment), BUS_WORKERS);
	assert_int_equal(segment_supervisor_slot(bus->segment), BUS_WORKERS + 1);
	assert_non_null(segment_mailbox(bus->segment, BUS_WORKERS + 1));
	assert_null(segment_mailbox(bus->segment, BUS_WORKERS + 2));
	assert_true(segment_bell_fd(bus->segment, BUS_WORKERS + 1) >= 0);
	assert_int_equal(segment_bell_fd(bus->segment, BUS_WORKERS + 2), -1);
	assert_true(fcntl(segment_fd(bus->segment), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(
	    segment_reserve_worker(bus->segment, segment_keeper_slot(bus->segment)), -EINVAL);
	assert_int_equal(segment_layout_of(bus->segment)->max_connections, BUS_CONNECTIONS);
}

/* All but the mailboxes of workers that never ran is reserved, and those refuse mail. */
static void
test_memory_is_reserved(void **state)
{
	struct bus *bus = *state;
	enum segment_origin origin;
	struct mail mail = { .body = SPAN("hello") };
	uint64_t unreserved = BUS_WORKERS * MAILBOX_BYTES_MIN;
	uint64_t whole;

	assert_int_equal(segment_open(bus->name, &bus->layout, &bus->segment, &origin), 0);
	whole = segment_bytes(bus->segment);
	assert_true(segment_bytes_reserved(bus->segment) >= whole - unreserved);
	assert_true(segment_bytes_reserved(bus->segment) < whole);
	assert_int_equal(mailbox_send(segment_mailbox(bus->segment, 1), &mail), -ENOTCONN);
	assert_int_equal(segment_reserve_worker(bus->segment, 1), 0);
	assert_int_equal(mailbox_send(segment_mailbox(bus->segment, 1), &mail), 0);
	assert_true(segment_bytes_reserved(bus->segment) >= whole - unreserved + MAILBOX_BYTES_MIN);
	assert_int_equal(segment_reserve_worker(bus->segment, 0), 0);
	assert_int_equal(segment_reserve_worker(bus->segment, 2), 0);
	assert_true(segment_bytes_reserved(bus->segment) >= whole);
}

/* A child that publishes, writes mail, claims connections, and then waits with all locks held. */
static pid_t
make_gateway(struct bus *bus, _Atomic int *ready)
{
	uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);
	struct mail mail = { .body = SPAN("hello") };
	uint32_t conn_id;
	pid_t pid = support_fork();

	if (pid == 0) {
		publish(bus->ring, EVENTS);
		if (mailbox_send(segment_mailbox(bus->segment, 1), &mail) < 0 ||
		    mailbox_reserve(segment_mailbox(bus->segment, 1), 100) < 0 ||
		    directory_claim(bus->directory, 1, &conn_id) < 0 ||
		    shlock_take(&bus->ring->parts.shared->lock, NULL) < 0)
			_exit(EXIT_FAILURE);
		roster_start(segment_roster(bus->segment), 1, getpid(), 1, 1);
		counters_add(&segment_counters(bus->segment, 1)->accepted, 1);
		wake_arm(segment_wake(bus->segment), 1);
		*ready = 1;
		for (;;)
			pause();
	}
	while (*ready == 0)
		assert_true(support_wait(deadline));
	return pid;
}

static void
test_adopted_after_the_death_of_all(void **state)
{
	struct bus *bus = *state;
	_Atomic int *ready = support_share(sizeof(*ready));
	char epoch[17];
	struct roster_entry entry;

	bus_open(bus, SEGMENT_CREATED);
	strcpy(epoch, ring_epoch(bus->ring));
	support_kill(make_gateway(bus, ready));
	bus_reopen(bus, SEGMENT_ADOPTED);

	assert_string_equal(ring_epoch(bus->ring), epoch);
	assert_true(ring_mutex_recoveries(bus->ring) == 1);
	wants_events(bus->ring, EVENTS);
	assert_true(mailbox_is_empty(segment_mailbox(bus->segment, 1)));
	assert_int_equal(mailbox_reserved(segment_mailbox(bus->segment, 1)), 0);
	assert_int_equal(directory_count(bus->directory, 1), 0);
	assert_int_equal(counters_get(&segment_counters(bus->segment, 1)->accepted), 0);
	roster_get(segment_roster(bus->segment), 1, &entry);
	assert_int_equal(entry.pid, 0);
	publish(bus->ring, 1);
	wants_events(bus->ring, EVENTS + 1);
	bus_reopen(bus, SEGMENT_ADOPTED);
	assert_true(ring_mutex_recoveries(bus->ring) == 1);
	wants_events(bus->ring, EVENTS + 1);
}

/* Adopted too when the ring has gone round often, and when nothing was published. */
static void
test_adopted_full_and_empty(void **state)
{
	struct bus *bus = *state;

	bus_open(bus, SEGMENT_CREATED);
	bus_reopen(bus, SEGMENT_ADOPTED);
	publish(bus->ring, 5000);
	bus_reopen(bus, SEGMENT_ADOPTED);
	assert_true(ring_head(bus->ring) == 5000);
	/* A publisher that died in the middle left an intent, and the next entry half written. */
	atomic_fetch_add(&bus->ring->parts.shared->intent, 1000);
	atomic_store(&ring_view_index(bus->ring, 5001)->seq, 5001);
	bus_reopen(bus, SEGMENT_ADOPTED);
	assert_true(ring_head(bus->ring) == 5000);
	publish(bus->ring, 1);
	assert_true(ring_head(bus->ring) == 5001);
}

/* The memory of workers' mail that a dead gateway had reserved is given back. */
static void
test_adoption_reserves_only_what_runs(void **state)
{
	struct bus *bus = *state;
	enum segment_origin origin;

	bus_open(bus, SEGMENT_CREATED);
	assert_true(segment_bytes_reserved(bus->segment) >= segment_bytes(bus->segment));
	segment_close(bus->segment);
	assert_int_equal(segment_open(bus->name, &bus->layout, &bus->segment, &origin), 0);
	assert_int_equal(origin, SEGMENT_ADOPTED);
	assert_true(segment_bytes_reserved(bus->segment) < segment_bytes(bus->segment));
}

/* Other sizes, each in turn: a new epoch. */
static void
test_other_layout_is_not_adopted(void **state)
{
	struct bus *bus = *state;
	char epoch[17];

	bus_open(bus, SEGMENT_CREATED);
	for (unsigned i = 0; i < 4; i++) {
		strcpy(epoch, ring_epoch(bus->ring));
		bus->layout.worker_slots += i == 0;
		bus->layout.ring_bytes += i == 1 ? 4096 : 0;
		bus->layout.mailbox_bytes += i == 2 ? 4096 : 0;
		bus->layout.max_connections += i == 3;
		bus_reopen(bus, SEGMENT_CREATED);
		assert_string_not_equal(ring_epoch(bus->ring), epoch);
		bus_reopen(bus, SEGMENT_ADOPTED);
	}
}

/* What may be wrong with a ring that was left behind. */
static void
wreck(struct ring *ring, unsigned how)
{
	struct ring_shared *shared = ring->parts.shared;
	struct ring_index *index = ring_view_index(ring, EVENTS / 2);

	switch (how) {
	case 0:
		atomic_fetch_add(&shared->head, 1);
		break;
	case 1:
		atomic_fetch_add(&shared->intent, ring->parts.bytes);
		break;
	case 2:
		atomic_store(&shared->intent, 0);
		break;
	case 3:
		atomic_fetch_add(&index->pos, 1);
		break;
	case 4:
		atomic_store(&index->at_ms, UINT64_MAX);
		break;
	case 5:
		*ring_view_data(ring, atomic_load(&index->pos)) ^= 1;
		break;
	case 6:
		shared->epoch[3] = 'x';
		break;
	case 7:
		memset(shared->epoch, 'a', sizeof(shared->epoch));
		break;
	case 8:
		shared->bytes++;
		break;
	case 9:
		atomic_store(&index->seq, 0);
		break;
	default:
		atomic_store(&shared->head, UINT64_MAX);
		break;
	}
}

static void
test_wrecked_ring_is_not_adopted(void **state)
{
	struct bus *bus = *state;

	bus_open(bus, SEGMENT_CREATED);
	for (unsigned how = 0; how <= 10; how++) {
		publish(bus->ring, EVENTS);
		bus_reopen(bus, SEGMENT_ADOPTED);
		wreck(bus->ring, how);
		bus_reopen(bus, SEGMENT_CREATED);
		assert_true(ring_head(bus->ring) == 0);
	}
}

/*
 * A creation that was cut short, an object of another length, and one that is no segment at all.
 */
static void
test_unfinished_object_is_replaced(void **state)
{
	struct bus *bus = *state;
	const off_t sizes[] = { 0, 4096, 1 << 20 };
	struct segment_plan plan;
	struct segment_map map;

	assert_int_equal(segment_plan_make(&bus->layout, &plan), 0);
	assert_int_equal(segment_map_create(bus->name, &plan, &map), 0);
	assert_int_equal(segment_map_create(bus->name, &plan, &map), -EEXIST);
	segment_map_close(&map, &plan);
	bus_open(bus, SEGMENT_CREATED);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		int fd;

		assert_int_equal(segment_unlink(bus->name), 0);
		fd = shm_open(bus->name, O_RDWR | O_CREAT | O_EXCL, 0600);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		close(fd);
		bus_reopen(bus, SEGMENT_CREATED);
	}
}

static void
test_object_that_others_can_open_is_refused(void **state)
{
	struct bus *bus = *state;
	struct segment *segment;
	enum segment_origin origin;

	bus_open(bus, SEGMENT_CREATED);
	assert_int_equal(fchmod(segment_fd(bus->segment), 0660), 0);
	assert_int_equal(segment_open(bus->name, &bus->layout, &segment, &origin), -EACCES);
	assert_int_equal(fchmod(segment_fd(bus->segment), 0600), 0);
	bus_reopen(bus, SEGMENT_ADOPTED);
}

/* Neither adopted nor, with other sizes, removed: not even when the lock file was. */
static void
test_segment_in_use_is_refused(void **state)
{
	struct bus *bus = *state;
	struct segment_layout other = bus->layout;
	struct segment *segment;
	enum segment_origin origin;

	bus_open(bus, SEGMENT_CREATED);
	other.max_connections++;
	assert_int_equal(segment_open(bus->name, &bus->layout, &segment, &origin), -EBUSY);
	assert_int_equal(segment_open(bus->name, &other, &segment, &origin), -EBUSY);
	bus_reopen(bus, SEGMENT_ADOPTED);
}

static unsigned
count_descriptors(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void
open_without_memory(void *arg)
{
	struct bus *bus = arg;
	unsigned before = count_descriptors();
	struct segment *segment = NULL;
	enum segment_origin origin;
	int r = segment_open(bus->name, &bus->layout, &segment, &origin);

	if (r == 0)
		segment_close(segment);
	else
		assert_int_equal(r, -ENOMEM);
	assert_int_equal(count_descriptors(), before);
}

/* Neither creation nor adoption leaves anything behind when memory fails. */
static void
test_no_memory(void **state)
{
	struct bus *bus = *state;

	assert_true(support_alloc_try_each(open_without_memory, bus) > 5);
	assert_true(support_alloc_try_each(open_without_memory, bus) > 5);
	bus_open(bus, SEGMENT_ADOPTED);
}

/* What a dead worker had is taken from it, and from it alone. */
static void
test_slot_is_cleared(void **state)
{
	struct bus *bus = *state;
	struct mailbox *mailbox = segment_mailbox(bus->segment, 1);
	struct mail mail = { .body = SPAN("hello") };
	uint32_t theirs;
	uint32_t ours;
	unsigned slot;

	assert_int_equal(mailbox_send(mailbox, &mail), 0);
	assert_int_equal(mailbox_reserve(mailbox, 100), 0);
	assert_int_equal(mailbox_send(segment_mailbox(bus->segment, 0), &mail), 0);
	assert_int_equal(directory_claim(bus->directory, 1, &theirs), 0);
	assert_int_equal(directory_claim(bus->directory, 0, &ours), 0);
	ring_reader_attach(bus->ring, 1, 1);
	segment_clear_slot(bus->segment, 1);
	assert_true(mailbox_is_empty(mailbox));
	assert_int_equal(mailbox_reserved(mailbox), 0);
	assert_int_equal(directory_find(bus->directory, theirs, &slot), -ENOENT);
	assert_int_equal(directory_find(bus->directory, ours, &slot), 0);
	assert_int_equal(slot, 0);
	assert_false(mailbox_is_empty(segment_mailbox(bus->segment, 0)));
	assert_true(ring_reader_seq(bus->ring, 1) == 0);
	segment_clear_slot(bus->segment, segment_slots(bus->segment));
}

/* Locks of all kinds are found when their holder stands still, and free again when it is dead. */
static void
test_stuck_holder(void **state)
{
	struct bus *bus = *state;
	struct segment_plan plan;
	struct mailbox_shared *mailboxes;
	struct directory_shared *directory;
	struct shlock *locks[3];

	assert_int_equal(segment_plan_make(&bus->layout, &plan), 0);
	mailboxes = (void *)((char *)bus->ring->parts.shared - plan.ring + plan.mailboxes);
	directory = (void *)((char *)bus->ring->parts.shared - plan.ring + plan.directory);
	locks[0] = &bus->ring->parts.shared->lock;
	locks[1] = &mailboxes[2].lock;
	locks[2] = &directory->lock;
	for (unsigned i = 0; i < ARRAY_LEN(locks); i++) {
		uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);
		pid_t found;
		pid_t pid = support_fork();

		if (pid == 0) {
			if (shlock_take(locks[i], NULL) < 0)
				_exit(EXIT_FAILURE);
			raise(SIGSTOP);
			_exit(EXIT_FAILURE);
		}
		while ((found = segment_stuck_holder(bus->segment, 20)) == 0)
			assert_true(support_wait(deadline));
		assert_int_equal(found, pid);
		support_kill(pid);
		assert_int_equal(segment_stuck_holder(bus->segment, 0), 0);
		segment_clear_slot(bus->segment, 0);
		assert_true(shlock_recoveries(locks[i]) == 1);
	}
	assert_true(mailbox_recoveries(segment_mailbox(bus->segment, 2)) == 1);
	assert_true(directory_recoveries(bus->directory) == 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts_out_of_bounds),
		cmocka_unit_test(test_plan),
		bus_test(test_slots),
		named_test(test_memory_is_reserved),
		named_test(test_adopted_after_the_death_of_all),
		named_test(test_adopted_full_and_empty),
		named_test(test_adoption_reserves_only_what_runs),
		named_test(test_other_layout_is_not_adopted),
		named_test(test_wrecked_ring_is_not_adopted),
		named_test(test_unfinished_object_is_replaced),
		named_test(test_object_that_others_can_open_is_refused),
		named_test(test_segment_in_use_is_refused),
		named_test(test_no_memory),
		bus_test(test_slot_is_cleared),
		bus_test(test_stuck_holder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
