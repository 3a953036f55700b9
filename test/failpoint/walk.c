/*
 * The walk: each scenario, each point, one child for each.
 *
 * The points are not listed anywhere: the first child of a scenario goes through the whole
 * operation and notes them, so a store that is added shows up by itself.
 * usage: walk >TABLE
 */
#include "walk.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/macros.h"
#include "bus/directory_view.h"
#include "bus/layout.h"
#include "bus/ring_view.h"

enum {
	POINTS_MAX = 256,
	NAME_MAX_BYTES = 80,
	INVARIANTS_MAX = 16,
	STUCK_MS = 1,
	FAILURES_TOLD = 20,
};

/* What the child notes, in memory that outlives it. */
struct notes {
	unsigned count;
	char names[POINTS_MAX][NAME_MAX_BYTES];
};

/* The driver's own state; a test program may have some. */
static struct {
	struct notes *notes;
	unsigned end_at; /* 0: at no point */
	int signal;
	bool is_child;
	const char *scenario;
	const char *point;
	const char *held[INVARIANTS_MAX];
	unsigned held_count;
	unsigned failures, points;
} walk;

void
failpoint_reached(const char *function, const char *store)
{
	struct notes *notes = walk.notes;

	if (!walk.is_child || notes->count == POINTS_MAX)
		return;
	snprintf(notes->names[notes->count++], NAME_MAX_BYTES, "%s: %s", function, store);
	if (notes->count == walk.end_at)
		kill(getpid(), walk.signal);
}

void
walk_hold(const char *name, bool holds)
{
	unsigned i = 0;

	while (i < walk.held_count && strcmp(walk.held[i], name) != 0)
		i++;
	if (i == walk.held_count && i < INVARIANTS_MAX)
		walk.held[walk.held_count++] = name;
	if (holds)
		return;
	if (walk.failures++ > FAILURES_TOLD)
		return;
	fprintf(stderr, "%s, after %s: %s does not hold\n", walk.scenario, walk.point, name);
}

void
walk_need(bool works, const char *what)
{
	if (works)
		return;
	fprintf(stderr, "%s: %s: %s failed\n", walk.scenario, walk.point, what);
	exit(EXIT_FAILURE);
}

/* --- children ----------------------------------------------------------------------------- */

static pid_t
start_child(struct world *world, void (*act)(struct world *world), bool notes_points)
{
	pid_t parent = getpid(), pid = fork();

	walk_need(pid >= 0, "fork");
	if (pid > 0)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(EXIT_FAILURE);
	walk.is_child = notes_points;
	act(world);
	_exit(EXIT_SUCCESS);
}

static int
reap(pid_t pid, int options)
{
	int status = 0;
	pid_t r;

	do
		r = waitpid(pid, &status, options);
	while (r < 0 && errno == EINTR);
	walk_need(r == pid, "waitpid");
	return status;
}

void
walk_in_child(struct world *world, void (*act)(struct world *world))
{
	reap(start_child(world, act, false), 0);
}

const char *
walk_lock(const void *shlock)
{
	const struct shlock *lock = shlock;
	int word = __atomic_load_n(&lock->mutex.__data.__lock, __ATOMIC_ACQUIRE);

	return ((unsigned)word & FUTEX_OWNER_DIED) != 0 ? "its holder is dead"
	       : ((unsigned)word & FUTEX_TID_MASK) != 0 ? "held"
							: "free";
}

/* The shared part of a mailbox is what its view points to first: see bus/mailbox.c. */
const void *
walk_mailbox_lock(const struct mailbox *mailbox)
{
	struct mailbox_shared *const *view = (const void *)mailbox;

	return &(*view)->lock;
}

const void *
walk_visitors_lock(const struct visitors *visitors)
{
	struct visitors_shared *const *view = (const void *)visitors;

	return &(*view)->lock;
}

/* Of the providers, and of the idempotency keys: both views begin with the memory, and that with its lock. */
static const void *
first_lock(const void *view)
{
	return *(const void *const *)view;
}

static bool
is_held(const void *lock)
{
	return strcmp(walk_lock(lock), "held") == 0;
}

static bool
is_any_lock_held(const struct world *world)
{
	for (unsigned slot = 0; slot < WALK_WORKERS; slot++)
		if (is_held(walk_mailbox_lock(segment_mailbox(world->segment, slot))))
			return true;
	return is_held(&world->ring->parts.shared->lock) ||
	       is_held(walk_visitors_lock(segment_visitors(world->segment))) ||
	       is_held(first_lock(segment_providers(world->segment))) ||
	       is_held(first_lock(segment_idempotency(world->segment))) ||
	       is_held(&world->directory->parts.shared->lock);
}

void
walk_repair(struct world *world)
{
	segment_clear_slot(world->segment, VICTIM);
}

/* --- worlds ------------------------------------------------------------------------------- */

/* The frames of all events that can be read now. */
static void
save_events(struct world *world)
{
	size_t n = 0;

	world->head = ring_head(world->ring);
	world->oldest = ring_oldest(world->ring);
	for (uint64_t seq = world->oldest; seq <= world->head; seq++) {
		struct buf labels = { 0 };
		struct ring_record record;

		walk_need(n < SAVED_MAX, "room for the saved events");
		world->saved_at[n++] = world->saved.len;
		walk_need(
		    ring_read(world->ring, seq, &world->saved, &labels, &record) == RING_RECORD,
		    "reading what was published");
		buf_fini(&labels);
	}
	world->saved_at[n] = world->saved.len;
}

static void
open_world(struct world *world, const struct scenario *scenario)
{
	const struct segment_layout layout = { .worker_slots = WALK_WORKERS,
		.ring_bytes = RING_BYTES_MIN,
		.mailbox_bytes = MAILBOX_BYTES_MIN,
		.max_connections = WALK_CONNECTIONS };
	enum segment_origin origin;
	char name[64];

	snprintf(name, sizeof(name), "/lurkbot-walk-%d", (int)getpid());
	walk_need(segment_open(name, &layout, &world->segment, &origin) == 0, "segment_open");
	walk_need(segment_unlink(name) == 0, "segment_unlink");
	for (unsigned slot = 0; slot < WALK_WORKERS; slot++)
		walk_need(segment_reserve_worker(world->segment, slot) == 0, "reserve");
	world->ring = segment_ring(world->segment);
	world->directory = segment_directory(world->segment);
	world->mail = segment_mailbox(world->segment, SURVIVOR);
	scenario->prepare(world);
	world->recoveries = ring_mutex_recoveries(world->ring);
	save_events(world);
}

static void
close_world(struct world *world)
{
	segment_close(world->segment);
	buf_fini(&world->saved);
	memset(world, 0, sizeof(*world));
}

/* --- the walk ----------------------------------------------------------------------------- */

/* Goes through the whole operation: how many points there are, and where it leads. */
static unsigned
record(const struct scenario *scenario, uint64_t *ret_oldest_after)
{
	struct world world = { 0 };

	walk.point = "no point at all";
	walk.end_at = 0;
	walk.notes->count = 0;
	open_world(&world, scenario);
	walk_need(reap(start_child(&world, scenario->act, true), 0) == 0, "the operation");
	walk_need(walk.notes->count > 0 && walk.notes->count < POINTS_MAX, "noting the points");
	*ret_oldest_after = ring_oldest(world.ring);
	close_world(&world);
	return walk.notes->count;
}

/* One that stands still with a lock is found, and killed like the supervisor does. */
static void
stop_at(struct world *world, const struct scenario *scenario)
{
	pid_t pid, found = 0;

	walk.signal = SIGSTOP;
	walk.notes->count = 0;
	pid = start_child(world, scenario->act, true);
	walk_need(WIFSTOPPED(reap(pid, WUNTRACED)), "SIGSTOP");
	while (found == 0 && is_any_lock_held(world))
		found = segment_stuck_holder(world->segment, STUCK_MS);
	if (found != 0)
		walk_hold("S1", found == pid);
	kill(pid, SIGKILL);
	reap(pid, 0);
}

static void
kill_at(struct world *world, const struct scenario *scenario)
{
	pid_t pid;
	int status;

	walk.signal = SIGKILL;
	walk.notes->count = 0;
	pid = start_child(world, scenario->act, true);
	status = reap(pid, 0);
	walk_need(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "SIGKILL");
}

static void
visit(const struct scenario *scenario, unsigned n, uint64_t oldest_after,
    void (*end_at)(struct world *world, const struct scenario *scenario), struct buf *out)
{
	struct world world = { 0 };

	walk.end_at = n;
	open_world(&world, scenario);
	world.oldest_after = oldest_after;
	end_at(&world, scenario);
	scenario->observe(&world, out);
	scenario->check(&world);
	close_world(&world);
}

/* One point: killed there, and in another world stopped there. */
static void
walk_point(const struct scenario *scenario, unsigned n, struct buf *seen)
{
	struct buf stopped = { 0 };
	uint64_t oldest_after;
	/* This is also what says the names anew: the last child noted only those up to its own end. */
	unsigned count = record(scenario, &oldest_after);
	char name[NAME_MAX_BYTES];

	walk_need(n <= count, "finding the point again");
	snprintf(name, sizeof(name), "%s", walk.notes->names[n - 1]);
	walk.point = name;
	printf(".It %s Ta ", name);
	visit(scenario, n, oldest_after, kill_at, seen);
	visit(scenario, n, oldest_after, stop_at, &stopped);
	buf_fini(&stopped);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
print_held(void)
{
	qsort(walk.held, walk.held_count, sizeof(walk.held[0]), compare_names);
	printf(".El\nAfter each of them held:");
	for (unsigned i = 0; i < walk.held_count; i++)
		printf(" %s%s", walk.held[i], i + 1 < walk.held_count ? "," : ".\n");
}

static void
walk_scenario(const struct scenario *scenario)
{
	struct buf seen = { 0 }, before = { 0 };
	uint64_t oldest_after;
	unsigned count;

	walk.scenario = scenario->title;
	walk.held_count = 0;
	count = record(scenario, &oldest_after);
	printf(".Ss %s\n.Bl -column \"ring_entry_store: entry->published_ns\" \"x\"\n"
	       ".It Em killed behind Ta Em what others see\n",
	    scenario->title);
	for (unsigned n = 1; n <= count; n++) {
		struct buf last = before;

		before = seen;
		seen = last;
		buf_reset(&seen);
		walk_point(scenario, n, &seen);
		if (span_is_equal(buf_span(&seen), buf_span(&before)))
			printf("the same\n");
		else
			printf("%.*s\n", SPAN_ARGS(buf_span(&seen)));
	}
	print_held();
	walk.points += count;
	buf_fini(&seen);
	buf_fini(&before);
}

static void
walk_all(const struct scenario *scenarios)
{
	for (; scenarios->title != NULL; scenarios++)
		walk_scenario(scenarios);
}

int
main(void)
{
	walk.notes = mmap(
	    NULL, sizeof(*walk.notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (walk.notes == MAP_FAILED) {
		perror("mmap");
		return EXIT_FAILURE;
	}
	walk_all(ring_scenarios);
	walk_all(mailbox_scenarios);
	walk_all(directory_scenarios);
	walk_all(visitors_scenarios);
	walk_all(providers_scenarios);
	walk_all(ledger_scenarios);
	walk_all(wake_scenarios);
	fprintf(stderr, "%u crash points, each killed and stopped; %u failures\n", walk.points,
	    walk.failures);
	return walk.failures > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
