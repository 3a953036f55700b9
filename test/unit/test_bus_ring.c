/*
 * The ring in one process: what is published is read, and what is overwritten is said to be.
 */
#include "support_bus.h"

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "bus/ring_entry.h"
#include "bus/ring_view.h"
#include "support_alloc.h"
#include "support_children.h"

/* Two buffers that a reader copies to. */
struct page {
	struct buf frames;
	struct buf labels;
	struct ring_record record;
};

static void
page_fini(struct page *page)
{
	buf_fini(&page->frames);
	buf_fini(&page->labels);
}

static void
test_what_is_published_is_read(void **state)
{
	struct bus *bus = *state;
	struct ring_draft draft = {
		.name = SPAN("session.message"),
		.key = SPAN("telegram:1:main"),
		.frame = SPAN("{id:________,seq:_,at:_____________}"),
		.flags = RING_FLAG_ADMIN,
		.id = { 4, 8 },
		.seq = { 17, 1 },
		.at = { 22, 13 },
	};
	struct ring_receipt receipt;
	struct page page = { 0 };
	uint64_t before_ms = clock_real_ms();
	uint64_t before_ns = clock_mono_ns();
	char should[64];

	buf_append_cstr(&page.frames, "FRAMES");
	buf_append_cstr(&page.labels, "LABELS");
	assert_int_equal(ring_publish(bus->ring, 2, &draft, &receipt), 0);
	assert_true(receipt.seq == 1 && receipt.at_ms >= before_ms);
	assert_int_equal(
	    ring_read(bus->ring, 1, &page.frames, &page.labels, &page.record), RING_RECORD);
	assert_true(page.record.seq == 1 && page.record.at_ms == receipt.at_ms);
	assert_true(page.record.published_ns >= before_ns);
	assert_int_equal(page.record.flags, RING_FLAG_ADMIN);
	assert_int_equal(page.record.publisher, 2);
	assert_int_equal(page.record.frame_offset, 6);
	assert_int_equal(page.record.label_offset, 6);
	assert_int_equal(page.record.name_len, 15);
	assert_int_equal(page.record.key_len, 15);
	snprintf(should, sizeof(should), "FRAMES{id:00000001,seq:1,at:%llu}",
	    (unsigned long long)receipt.at_ms);
	assert_true(span_is(buf_span(&page.frames), should));
	assert_int_equal(page.record.frame_len, page.frames.len - 6);
	assert_span(buf_span(&page.labels), "LABELSsession.messagetelegram:1:main");
	page_fini(&page);
}

static void
test_empty_ring(void **state)
{
	struct bus *bus = *state;

	assert_int_equal(bus_look(bus->ring, 1), RING_EMPTY);
	assert_int_equal(bus_look(bus->ring, 0), RING_LAPPED);
	assert_int_equal(bus_look(bus->ring, UINT64_MAX), RING_EMPTY);
	assert_true(ring_head(bus->ring) == 0);
	assert_true(ring_oldest(bus->ring) == 1);
	assert_true(ring_last_at_ms(bus->ring) == 0);
	assert_true(ring_bytes_used(bus->ring) == 0);
	assert_true(ring_capacity(bus->ring) == RING_BYTES_MIN);
	assert_true(ring_record_max(bus->ring) == RING_BYTES_MIN / 4);
	assert_int_equal(strlen(ring_epoch(bus->ring)), 16);
}

/* Parts may be empty, alone and all together, and frames may be as long as they may. */
static void
test_lengths(void **state)
{
	struct bus *bus = *state;
	struct ring_draft draft = { 0 };
	struct ring_receipt receipt;
	char *long_frame = calloc(1, UINT16_MAX + 1);

	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), 0);
	assert_int_equal(bus_look(bus->ring, 1), RING_RECORD);
	draft.name = SPAN("only.name");
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), 0);
	assert_int_equal(bus_look(bus->ring, 2), RING_RECORD);
	draft.frame = span_make(long_frame, RING_BYTES_MIN / 4 - 9);
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), 0);
	assert_int_equal(bus_look(bus->ring, 3), RING_RECORD);
	draft.frame.n++;
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), -EMSGSIZE);
	draft.frame.n = SIZE_MAX;
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), -EMSGSIZE);
	draft.frame.n = 0;
	draft.key = span_make(long_frame, UINT16_MAX + 1);
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), -EMSGSIZE);
	assert_true(ring_head(bus->ring) == 3);
	free(long_frame);
}

/* A draft of which one place is set, and what publishing it must say. */
static void
try_place(struct ring *ring, struct ring_draft *draft, struct ring_digits *place, unsigned offset,
    unsigned width, int should)
{
	struct ring_receipt receipt = { 77, 77 };
	uint64_t head = ring_head(ring);

	*place = (struct ring_digits){ offset, width };
	assert_int_equal(ring_publish(ring, 0, draft, &receipt), should);
	assert_true(ring_head(ring) == (should == 0 ? head + 1 : head));
	if (should != 0)
		assert_true(receipt.seq == 77 && receipt.at_ms == 77);
	*place = (struct ring_digits){ 0, 0 };
}

static void
test_widths_of_digits_are_checked(void **state)
{
	struct bus *bus = *state;
	struct ring_draft draft = { .frame = SPAN("0123456789012345678901234567890") };

	try_place(bus->ring, &draft, &draft.seq, 0, 2, -ERANGE);
	try_place(bus->ring, &draft, &draft.id, 0, 7, -ERANGE);
	try_place(bus->ring, &draft, &draft.id, 0, 9, -ERANGE);
	try_place(bus->ring, &draft, &draft.at, 0, 12, -ERANGE);
	try_place(bus->ring, &draft, &draft.at, 0, 14, -ERANGE);
	bus_publish_many(bus->ring, 9, 10);
	try_place(bus->ring, &draft, &draft.seq, 0, 1, -ERANGE);
	try_place(bus->ring, &draft, &draft.seq, 0, 2, 0);
	try_place(bus->ring, &draft, &draft.id, 23, 8, 0);
	try_place(bus->ring, &draft, &draft.id, 24, 8, -EINVAL);
	try_place(bus->ring, &draft, &draft.seq, 32, 1, -EINVAL);
	try_place(bus->ring, &draft, &draft.seq, UINT32_MAX, 2, -EINVAL);
	try_place(bus->ring, &draft, &draft.at, 1, UINT32_MAX, -EINVAL);
}

/* Places side by side share words of the checksum: the record must verify all the same. */
static void
test_places_side_by_side(void **state)
{
	struct bus *bus = *state;
	struct ring_draft draft = { .frame = SPAN("......................") };
	struct ring_receipt receipt;
	struct page page = { 0 };
	char should[32];

	draft.seq = (struct ring_digits){ 0, 1 };
	draft.at = (struct ring_digits){ 1, 13 };
	draft.id = (struct ring_digits){ 14, 8 };
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), 0);
	assert_int_equal(
	    ring_read(bus->ring, 1, &page.frames, &page.labels, &page.record), RING_RECORD);
	snprintf(should, sizeof(should), "1%llu00000001", (unsigned long long)receipt.at_ms);
	assert_true(span_is(buf_span(&page.frames), should));
	page_fini(&page);
}

/* Many short events: the index is the limit. */
static void
test_lapped_by_number(void **state)
{
	struct bus *bus = *state;
	uint32_t n = ring_index_count(RING_BYTES_MIN);

	bus_publish_many(bus->ring, n - 1, 4);
	assert_int_equal(bus_look(bus->ring, 1), RING_RECORD);
	assert_true(ring_oldest(bus->ring) == 1);
	bus_publish_many(bus->ring, 1, 4);
	assert_int_equal(bus_look(bus->ring, 1), RING_LAPPED);
	assert_int_equal(bus_look(bus->ring, 2), RING_RECORD);
	assert_true(ring_oldest(bus->ring) == 2);
	bus_publish_many(bus->ring, 3 * n, 4);
	assert_int_equal(bus_look(bus->ring, 2), RING_LAPPED);
	assert_true(ring_oldest(bus->ring) == ring_head(bus->ring) + 2 - n);
	assert_true(ring_bytes_used(bus->ring) == (n - 1) * 8);
	for (uint64_t seq = ring_oldest(bus->ring); seq <= ring_head(bus->ring); seq++)
		assert_int_equal(bus_look(bus->ring, seq), RING_RECORD);
}

/* Few long events: the data is the limit, and records lie across its end. */
static void
test_lapped_by_bytes(void **state)
{
	struct bus *bus = *state;
	size_t len = 9000; /* and 4 of labels: seven fit, eight do not */

	bus_publish_many(bus->ring, 7, len);
	assert_true(ring_oldest(bus->ring) == 1);
	assert_true(ring_bytes_used(bus->ring) == 7 * (len + 4));
	bus_publish_many(bus->ring, 1, len);
	assert_int_equal(bus_look(bus->ring, 1), RING_LAPPED);
	assert_true(ring_oldest(bus->ring) == 2);
	for (unsigned i = 0; i < 50; i++) {
		bus_publish_many(bus->ring, 1, len - i);
		assert_true(ring_oldest(bus->ring) > ring_head(bus->ring) - 8);
		assert_true(ring_bytes_used(bus->ring) <= RING_BYTES_MIN);
		for (uint64_t seq = ring_oldest(bus->ring); seq <= ring_head(bus->ring); seq++)
			assert_int_equal(bus_look(bus->ring, seq), RING_RECORD);
	}
}

static void
test_time_never_runs_backwards(void **state)
{
	struct bus *bus = *state;
	uint64_t future_ms = clock_real_ms() + 3600000;
	struct ring_index *index;
	struct ring_entry entry;

	bus_publish(bus->ring, SPAN("x"));
	/* As if the clock had been set back an hour since. */
	index = ring_view_index(bus->ring, 1);
	atomic_store(&index->at_ms, future_ms);
	bus_publish(bus->ring, SPAN("y"));
	ring_entry_load(ring_view_index(bus->ring, 2), &entry);
	assert_true(entry.at_ms == future_ms);
	assert_true(ring_last_at_ms(bus->ring) == future_ms);
}

static void
test_readers_have_a_line_each(void **state)
{
	struct bus *bus = *state;
	unsigned none = segment_slots(bus->segment);

	ring_reader_attach(bus->ring, 1, 10);
	ring_reader_moved(bus->ring, 1, 20);
	ring_reader_lapped(bus->ring, 1, 5);
	ring_reader_lapped(bus->ring, 1, 7);
	ring_reader_moved(bus->ring, none, 1);
	ring_reader_lapped(bus->ring, none, 1);
	assert_true(ring_reader_seq(bus->ring, 1) == 20);
	assert_true(ring_reader_laps(bus->ring, 1) == 2);
	assert_true(ring_reader_lost(bus->ring, 1) == 12);
	assert_true(ring_reader_seq(bus->ring, 0) == 0 && ring_reader_seq(bus->ring, none) == 0);
	assert_true(ring_reader_laps(bus->ring, none) == 0);
	assert_true(ring_reader_lost(bus->ring, none) == 0);
	ring_clear_slot(bus->ring, 1);
	assert_true(ring_reader_seq(bus->ring, 1) == 0);
	assert_true(ring_reader_laps(bus->ring, 1) == 2);
	ring_clear_slot(bus->ring, none);
}

static void
test_no_memory_reads_nothing(void **state)
{
	struct bus *bus = *state;
	struct page page = { 0 };

	bus_publish(bus->ring, SPAN("frame"));
	for (unsigned n = 1; n <= 2; n++) {
		support_alloc_fail_at(n);
		assert_int_equal(
		    ring_read(bus->ring, 1, &page.frames, &page.labels, &page.record), RING_NOMEM);
		support_alloc_fail_at(0);
		assert_true(page.frames.len == 0 && page.labels.len == 0);
		page_fini(&page);
	}
	assert_int_equal(bus_look(bus->ring, 1), RING_RECORD);
}

/* A publisher that died after it had raised the intent: its bytes are lost, the next goes on. */
static void
test_intent_of_a_dead_publisher(void **state)
{
	struct bus *bus = *state;

	bus_publish_many(bus->ring, 7, 9000);
	atomic_fetch_add(&bus->ring->parts.shared->intent, 9000);
	assert_int_equal(bus_look(bus->ring, 1), RING_LAPPED);
	assert_int_equal(bus_look(bus->ring, 2), RING_RECORD);
	assert_true(ring_oldest(bus->ring) == 2);
	assert_true(bus_publish(bus->ring, SPAN("next")) == 8);
	assert_int_equal(bus_look(bus->ring, 8), RING_RECORD);
	assert_int_equal(bus_look(bus->ring, 1), RING_LAPPED);
}

/*
 * A publisher that stands still in the lock stops publishers for 20 ms each, and readers not at
 * all.
 */
static void
test_publisher_stands_still_in_the_lock(void **state)
{
	struct bus *bus = *state;
	struct ring_draft draft = { .frame = SPAN("frame") };
	struct ring_receipt receipt;
	uint64_t deadline = support_deadline(SUPPORT_PATIENCE_MS);
	pid_t pid;

	bus_publish_many(bus->ring, 10, 30);
	pid = support_fork();
	if (pid == 0) {
		if (shlock_take(&bus->ring->parts.shared->lock, NULL) == 0)
			raise(SIGSTOP);
		_exit(EXIT_FAILURE);
	}
	while (ring_stuck_holder(bus->ring, 1) == 0)
		assert_true(support_wait(deadline));
	assert_int_equal(ring_stuck_holder(bus->ring, 1), pid);
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), -ETIMEDOUT);
	assert_int_equal(bus_look(bus->ring, 10), RING_RECORD);
	assert_int_equal(bus_look(bus->ring, 11), RING_EMPTY);
	support_kill(pid);
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), 0);
	assert_true(receipt.seq == 11);
	assert_true(ring_mutex_recoveries(bus->ring) == 1);
	assert_int_equal(ring_stuck_holder(bus->ring, 0), 0);
}

static void
test_number_of_entries(void **state)
{
	(void)state;
	assert_int_equal(ring_index_count(1), 64);
	assert_int_equal(ring_index_count(65536), 256);
	assert_int_equal(ring_index_count(65536 + 4096), 256);
	assert_int_equal(ring_index_count(131072), 512);
	assert_int_equal(ring_index_count(33554432), 131072);
	assert_int_equal(ring_index_count(UINT64_MAX), 1 << 24);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		bus_test(test_what_is_published_is_read),
		bus_test(test_empty_ring),
		bus_test(test_lengths),
		bus_test(test_widths_of_digits_are_checked),
		bus_test(test_places_side_by_side),
		bus_test(test_lapped_by_number),
		bus_test(test_lapped_by_bytes),
		bus_test(test_time_never_runs_backwards),
		bus_test(test_readers_have_a_line_each),
		bus_test(test_no_memory_reads_nothing),
		bus_test(test_intent_of_a_dead_publisher),
		bus_test(test_publisher_stands_still_in_the_lock),
		cmocka_unit_test(test_number_of_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
