/*
 * The ring when another process of ours runs wild: publishes and reads of our own, between them
 * anything written over index, data, readers and what stands before them. What must hold for any
 * bytes: no access outside, an end of every call, a record is what its entry says or none, an
 * event that was published can be read as it was given, and a ring that was adopted serves.
 *
 * All of the shared memory is at the feed's mercy but the mutex, which is glibc's own.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "bus/layout.h"
#include "bus/ring.h"
#include "bus/ring_entry.h"
#include "bus/ring_view.h"
#include "fuzz.h"

enum {
	DATA_BYTES = 4096,
	SLOTS = 3,
	OPERATIONS_MAX = 200,
	FRAME_MAX = 1200, /* a bit more than fits */
};

struct stage {
	struct ring *ring;
	struct ring_parts parts;
	struct buf frames, labels;
};

/* The same page twice, between pages that nobody may touch. */
static char *
map_data(void)
{
	int fd = memfd_create("ring", MFD_CLOEXEC);
	char *base = mmap(NULL, 4 * DATA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(fd >= 0 && base != MAP_FAILED && ftruncate(fd, DATA_BYTES) == 0);
	for (unsigned i = 1; i <= 2; i++)
		must(mmap(base + i * DATA_BYTES, DATA_BYTES, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	close(fd);
	return base + DATA_BYTES;
}

static void
stage_open(struct stage *stage)
{
	uint32_t index_count = ring_index_count(DATA_BYTES);

	stage->parts = (struct ring_parts){
		.shared = aligned_alloc(LAYOUT_LINE, sizeof(struct ring_shared)),
		.index = aligned_alloc(LAYOUT_LINE, index_count * sizeof(struct ring_index)),
		.readers = aligned_alloc(LAYOUT_LINE, SLOTS * sizeof(struct ring_reader)),
		.data = map_data(),
		.bytes = DATA_BYTES,
		.index_count = index_count,
		.slots = SLOTS,
	};
	must(stage->parts.shared != NULL && stage->parts.index != NULL &&
	     stage->parts.readers != NULL);
	stage->ring = ring_new(&stage->parts);
	must(stage->ring != NULL);
}

/* --- what must hold ----------------------------------------------------------------------- */

static void
check_record(const struct stage *stage, uint64_t seq, const struct ring_record *record)
{
	size_t labels = (size_t)record->name_len + record->key_len;

	must(record->seq == seq && seq != 0);
	must(labels + record->frame_len <= ring_record_max(stage->ring));
	must(record->label_offset + labels == stage->labels.len);
	must(record->frame_offset + record->frame_len == stage->frames.len);
}

static enum ring_verdict
look(struct stage *stage, uint64_t seq, struct ring_record *ret)
{
	uint64_t head = ring_head(stage->ring);
	size_t frames = stage->frames.len, labels = stage->labels.len;
	enum ring_verdict verdict =
	    ring_read(stage->ring, seq, &stage->frames, &stage->labels, ret);

	must(verdict != RING_NOMEM);
	must((verdict == RING_EMPTY) == (seq > head));
	if (verdict == RING_RECORD)
		check_record(stage, seq, ret);
	else
		must(stage->frames.len == frames && stage->labels.len == labels);
	return verdict;
}

/* Questions have an answer within bounds, and an end. */
static void
ask(struct stage *stage)
{
	struct ring *ring = stage->ring;
	struct ring_record record;
	uint64_t head = ring_head(ring), oldest = ring_oldest(ring);

	must(oldest <= head + 1 || head == UINT64_MAX);
	must(head + 1 - oldest < stage->parts.index_count);
	must(ring_bytes_used(ring) <= ring_capacity(ring));
	must(strlen(ring_epoch(ring)) == RING_EPOCH_DIGITS);
	must(head != 0 || ring_last_at_ms(ring) == 0);
	for (uint64_t seq = oldest; seq != head + 1; seq++)
		(void)look(stage, seq, &record);
	must(look(stage, 0, &record) == RING_LAPPED);
	(void)ring_mutex_recoveries(ring);
	(void)ring_stuck_holder(ring, 0);
}

/* --- our own doing ------------------------------------------------------------------------ */

static struct ring_digits
feed_digits(struct feed *feed, size_t frame_len)
{
	struct ring_digits digits = { .width = feed_byte(feed) % 16 };

	if (digits.width == 15)
		digits.width = (uint32_t)feed_wild(feed);
	if (digits.width != 0)
		digits.offset = (uint32_t)(feed_wild(feed) % (frame_len + 2));
	return digits;
}

/* What was published is there at once, but for the digits as it was given. */
static void
check_published(
    struct stage *stage, const struct ring_draft *draft, const struct ring_receipt *receipt)
{
	struct ring_record record;
	const char *labels;

	must(receipt->seq == ring_head(stage->ring));
	must(receipt->at_ms == ring_last_at_ms(stage->ring));
	must(look(stage, receipt->seq, &record) == RING_RECORD);
	must(record.at_ms == receipt->at_ms && record.flags == draft->flags);
	labels = stage->labels.data + record.label_offset;
	must(span_is_equal(span_make(labels, record.name_len), draft->name));
	must(span_is_equal(span_make(labels + record.name_len, record.key_len), draft->key));
	must(record.frame_len == draft->frame.n);
	if (draft->id.width + draft->seq.width + draft->at.width == 0)
		must(span_is_equal(
		    span_make(stage->frames.data + record.frame_offset, record.frame_len),
		    draft->frame));
}

static void
publish(struct stage *stage, struct feed *feed)
{
	static const char bytes[FRAME_MAX] = "frame";
	struct ring_draft draft = {
		.name = feed_span(feed, feed_byte(feed) % 16),
		.key = feed_span(feed, feed_byte(feed) % 16),
		.frame = span_make(bytes, feed_bytes(feed, 2) % sizeof(bytes)),
		.flags = feed_byte(feed),
	};
	struct ring_receipt receipt;

	draft.id = feed_digits(feed, draft.frame.n);
	draft.seq = feed_digits(feed, draft.frame.n);
	draft.at = feed_digits(feed, draft.frame.n);
	if (ring_publish(stage->ring, feed_byte(feed), &draft, &receipt) == 0)
		check_published(stage, &draft, &receipt);
}

/* All that is readable after an adoption is whole, and the next event finds its place. */
static void
adopt(struct stage *stage)
{
	struct ring_draft draft = { .name = SPAN("a.b"), .frame = SPAN("frame") };
	struct ring_receipt receipt;
	struct ring_record record;

	if (ring_adopt(stage->ring) < 0)
		return;
	for (uint64_t seq = ring_oldest(stage->ring); seq <= ring_head(stage->ring); seq++)
		must(look(stage, seq, &record) == RING_RECORD);
	must(ring_publish(stage->ring, 0, &draft, &receipt) == 0);
	check_published(stage, &draft, &receipt);
}

static void
move_reader(struct stage *stage, struct feed *feed)
{
	unsigned slot = feed_byte(feed) % (SLOTS + 2);
	uint64_t seq = feed_wild(feed);

	ring_reader_attach(stage->ring, slot, seq);
	must(ring_reader_seq(stage->ring, slot) == (slot < SLOTS ? seq : 0));
	ring_reader_lapped(stage->ring, slot, feed_wild(feed));
	(void)ring_reader_laps(stage->ring, slot);
	(void)ring_reader_lost(stage->ring, slot);
	ring_clear_slot(stage->ring, slot);
	must(ring_reader_seq(stage->ring, slot) == 0);
}

/* --- the other's doing -------------------------------------------------------------------- */

/* An entry with fields of its own choice, and, where it can be, a check that is right for them. */
static void
forge_entry(struct stage *stage, struct feed *feed)
{
	uint64_t seq = feed_wild(feed);
	struct ring_index *index = ring_view_index(stage->ring, seq);
	struct ring_entry entry = {
		.seq = seq,
		.pos = feed_wild(feed),
		.at_ms = feed_wild(feed),
		.flags = feed_byte(feed),
		.frame_len = (uint32_t)feed_wild(feed),
		.name_len = (uint16_t)feed_wild(feed),
		.key_len = (uint16_t)feed_wild(feed),
	};
	const char *data = ring_view_data(stage->ring, entry.pos);
	struct span name = span_make(data, entry.name_len);
	struct span key = span_make(data + entry.name_len, entry.key_len);
	struct span frame = span_make(data + entry.name_len + entry.key_len, entry.frame_len);

	if (ring_entry_len(&entry) <= DATA_BYTES)
		entry.check = ring_entry_check(
		    &entry, ring_entry_sum_labels(name, key) + ring_entry_sum_frame(frame));
	ring_entry_store(index, &entry);
	atomic_store(&index->seq, seq);
}

/* One field of the entry of an event that is there, or nearly. */
static void
poke_entry(struct stage *stage, struct feed *feed)
{
	uint64_t seq = ring_head(stage->ring) - feed_byte(feed) % 8;
	struct ring_index *index = ring_view_index(stage->ring, seq);
	uint64_t value = feed_wild(feed);

	switch (feed_byte(feed) % 6) {
	case 0:
		atomic_store(&index->seq, value);
		break;
	case 1:
		atomic_store(&index->pos, value);
		break;
	case 2:
		atomic_store(&index->frame_len, (uint32_t)value);
		break;
	case 3:
		atomic_store(&index->name_len, (uint16_t)value);
		break;
	case 4:
		atomic_store(&index->key_len, (uint16_t)value);
		break;
	default:
		atomic_fetch_add(&index->pos, value);
		break;
	}
}

static void
overlay_something(struct stage *stage, struct feed *feed)
{
	struct ring_parts *parts = &stage->parts;

	switch (feed_byte(feed) % 4) {
	case 0:
		overlay(feed, parts->index, parts->index_count * sizeof(parts->index[0]));
		break;
	case 1:
		overlay(feed, parts->data, DATA_BYTES);
		break;
	case 2:
		overlay(feed, parts->readers, SLOTS * sizeof(parts->readers[0]));
		break;
	default:
		overlay(feed, (void *)&parts->shared->head,
		    sizeof(*parts->shared) - offsetof(struct ring_shared, head));
		break;
	}
}

static void
operate(struct stage *stage, struct feed *feed)
{
	struct ring_shared *shared = stage->parts.shared;
	struct ring_record record;

	switch (feed_byte(feed) % 12) {
	case 0:
	case 1:
		publish(stage, feed);
		break;
	case 2:
		(void)look(stage, feed_wild(feed), &record);
		break;
	case 3:
		ask(stage);
		break;
	case 4:
		adopt(stage);
		break;
	case 5:
		move_reader(stage, feed);
		break;
	case 6:
		forge_entry(stage, feed);
		break;
	case 7:
		poke_entry(stage, feed);
		break;
	case 8:
		atomic_store(&shared->head, feed_wild(feed));
		break;
	case 9:
		atomic_store(&shared->intent, feed_wild(feed));
		break;
	case 10:
		atomic_fetch_add(&shared->intent, feed_wild(feed));
		break;
	default:
		overlay_something(stage, feed);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct stage stage;
	struct feed feed = { bytes, n };

	if (stage.ring == NULL)
		stage_open(&stage);
	must(ring_format(stage.ring) == 0);
	memset(stage.parts.data, 0, DATA_BYTES);
	for (unsigned i = 0; i < OPERATIONS_MAX && feed.n > 0; i++) {
		buf_reset(&stage.frames);
		buf_reset(&stage.labels);
		operate(&stage, &feed);
	}
	ask(&stage);
	adopt(&stage);
	return 0;
}
