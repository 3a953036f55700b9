/*
 * Who sleeps, and the eventfds that wake them.
 *
 * Invariant: whoever takes a bit away from 1 to 0 writes that slot's eventfd, except its own
 * process, which is awake. A write that fails because the counter is full finds the descriptor
 * readable anyway.
 */
#include "bus/wake.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/failpoint.h"
#include "bus/layout.h"

enum {
	BITS = 64,
};

struct wake {
	struct wake_shared *shared;
	unsigned slots;
	unsigned words;
	int fds[];
};

static_assert(sizeof(((struct wake_shared *)0)->bits) * 8 == WAKE_SLOTS_MAX, "a bit for each slot");

static uint64_t
bit_of(unsigned slot)
{
	return UINT64_C(1) << (slot % BITS);
}

static void
write_fd(int fd)
{
	const uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	(void)n;
	failpoint("eventfd");
}

int
wake_new(struct wake_shared *shared, unsigned slots, struct wake **ret)
{
	struct wake *wake;

	if (slots > WAKE_SLOTS_MAX)
		return -EINVAL;
	wake = mem_zalloc(sizeof(*wake) + slots * sizeof(wake->fds[0]));
	if (wake == NULL)
		return -ENOMEM;
	wake->shared = shared;
	wake->words = (slots + BITS - 1) / BITS;
	for (; wake->slots < slots; wake->slots++) {
		int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

		if (fd < 0) {
			int r = -errno;

			wake_free(wake);
			return r;
		}
		wake->fds[wake->slots] = fd;
	}
	*ret = wake;
	return 0;
}

void
wake_free(struct wake *wake)
{
	if (wake == NULL)
		return;
	for (unsigned i = 0; i < wake->slots; i++)
		close(wake->fds[i]);
	mem_free(wake);
}

void
wake_format(struct wake *wake)
{
	for (size_t i = 0; i < ARRAY_LEN(wake->shared->bits); i++)
		atomic_store_explicit(&wake->shared->bits[i], 0, memory_order_relaxed);
}

/*
 * Sleeper: bit := 1; fence; look for work.      Waker: publish work; fence; look at the bit.
 * Both fences are sequentially consistent, so one of the two comes first in their one order:
 * either the sleeper sees the work, or the waker sees the bit.
 */
void
wake_arm(struct wake *wake, unsigned slot)
{
	if (slot >= wake->slots)
		return;
	atomic_fetch_or_explicit(
	    &wake->shared->bits[slot / BITS], bit_of(slot), memory_order_seq_cst);
	failpoint("bit set");
	atomic_thread_fence(memory_order_seq_cst);
}

void
wake_disarm(struct wake *wake, unsigned slot)
{
	if (slot >= wake->slots)
		return;
	atomic_fetch_and_explicit(
	    &wake->shared->bits[slot / BITS], ~bit_of(slot), memory_order_relaxed);
	failpoint("bit cleared");
}

void
wake_call(struct wake *wake, unsigned slot)
{
	_Atomic uint64_t *word;
	bool is_taken;

	if (slot >= wake->slots)
		return;
	word = &wake->shared->bits[slot / BITS];
	atomic_thread_fence(memory_order_seq_cst);
	if (!(atomic_load_explicit(word, memory_order_relaxed) & bit_of(slot)))
		return;
	/* Of several that saw the bit one takes it away, and pays for the system call. */
	is_taken = (atomic_fetch_and_explicit(word, ~bit_of(slot), memory_order_acq_rel) &
		       bit_of(slot)) != 0;
	failpoint("bit taken");
	if (is_taken)
		write_fd(wake->fds[slot]);
}

/* Writes to the descriptors of the slots whose bits were taken from word number `word`. */
static void
write_taken(struct wake *wake, unsigned word, uint64_t taken)
{
	while (taken != 0) {
		unsigned slot = word * BITS + (unsigned)__builtin_ctzll(taken);

		taken &= taken - 1;
		if (slot < wake->slots)
			write_fd(wake->fds[slot]);
	}
}

void
wake_call_all(struct wake *wake)
{
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned i = 0; i < wake->words; i++) {
		_Atomic uint64_t *word = &wake->shared->bits[i];
		uint64_t taken;

		if (atomic_load_explicit(word, memory_order_relaxed) == 0)
			continue;
		taken = atomic_exchange_explicit(word, 0, memory_order_acq_rel);
		failpoint("bits taken");
		write_taken(wake, i, taken);
	}
}

void
wake_force_all(struct wake *wake)
{
	for (unsigned i = 0; i < wake->slots; i++)
		write_fd(wake->fds[i]);
}

void
wake_drain(struct wake *wake, unsigned slot)
{
	uint64_t count;
	ssize_t n;

	if (slot >= wake->slots)
		return;
	/* One read takes the whole count; nothing to read is as good. */
	n = read(wake->fds[slot], &count, sizeof(count));
	(void)n;
}

bool
wake_is_armed(const struct wake *wake, unsigned slot)
{
	if (slot >= wake->slots)
		return false;
	return atomic_load_explicit(&wake->shared->bits[slot / BITS], memory_order_relaxed) &
	       bit_of(slot);
}

int
wake_fd(const struct wake *wake, unsigned slot)
{
	return slot < wake->slots ? wake->fds[slot] : -1;
}
