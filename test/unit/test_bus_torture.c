/*
 * The ring under fire: writers and readers on a tiny ring, of which one after the other is killed
 * at whatever instruction it has come to. Every event carries what is needed to judge it: who
 * published it, as which of its events, and bytes that follow from that.
 *
 * Held: no event is torn, doubled, out of order or missing without a lap; nobody stands still;
 * and what is left at the end can be adopted.
 */
#include "support_bus.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>

#include "base/digits.h"
#include "bus/ring_view.h"
#include "support_children.h"

enum {
	WRITERS = 3,
	READERS = 2,
	PROCESSES = WRITERS + READERS, /* each in the slot of its number */
	KILLS = 400,
	TRIES = 20,
	STRIDE_MAX = 300, /* events between two kills, at most */
	ID_WIDTH = 8,
	AT_WIDTH = 13,
	STAMP_BYTES = 24,
	BODY_MAX = 3000,
};

/* Who published, in which life, and the number of the event in that life. */
struct stamp {
	uint64_t writer;
	uint64_t life;
	uint64_t number;
};

static_assert(sizeof(struct stamp) == STAMP_BYTES, "no padding");

/* What a process tells the test. */
struct report {
	_Atomic uint64_t done; /* events published or read */
	_Atomic uint64_t laps;
	_Atomic uint32_t fault; /* line of the first check that failed */
};

struct field {
	struct bus *bus;
	struct report *reports;
	pid_t pids[PROCESSES];
	uint64_t lives;
	uint64_t seed;
};

#define CHECK(is_true)                            \
	do {                                      \
		if (!(is_true)) {                 \
			report->fault = __LINE__; \
			_exit(EXIT_FAILURE);      \
		}                                 \
	} while (0)

/* --- events ------------------------------------------------------------------------------- */

/* How many bytes follow a stamp: mostly few, sometimes many. */
static size_t
body_length(const struct stamp *stamp)
{
	uint64_t seed = stamp->number * 31 + stamp->life;
	uint64_t random = support_random(&seed);

	return random % 8 == 0 ? random / 8 % BODY_MAX : random / 8 % 100;
}

static void
append_body(struct buf *out, const struct stamp *stamp)
{
	uint64_t seed = stamp->number ^ stamp->life << 40 ^ stamp->writer << 60;

	for (size_t left = body_length(stamp); left > 0;) {
		uint64_t word = support_random(&seed);
		size_t n = min_size(left, sizeof(word));

		buf_append(out, &word, n);
		left -= n;
	}
}

/* The frame: id, at, stamp, body, and seq last. */
static void
build(struct buf *out, const struct stamp *stamp, uint64_t seq, uint64_t at_ms,
    struct ring_draft *draft)
{
	unsigned seq_width = digits_decimal_width(seq);

	buf_reset(out);
	buf_reserve(out, ID_WIDTH + AT_WIDTH);
	digits_put_hex(out->data, ID_WIDTH, seq);
	digits_put_decimal(out->data + ID_WIDTH, AT_WIDTH, at_ms);
	out->len = ID_WIDTH + AT_WIDTH;
	buf_append(out, stamp, sizeof(*stamp));
	append_body(out, stamp);
	buf_reserve(out, seq_width);
	digits_put_decimal(out->data + out->len, seq_width, seq);
	draft->id = (struct ring_digits){ 0, ID_WIDTH };
	draft->at = (struct ring_digits){ ID_WIDTH, AT_WIDTH };
	draft->seq = (struct ring_digits){ (uint32_t)out->len, seq_width };
	out->len += seq_width;
	draft->frame = buf_span(out);
}

/* --- writers ------------------------------------------------------------------------------ */

/* Publishes until it is killed. */
static void
write_events(struct field *field, unsigned slot, uint64_t life)
{
	struct ring *ring = field->bus->ring;
	struct report *report = &field->reports[slot];
	struct stamp stamp = { slot, life, 0 };
	struct buf frame = { 0 };
	struct ring_receipt receipt;
	uint64_t last_seq = 0;

	for (;;) {
		struct ring_draft draft = { .name = SPAN("torture.event"), .key = SPAN("key") };
		int r;

		build(&frame, &stamp, ring_head(ring) + 1, ring_last_at_ms(ring), &draft);
		if (ring_head(ring) == 0)
			draft.at.width = 0;
		r = ring_publish(ring, slot, &draft, &receipt);
		if (r == -ERANGE || r == -ETIMEDOUT)
			continue;
		CHECK(r == 0);
		CHECK(receipt.seq > last_seq);
		last_seq = receipt.seq;
		stamp.number++;
		report->done++;
	}
}

/* --- readers ------------------------------------------------------------------------------ */

struct reader {
	struct field *field;
	struct report *report;
	unsigned slot;
	uint64_t seq; /* of the next event */
	uint64_t last_at_ms;
	struct stamp last[WRITERS]; /* life 0: nothing known, after a lap */
	struct buf frames;
	struct buf labels;
	struct buf should;
};

/* The event is exactly what its publisher made, under the seq and time that the ring says. */
static void
check_content(struct reader *reader, const struct ring_record *record, const struct stamp *stamp)
{
	struct report *report = reader->report;
	struct ring_draft draft;

	CHECK(record->seq == reader->seq);
	CHECK(record->publisher == stamp->writer);
	CHECK(record->name_len == 13 && record->key_len == 3);
	CHECK(span_is(buf_span(&reader->labels), "torture.eventkey"));
	build(&reader->should, stamp, record->seq, record->at_ms, &draft);
	if (record->seq > 1)
		CHECK(span_is_equal(buf_span(&reader->frames), buf_span(&reader->should)));
}

/* It follows on what the reader has seen of the same publisher before. */
static void
check_order(struct reader *reader, const struct ring_record *record, const struct stamp *stamp)
{
	struct report *report = reader->report;
	struct stamp *last = &reader->last[stamp->writer];

	CHECK(record->at_ms >= reader->last_at_ms);
	CHECK(stamp->life >= last->life);
	if (last->life != 0)
		CHECK(stamp->number == (stamp->life == last->life ? last->number + 1 : 0));
	reader->last_at_ms = record->at_ms;
	*last = *stamp;
}

static void
take_record(struct reader *reader, const struct ring_record *record)
{
	struct report *report = reader->report;
	struct stamp stamp;

	CHECK(record->frame_len >= ID_WIDTH + AT_WIDTH + sizeof(stamp));
	memcpy(&stamp, reader->frames.data + ID_WIDTH + AT_WIDTH, sizeof(stamp));
	CHECK(stamp.writer < WRITERS);
	check_content(reader, record, &stamp);
	check_order(reader, record, &stamp);
	reader->seq++;
	report->done++;
}

/* Reads one event, or says what else is the matter. */
static enum ring_verdict
read_one(struct reader *reader)
{
	struct ring_record record;
	enum ring_verdict verdict;

	buf_reset(&reader->frames);
	buf_reset(&reader->labels);
	verdict = ring_read(
	    reader->field->bus->ring, reader->seq, &reader->frames, &reader->labels, &record);
	if (verdict == RING_RECORD)
		take_record(reader, &record);
	return verdict;
}

/*
 * Goes on where there is something to be read. What was missed was missed of all writers alike.
 */
static void
jump(struct reader *reader)
{
	struct report *report = reader->report;
	uint64_t oldest = ring_oldest(reader->field->bus->ring);

	CHECK(oldest > reader->seq);
	ring_reader_lapped(reader->field->bus->ring, reader->slot, oldest - reader->seq);
	reader->seq = oldest;
	memset(reader->last, 0, sizeof(reader->last));
	report->laps++;
}

/* Reads until it is killed, a little slower than the writers write. */
static void
read_events(struct field *field, unsigned slot, uint64_t seed)
{
	struct reader reader = {
		.field = field,
		.report = &field->reports[slot],
		.slot = slot,
		.seq = ring_head(field->bus->ring) + 1,
	};
	struct report *report = reader.report;

	for (;;) {
		switch (read_one(&reader)) {
		case RING_RECORD:
			break;
		case RING_EMPTY:
			support_wait(0);
			break;
		case RING_LAPPED:
			jump(&reader);
			break;
		case RING_DAMAGED:
		case RING_NOMEM:
			CHECK(false);
		}
		/* Now and then it looks away, and is overtaken. */
		if (support_random(&seed) % 2000 == 0)
			for (unsigned i = 0; i < 20; i++)
				support_wait(0);
	}
}

/* --- the field ---------------------------------------------------------------------------- */

static void
start(struct field *field, unsigned slot)
{
	uint64_t life = ++field->lives;
	uint64_t seed = support_random(&field->seed);
	pid_t pid = support_fork();

	if (pid == 0) {
		/* Behind the test itself, whose turn it is whenever it wants to kill. */
		if (nice(10) < 0)
			_exit(EXIT_FAILURE);
		if (slot < WRITERS)
			write_events(field, slot, life);
		read_events(field, slot, seed);
	}
	field->pids[slot] = pid;
}

static bool
holds_lock(const struct field *field, pid_t pid)
{
	int word = __atomic_load_n(
	    &field->bus->ring->parts.shared->lock.mutex.__data.__lock, __ATOMIC_RELAXED);

	return (word & FUTEX_TID_MASK) == pid;
}

static void
check_reports(const struct field *field)
{
	for (unsigned i = 0; i < PROCESSES; i++)
		if (field->reports[i].fault != 0)
			fail_msg("process %u: check at line %u", i, field->reports[i].fault);
}

/* Waits until the ring has moved on as far as is wanted, and this process has done something. */
static void
await_progress(const struct field *field, uint64_t events, unsigned slot)
{
	uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);
	uint64_t goal = ring_head(field->bus->ring) + events;
	uint64_t done = field->reports[slot].done;

	while (ring_head(field->bus->ring) < goal || field->reports[slot].done == done) {
		check_reports(field);
		if (!support_wait(deadline))
			fail_msg("at %llu of %llu, process %u after %llu stands still",
			    (unsigned long long)ring_head(field->bus->ring),
			    (unsigned long long)goal, slot, (unsigned long long)done);
	}
}

/*
 * Stops a writer again and again, until it happens to hold the lock. Returns whether it does; it
 * is stopped then.
 */
static bool
catch_with_lock(const struct field *field, pid_t pid)
{
	for (unsigned tries = 0; tries < TRIES; tries++) {
		support_stop(pid);
		if (holds_lock(field, pid))
			return true;
		kill(pid, SIGCONT);
		support_wait(0);
	}
	return false;
}

/* Kills a process, if it can with the lock in its hand. Returns whether it was seen there. */
static bool
kill_one(struct field *field, unsigned slot, bool wants_lock)
{
	bool is_held = wants_lock && catch_with_lock(field, field->pids[slot]);

	kill(field->pids[slot], SIGKILL);
	support_reap(field->pids[slot]);
	segment_clear_slot(field->bus->segment, slot);
	return is_held;
}

static void
kill_all(struct field *field)
{
	for (unsigned i = 0; i < PROCESSES; i++)
		kill(field->pids[i], SIGKILL);
	for (unsigned i = 0; i < PROCESSES; i++)
		support_reap(field->pids[i]);
	check_reports(field);
}

/* All are dead: the ring can be published to, read, and adopted as it is. */
static void
check_remains(struct field *field)
{
	struct ring *ring = field->bus->ring;
	struct ring_draft draft = { .name = SPAN("after"), .frame = SPAN("all of them") };
	struct ring_receipt receipt;
	struct buf frames = { 0 };
	struct buf labels = { 0 };
	struct ring_record record;

	assert_int_equal(ring_adopt(ring), 0);
	assert_int_equal(ring_publish(ring, 0, &draft, &receipt), 0);
	assert_true(receipt.seq == ring_head(ring));
	for (uint64_t seq = ring_oldest(ring); seq <= ring_head(ring); seq++)
		assert_int_equal(ring_read(ring, seq, &frames, &labels, &record), RING_RECORD);
	assert_int_equal(ring_adopt(ring), 0);
	buf_fini(&frames);
	buf_fini(&labels);
}

static void
test_killed_at_any_instruction(void **state)
{
	struct field field = {
		.bus = *state,
		.reports = support_share(PROCESSES * sizeof(struct report)),
		.seed = (uint64_t)getpid(),
	};
	unsigned seen_held = 0;
	uint64_t laps = 0;

	for (unsigned i = 0; i < PROCESSES; i++)
		start(&field, i);
	for (unsigned kills = 0; kills < KILLS; kills++) {
		unsigned slot = (unsigned)(support_random(&field.seed) % PROCESSES);

		await_progress(&field, support_random(&field.seed) % STRIDE_MAX, kills % PROCESSES);
		seen_held += kill_one(&field, slot, slot < WRITERS && kills % 2 == 0);
		start(&field, slot);
	}
	for (unsigned i = 0; i < PROCESSES; i++)
		await_progress(&field, STRIDE_MAX, i);
	kill_all(&field);
	for (unsigned i = WRITERS; i < PROCESSES; i++)
		laps += field.reports[i].laps;
	print_message("%llu events, %u kills, %u at the lock, %llu deaths in it, %llu laps\n",
	    (unsigned long long)ring_head(field.bus->ring), KILLS, seen_held,
	    (unsigned long long)ring_mutex_recoveries(field.bus->ring), (unsigned long long)laps);
	assert_true(ring_mutex_recoveries(field.bus->ring) > 0);
	assert_true(laps > 0);
	check_remains(&field);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		bus_test(test_killed_at_any_instruction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
