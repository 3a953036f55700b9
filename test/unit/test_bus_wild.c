/*
 * The ring beside a process of ours that runs wild: what contradicts itself is neither believed nor
 * followed.
 */
#include "support_bus.h"

#include <errno.h>

#include "bus/ring_entry.h"
#include "bus/ring_view.h"
#include "support_children.h"

/* What another process may have done to the entry of event 5, of ten. */
struct damage {
	const char *what;
	void (*do_it)(struct ring *ring, struct ring_index *index);
};

static void
damage_seq(struct ring *ring, struct ring_index *index)
{
	(void)ring;
	atomic_store(&index->seq, 6);
}

static void
damage_seq_zero(struct ring *ring, struct ring_index *index)
{
	(void)ring;
	atomic_store(&index->seq, 0);
}

static void
damage_pos(struct ring *ring, struct ring_index *index)
{
	(void)ring;
	atomic_store(&index->pos, UINT64_MAX - 3);
}

static void
damage_pos_a_bit(struct ring *ring, struct ring_index *index)
{
	(void)ring;
	atomic_fetch_add(&index->pos, 1);
}

static void
damage_frame_len(struct ring *ring, struct ring_index *index)
{
	(void)ring;
	atomic_store(&index->frame_len, UINT32_MAX);
}

static void
damage_frame_len_a_bit(struct ring *ring, struct ring_index *index)
{
	(void)ring;
	atomic_store(&index->frame_len, RING_BYTES_MIN / 4 - 100);
}

static void
damage_name_len(struct ring *ring, struct ring_index *index)
{
	(void)ring;
	atomic_store(&index->name_len, UINT16_MAX);
}

static void
damage_flags(struct ring *ring, struct ring_index *index)
{
	(void)ring;
	atomic_store(&index->flags, RING_FLAG_ALWAYS);
}

static void
damage_check(struct ring *ring, struct ring_index *index)
{
	(void)ring;
	atomic_fetch_add(&index->check, 1);
}

static void
damage_data(struct ring *ring, struct ring_index *index)
{
	*ring_view_data(ring, atomic_load(&index->pos) + 9) ^= 1;
}

static const struct damage damages[] = {
	{ "seq", damage_seq },
	{ "seq 0", damage_seq_zero },
	{ "position beyond all", damage_pos },
	{ "position a bit off", damage_pos_a_bit },
	{ "length beyond all", damage_frame_len },
	{ "length a bit off", damage_frame_len_a_bit },
	{ "length of name", damage_name_len },
	{ "flags", damage_flags },
	{ "check", damage_check },
	{ "data", damage_data },
};

static void
test_damage_is_found_by_readers(void **state)
{
	struct bus *bus = *state;

	bus_publish_many(bus->ring, 10, 30);
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		struct ring_index *index = ring_view_index(bus->ring, 5);
		struct ring_index saved;
		struct ring_entry entry;
		uint64_t pos = atomic_load(&index->pos);
		char byte = *ring_view_data(bus->ring, pos + 9);

		memcpy((void *)&saved, (void *)index, sizeof(saved));
		damages[i].do_it(bus->ring, index);
		if (bus_look(bus->ring, 5) != RING_DAMAGED)
			fail_msg("%s", damages[i].what);
		assert_int_equal(bus_look(bus->ring, 4), RING_RECORD);
		assert_int_equal(bus_look(bus->ring, 6), RING_RECORD);
		memcpy((void *)index, (void *)&saved, sizeof(saved));
		*ring_view_data(bus->ring, pos + 9) = byte;
		ring_entry_load(index, &entry);
		assert_int_equal(bus_look(bus->ring, 5), RING_RECORD);
	}
}

/* The same to the last event: the next publisher must not follow it anywhere. */
static void
test_damage_is_found_by_publishers(void **state)
{
	struct bus *bus = *state;
	struct ring_draft draft = { .frame = SPAN("frame") };
	struct ring_receipt receipt;
	struct ring_index *index;
	struct ring_shared *shared = bus->ring->parts.shared;

	bus_publish_many(bus->ring, 10, 30);
	index = ring_view_index(bus->ring, 10);
	atomic_store(&index->seq, 9);
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), -ENOTRECOVERABLE);
	atomic_store(&index->seq, 10);
	atomic_fetch_add(&index->pos, UINT64_C(1) << 40);
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), -ENOTRECOVERABLE);
	atomic_fetch_sub(&index->pos, UINT64_C(1) << 40);
	atomic_store(&shared->head, UINT64_MAX);
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), -ENOTRECOVERABLE);
	atomic_store(&shared->head, 11);
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), -ENOTRECOVERABLE);
	atomic_store(&shared->head, 10);
	atomic_store(&shared->intent, UINT64_MAX);
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), -ENOTRECOVERABLE);
	assert_int_equal(bus_look(bus->ring, 10), RING_LAPPED);
	assert_true(ring_oldest(bus->ring) == 11);
	assert_true(ring_bytes_used(bus->ring) == 0);
}

/* No event is put where no reader would look for it. */
static void
test_end_of_the_stream(void **state)
{
	struct bus *bus = *state;
	struct ring_draft draft = { .frame = SPAN("frame") };
	struct ring_receipt receipt;
	struct ring_index *index = ring_view_index(bus->ring, 10);

	bus_publish_many(bus->ring, 10, 30);
	atomic_store(&index->pos, RING_POS_MAX);
	atomic_store(&bus->ring->parts.shared->intent, RING_POS_MAX + 100);
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), -ENOTRECOVERABLE);
	atomic_store(&index->pos, RING_POS_MAX - 1000);
	assert_int_equal(ring_publish(bus->ring, 0, &draft, &receipt), 0);
	assert_int_equal(bus_look(bus->ring, 11), RING_RECORD);
}

/* An entry whose bytes are gone, but which says otherwise: what is readable is no run up to head. */
static void
test_damage_is_found_by_adoption(void **state)
{
	struct bus *bus = *state;
	struct ring_index *index = ring_view_index(bus->ring, 12);
	uint64_t pos;

	bus_publish_many(bus->ring, 20, RING_BYTES_MIN / 8);
	assert_int_equal(ring_adopt(bus->ring), 0);
	assert_true(ring_oldest(bus->ring) > 12);
	pos = atomic_load(&index->pos);
	atomic_store(&index->pos, pos + RING_BYTES_MIN);
	assert_int_equal(ring_adopt(bus->ring), -EBADMSG);
	atomic_store(&index->pos, pos);
	assert_int_equal(ring_adopt(bus->ring), 0);
}

/* Whatever stands in head, questions have an answer and an end. */
static void
test_wild_heads(void **state)
{
	struct bus *bus = *state;
	static const uint64_t heads[] = { 0, 9, 11, 1000, UINT64_MAX - 1, UINT64_MAX };

	bus_publish_many(bus->ring, 10, 30);
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		atomic_store(&bus->ring->parts.shared->head, heads[i]);
		(void)ring_oldest(bus->ring);
		(void)ring_bytes_used(bus->ring);
		(void)ring_last_at_ms(bus->ring);
		assert_true(bus_look(bus->ring, 0) != RING_RECORD);
		assert_true(bus_look(bus->ring, 11) != RING_RECORD);
		assert_true(bus_look(bus->ring, UINT64_MAX) != RING_RECORD);
	}
}

/* Writes nonsense, or what once was sense, over all of the ring but its lock, without end. */
static void
scribble(struct ring *ring)
{
	struct ring_parts *parts = &ring->parts;
	uint64_t seed = 1;

	for (;;) {
		uint64_t random = support_random(&seed);
		_Atomic uint64_t *words = (void *)&parts->index[random % parts->index_count];

		if (random >> 60 == 0)
			atomic_store(&parts->shared->head, random >> 32 & 0xff);
		else if (random >> 60 == 1)
			atomic_store(&parts->shared->intent, random >> 32 & 0xfffff);
		else if (random >> 60 < 8)
			atomic_store(&words[random >> 32 & 7], random >> (random >> 40 & 63));
		else
			parts->data[random % parts->bytes]++;
	}
}

/* A process of ours runs wild: what it writes is believed or not, but followed nowhere. */
static void
test_wild_process(void **state)
{
	struct bus *bus = *state;
	struct ring_draft draft = { .name = SPAN("a.b"), .frame = SPAN("01234567890123456789") };
	struct ring_receipt receipt;
	struct buf frames = { 0 };
	struct buf labels = { 0 };
	struct ring_record record;
	unsigned verdicts[RING_NOMEM + 1] = { 0 };
	pid_t pid;

	bus_publish_many(bus->ring, 300, 100);
	pid = support_fork();
	if (pid == 0)
		scribble(bus->ring);
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t seq = i % 2 == 0 ? ring_oldest(bus->ring) : i % 300;

		buf_reset(&frames);
		buf_reset(&labels);
		verdicts[ring_read(bus->ring, seq, &frames, &labels, &record)]++;
		assert_true(frames.len <= RING_BYTES_MIN / 4);
		assert_true(ring_bytes_used(bus->ring) <= RING_BYTES_MIN);
		(void)ring_last_at_ms(bus->ring);
		if (i % 16 == 0)
			(void)!ring_publish(bus->ring, 0, &draft, &receipt);
	}
	assert_int_equal(verdicts[RING_NOMEM], 0);
	assert_true(verdicts[RING_DAMAGED] > 0);
	support_kill(pid);
	buf_fini(&frames);
	buf_fini(&labels);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		bus_test(test_damage_is_found_by_readers),
		bus_test(test_damage_is_found_by_publishers),
		bus_test(test_end_of_the_stream),
		bus_test(test_damage_is_found_by_adoption),
		bus_test(test_wild_heads),
		bus_test(test_wild_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
