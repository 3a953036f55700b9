/*
 * The parent: kills, stops, repairs as the supervisor does, and says what came of it.
 *
 * One of four is killed at random, one is caught with a lock in its hand and killed, one is stopped
 * and let go on, and now and then one is stopped with a lock in its hand and left so, until the watch
 * finds it.
 * usage: torture KILLS [SEED]     exit 1: something was torn, lost, doubled, or stood still
 *        TORTURE_TIMES=1          longest times count, too
 */
#include "torture.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "bus/mailbox.h"
#include "bus/ring_view.h"

enum {
	STUCK_MS = 1000,	 /* as the supervisor has it */
	WATCH_MS = 100,		 /* likewise */
	TRIES = 400,		 /* to catch one with a lock in its hand */
	RUN_NS_MAX = 100000,	 /* between two of them */
	PATIENCE_MS = 60000,	 /* without any progress */
	STRIDE_MAX = 400,	 /* events between two acts */
	HOLDER_STOPS_EACH = 100, /* acts */
	KILL_STALL_MS = 250,
	STOP_STALL_MS = 1500,
};

struct tally {
	unsigned kills, kills_held, stops, holder_stops;
	uint64_t kill_stall_ns, stop_stall_ns;
};

struct torture {
	struct field *field;
	pid_t pids[PROCESSES];
	uint64_t lives;
	uint64_t seed;
	struct tally tally;
};

static void
need(bool works, const char *what)
{
	if (works)
		return;
	fprintf(stderr, "torture: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void
give_way(unsigned ms)
{
	poll(NULL, 0, (int)ms);
}

/* --- processes ---------------------------------------------------------------------------- */

static void
start(struct torture *t, unsigned slot)
{
	uint64_t life = ++t->lives;
	uint64_t seed = torture_random(&t->seed);
	pid_t parent = getpid(), pid = fork();

	need(pid >= 0 && life < LIVES_MAX, "fork");
	t->pids[slot] = pid;
	if (pid > 0)
		return;
	/* Behind the parent, whose turn it is whenever it wants to act. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || nice(10) < 0)
		_exit(EXIT_FAILURE);
	if (slot < WRITERS)
		torture_write(t->field, slot, life);
	torture_read(t->field, slot, seed);
}

static void
check_reports(const struct torture *t)
{
	for (unsigned i = 0; i < PROCESSES; i++) {
		uint32_t line = atomic_load(&t->field->reports[i].fault);

		if (line == 0)
			continue;
		fprintf(stderr, "torture: the check at line %u of %s.c failed in process %u\n",
		    line, i < WRITERS ? "writer" : "reader", i);
		exit(EXIT_FAILURE);
	}
}

static int
await(const struct torture *t, pid_t pid, int options)
{
	int status = 0;
	pid_t r;

	do
		r = waitpid(pid, &status, options);
	while (r < 0 && errno == EINTR);
	/* One that found a fault ends by itself. */
	if (r != pid || WIFEXITED(status))
		check_reports(t);
	need(r == pid, "waitpid");
	return status;
}

/* Kills, reaps, repairs and starts again, as the supervisor does. */
static void
replace(struct torture *t, unsigned slot)
{
	kill(t->pids[slot], SIGKILL);
	await(t, t->pids[slot], 0);
	check_reports(t);
	segment_clear_slot(t->field->segment, slot);
	start(t, slot);
	t->tally.kills++;
}

/* --- locks -------------------------------------------------------------------------------- */

static bool
is_holder(const struct shlock *lock, pid_t pid)
{
	int word = __atomic_load_n(&lock->mutex.__data.__lock, __ATOMIC_RELAXED);

	return (word & FUTEX_TID_MASK) == pid;
}

static bool
holds_a_lock(const struct torture *t, pid_t pid)
{
	const struct segment *segment = t->field->segment;

	for (unsigned slot = WRITERS; slot < PROCESSES; slot++) {
		/* The shared part of a mailbox is what its view points to first. */
		struct mailbox_shared *const *view = (const void *)segment_mailbox(segment, slot);

		if (is_holder(&(*view)->lock, pid))
			return true;
	}
	return is_holder(&segment_ring(segment)->parts.shared->lock, pid);
}

/* Somewhere in the next so many nanoseconds it is stopped again: at any instruction. */
static void
let_run(uint64_t ns)
{
	uint64_t end_ns = clock_mono_ns() + ns;

	while (clock_mono_ns() < end_ns)
		sched_yield();
}

/* Stops it again and again until it happens to hold a lock; it is stopped then. */
static bool
catch_with_lock(struct torture *t, pid_t pid)
{
	for (unsigned tries = 0; tries < TRIES; tries++) {
		kill(pid, SIGSTOP);
		await(t, pid, WUNTRACED);
		if (holds_a_lock(t, pid))
			return true;
		kill(pid, SIGCONT);
		let_run(torture_random(&t->seed) % RUN_NS_MAX);
	}
	return false;
}

/* --- progress ----------------------------------------------------------------------------- */

/* Waits until so many events more were published, and this process has done something. */
static void
await_progress(struct torture *t, uint64_t events, unsigned slot)
{
	struct ring *ring = segment_ring(t->field->segment);
	uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
	uint64_t goal = ring_head(ring) + events;
	uint64_t done = atomic_load(&t->field->reports[slot].done);

	while (ring_head(ring) < goal || atomic_load(&t->field->reports[slot].done) == done) {
		check_reports(t);
		give_way(1);
		if (clock_mono_ms() < deadline_ms)
			continue;
		fprintf(stderr, "torture: at %" PRIu64 " of %" PRIu64 ", process %u stands still\n",
		    ring_head(ring), goal, slot);
		exit(EXIT_FAILURE);
	}
}

/* What the longest time without a publication was since the last question. */
static uint64_t
longest_stall(struct torture *t)
{
	return atomic_exchange(&t->field->longest_ns, 0);
}

static void
keep_longest(uint64_t *longest_ns, uint64_t ns)
{
	if (ns > *longest_ns)
		*longest_ns = ns;
}

/* --- acts --------------------------------------------------------------------------------- */

static void
kill_one(struct torture *t, unsigned slot, bool wants_lock)
{
	bool is_held = wants_lock && slot < WRITERS && catch_with_lock(t, t->pids[slot]);

	longest_stall(t);
	replace(t, slot);
	t->tally.kills_held += is_held;
	await_progress(t, torture_random(&t->seed) % STRIDE_MAX + WRITERS, slot);
	keep_longest(&t->tally.kill_stall_ns, longest_stall(t));
}

static void
stop_one(struct torture *t, unsigned slot)
{
	kill(t->pids[slot], SIGSTOP);
	await(t, t->pids[slot], WUNTRACED);
	give_way((unsigned)(torture_random(&t->seed) % 30));
	kill(t->pids[slot], SIGCONT);
	t->tally.stops++;
	await_progress(t, torture_random(&t->seed) % STRIDE_MAX, slot);
}

/* One stands still with a lock in its hand: the watch finds it, as the supervisor's does. */
static void
stop_holder(struct torture *t, unsigned slot)
{
	struct segment *segment = t->field->segment;
	uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
	pid_t found;

	if (!catch_with_lock(t, t->pids[slot])) {
		kill(t->pids[slot], SIGCONT);
		return;
	}
	longest_stall(t);
	while ((found = segment_stuck_holder(segment, STUCK_MS)) == 0) {
		need(clock_mono_ms() < deadline_ms, "finding the stuck holder");
		give_way(WATCH_MS);
	}
	if (found != t->pids[slot]) {
		fprintf(stderr, "torture: the watch found somebody else\n");
		exit(EXIT_FAILURE);
	}
	t->tally.holder_stops++;
	replace(t, slot);
	await_progress(t, WRITERS, slot);
	keep_longest(&t->tally.stop_stall_ns, longest_stall(t));
}

static void
act(struct torture *t, unsigned number)
{
	unsigned slot = (unsigned)(torture_random(&t->seed) % PROCESSES);
	unsigned writer = (unsigned)(torture_random(&t->seed) % WRITERS);

	if (number % HOLDER_STOPS_EACH == HOLDER_STOPS_EACH - 1)
		stop_holder(t, writer);
	else if (number % 3 == 0)
		kill_one(t, writer, true);
	else if (number % 3 == 1)
		kill_one(t, slot, false);
	else
		stop_one(t, slot);
}

/* --- the end ------------------------------------------------------------------------------ */

/* All are dead: what is left can be adopted, published to and read. */
static void
check_remains(struct torture *t)
{
	struct ring *ring = segment_ring(t->field->segment);
	struct buf frames = { 0 }, labels = { 0 };
	struct ring_record record;

	for (unsigned i = 0; i < PROCESSES; i++) {
		kill(t->pids[i], SIGKILL);
		await(t, t->pids[i], 0);
	}
	check_reports(t);
	errno = EBADMSG;
	need(ring_adopt(ring) == 0, "adopting what is left");
	for (uint64_t seq = ring_oldest(ring); seq <= ring_head(ring); seq++)
		need(ring_read(ring, seq, &frames, &labels, &record) == RING_RECORD,
		    "reading what is left");
	buf_fini(&frames);
	buf_fini(&labels);
}

static bool
print_report(const struct torture *t, bool times_count)
{
	const struct tally *tally = &t->tally;
	const struct ring *ring = segment_ring(t->field->segment);
	uint64_t laps = 0, mails = 0, sleeps = 0;

	for (unsigned i = WRITERS; i < PROCESSES; i++) {
		laps += t->field->reports[i].laps;
		mails += t->field->reports[i].mails;
		sleeps += t->field->reports[i].sleeps;
	}
	printf("kills %u (%u caught with a lock), stops %u, stops of a lock's holder %u\n",
	    tally->kills, tally->kills_held, tally->stops, tally->holder_stops);
	printf("events %" PRIu64 ", laps %" PRIu64 ", mails %" PRIu64 ", sleeps %" PRIu64
	       ", deaths in the ring's lock %" PRIu64 "\n",
	    ring_head(ring), laps, mails, sleeps, ring_mutex_recoveries(ring));
	printf("longest time without a publication: %" PRIu64 " ms after SIGKILL, %" PRIu64
	       " ms after SIGSTOP of a holder\n",
	    tally->kill_stall_ns / 1000000, tally->stop_stall_ns / 1000000);
	return !times_count || (tally->kill_stall_ns < KILL_STALL_MS * UINT64_C(1000000) &&
				   tally->stop_stall_ns < STOP_STALL_MS * UINT64_C(1000000));
}

static void
open_segment(struct torture *t)
{
	const struct segment_layout layout = { .worker_slots = PROCESSES,
		.ring_bytes = RING_BYTES_MIN,
		.mailbox_bytes = MAILBOX_BYTES_MIN,
		.max_connections = 16 };
	enum segment_origin origin;
	char name[64];

	t->field = mmap(
	    NULL, sizeof(*t->field), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(t->field != MAP_FAILED, "mmap");
	snprintf(name, sizeof(name), "/lurkbot-torture-%d", (int)getpid());
	need(segment_open(name, &layout, &t->field->segment, &origin) == 0, "segment_open");
	need(segment_unlink(name) == 0, "segment_unlink");
	for (unsigned slot = 0; slot < PROCESSES; slot++)
		need(segment_reserve_worker(t->field->segment, slot) == 0, "reserving");
	atomic_store(&t->field->published_ns, clock_mono_ns());
}

int
main(int argc, char **argv)
{
	unsigned kills = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100;
	struct torture t = { .seed = argc > 2 ? strtoull(argv[2], NULL, 10) : clock_mono_ns() };
	const char *times = getenv("TORTURE_TIMES");
	bool is_fine;

	printf("seed %" PRIu64 "\n", t.seed);
	fflush(stdout);
	open_segment(&t);
	for (unsigned slot = 0; slot < PROCESSES; slot++)
		start(&t, slot);
	for (unsigned number = 0; t.tally.kills < kills; number++)
		act(&t, number);
	check_remains(&t);
	is_fine = print_report(&t, times != NULL && strcmp(times, "1") == 0);
	segment_close(t.field->segment);
	return is_fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
