/*
 * Asking the owner of a connection to close it: a field in the connection's word, and a reason
 * beside.
 *
 * The field alone is the request, so that it depends on no room and on no lock: without a free
 * place for the reason, or when the lock of the reasons is not to be had, a close is asked
 * without one. The invariants stand in bus/directory_view.h.
 */
#include <errno.h>
#include <string.h>

#include "base/failpoint.h"
#include "bus/directory.h"
#include "bus/directory_view.h"
#include "bus/layout.h"

static_assert(sizeof(((struct directory_reason *)0)->text) == DIRECTORY_REASON_MAX + 1,
    "a reason and its NUL");

/* Whether the entry for which a reason was written still refers to it. */
static bool
reason_is_used(const struct directory *directory, unsigned number)
{
	const struct directory_reason *reason = &directory->parts.shared->reasons[number];
	uint32_t conn_id = atomic_load_explicit(&reason->conn_id, memory_order_relaxed);
	_Atomic uint64_t *entry;

	return conn_id != 0 &&
	       directory_view_close(directory_view_word(directory, conn_id, &entry)) == number + 1;
}

/* Bytes of a reason that are kept: no character is cut in two. */
static size_t
reason_length(struct span reason)
{
	size_t n = reason.n;

	if (n <= DIRECTORY_REASON_MAX)
		return n;
	n = DIRECTORY_REASON_MAX;
	while (n > 0 && ((unsigned char)reason.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/*
 * With the lock held: writes the reason to a free place; what the entry's close field is to say.
 */
static uint64_t
write_reason(struct directory *directory, uint32_t conn_id, struct span text)
{
	for (unsigned i = 0; i < DIRECTORY_REASONS; i++) {
		struct directory_reason *reason = &directory->parts.shared->reasons[i];
		size_t n = reason_length(text);

		if (reason_is_used(directory, i))
			continue;
		memcpy(reason->text, text.p, n);
		reason->text[n] = 0;
		failpoint("text of the reason");
		atomic_store_explicit(&reason->conn_id, conn_id, memory_order_relaxed);
		failpoint("conn_id of the reason");
		return i + 1;
	}
	return DIRECTORY_NO_REASON;
}

/*
 * Sets the close field of a live entry, where nobody did yet. The owner is told in any case: who set
 * the field before may have died before it told. Returns 0 or -ENOENT.
 */
static int
set_close(struct directory *directory, uint32_t conn_id, uint64_t close, unsigned *ret_slot)
{
	_Atomic uint64_t *entry;
	uint64_t word;

	do {
		word = directory_view_word(directory, conn_id, &entry);
		if (word == 0)
			return -ENOENT;
		*ret_slot = directory_view_slot(word);
		if (directory_view_close(word) != 0)
			break;
		/* Release: the owner that sees the field sees the reason. */
	} while (!atomic_compare_exchange_weak_explicit(entry, &word,
	    word | close << DIRECTORY_CLOSE_SHIFT, memory_order_acq_rel, memory_order_relaxed));
	failpoint("close field");
	/* Release: the owner that sees the count sees the field. */
	atomic_fetch_add_explicit(
	    &directory->parts.slots[*ret_slot].closes_asked, 1, memory_order_release);
	failpoint("closes_asked");
	return 0;
}

int
directory_request_close(
    struct directory *directory, uint32_t conn_id, struct span reason, unsigned *ret_slot)
{
	struct shlock *lock = &directory->parts.shared->lock;
	_Atomic uint64_t *entry;
	uint64_t close;
	int r;

	if (directory_view_word(directory, conn_id, &entry) == 0)
		return -ENOENT;
	if (reason.n == 0 || shlock_take(lock, NULL) < 0)
		return set_close(directory, conn_id, DIRECTORY_NO_REASON, ret_slot);
	close = write_reason(directory, conn_id, reason);
	/* Within the lock: until an entry refers to it, the place counts as free. */
	r = set_close(directory, conn_id, close, ret_slot);
	shlock_give(lock);
	return r;
}

uint64_t
directory_close_requests(struct directory *directory, unsigned slot)
{
	struct directory_slot *line;
	uint64_t asked;

	if (slot >= directory->parts.slot_count)
		return 0;
	line = &directory->parts.slots[slot];
	asked = atomic_load_explicit(&line->closes_asked, memory_order_acquire);
	atomic_store_explicit(&line->closes_seen, asked, memory_order_relaxed);
	failpoint("closes_seen");
	return asked;
}

bool
directory_take_close(
    struct directory *directory, uint32_t conn_id, char ret_reason[DIRECTORY_REASON_MAX + 1])
{
	_Atomic uint64_t *entry;
	uint64_t close = directory_view_close(directory_view_word(directory, conn_id, &entry));

	if (close == 0)
		return false;
	ret_reason[0] = 0;
	if (close <= DIRECTORY_REASONS)
		memcpy(ret_reason, directory->parts.shared->reasons[close - 1].text,
		    DIRECTORY_REASON_MAX);
	ret_reason[DIRECTORY_REASON_MAX] = 0;
	/* Release: the reason's place is free from here on, and has been read. */
	atomic_fetch_and_explicit(entry, ~DIRECTORY_CLOSE_MASK, memory_order_acq_rel);
	failpoint("close field cleared");
	return true;
}

bool
directory_has_requests(const struct directory *directory, unsigned slot)
{
	const struct directory_slot *line;

	if (slot >= directory->parts.slot_count)
		return false;
	line = &directory->parts.slots[slot];
	return atomic_load_explicit(&line->closes_asked, memory_order_acquire) !=
	       atomic_load_explicit(&line->closes_seen, memory_order_relaxed);
}
