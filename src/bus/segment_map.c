/*
 * The memory of the segment: plan, object, mapping.
 *
 * Invariants: every byte that any process may touch is reserved before anybody can touch it, so
 * that no store meets a full file system; the magic is stored last, so that a creation that was
 * cut short is never adopted.
 */
#include "bus/segment_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/counters.h"
#include "bus/directory.h"
#include "bus/layout.h"
#include "bus/ledger.h"
#include "bus/loglines.h"
#include "bus/mailbox.h"
#include "bus/ring.h"
#include "bus/visitors.h"

enum {
	OWN_MAILBOXES = 2, /* keeper and supervisor */
};

#define RING_BYTES_LIMIT    (UINT64_C(1) << 40)
#define MAILBOX_BYTES_LIMIT (UINT64_C(1) << 32)

/* --- plan --------------------------------------------------------------------------------- */

static uint64_t
page_bytes(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t
round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static bool
layout_is_sane(const struct segment_layout *layout)
{
	return layout->worker_slots >= 1 && layout->worker_slots <= SEGMENT_WORKER_SLOTS_MAX &&
	       layout->ring_bytes >= RING_BYTES_MIN && layout->ring_bytes <= RING_BYTES_LIMIT &&
	       layout->mailbox_bytes >= MAILBOX_BYTES_MIN &&
	       layout->mailbox_bytes <= MAILBOX_BYTES_LIMIT && layout->max_connections >= 1 &&
	       layout->max_connections <= DIRECTORY_CONNECTIONS_MAX;
}

/* The place of a part of `len` bytes, and moves `end` behind it. */
static uint64_t
place(uint64_t *end, uint64_t unit, uint64_t len)
{
	uint64_t offset = round_up(*end, unit);

	*end = offset + len;
	return offset;
}

int
segment_plan_make(const struct segment_layout *layout, struct segment_plan *ret)
{
	const uint64_t page = page_bytes();
	const uint64_t line = LAYOUT_LINE;
	uint64_t end = page;
	uint64_t slots;

	if (!layout_is_sane(layout))
		return -EINVAL;
	ret->layout = *layout;
	ret->layout.ring_bytes = round_up(layout->ring_bytes, page);
	ret->layout.mailbox_bytes = round_up(layout->mailbox_bytes, page);
	slots = (uint64_t)layout->worker_slots + OWN_MAILBOXES;
	ret->slots = (unsigned)slots;
	ret->index_count = ring_index_count(ret->layout.ring_bytes);

	ret->wake = place(&end, line, sizeof(struct wake_shared));
	ret->roster =
	    place(&end, line, sizeof(struct roster_shared) + slots * sizeof(struct roster_line));
	ret->counters = place(&end, line, slots * sizeof(struct counters));
	ret->directory = place(&end, line, sizeof(struct directory_shared));
	ret->directory_slots = place(&end, line, slots * sizeof(struct directory_slot));
	ret->entries = place(&end, line, layout->max_connections * sizeof(uint64_t));
	ret->visitors = place(&end, line,
	    sizeof(struct visitors_shared) +
		visitors_lines(layout->max_connections) * sizeof(struct visitor_line));
	ret->providers = place(&end, line, sizeof(struct providers_shared));
	ret->providers_slots = place(&end, line, slots * sizeof(struct providers_slot));
	ret->idempotency = place(&end, line, sizeof(struct idempotency_shared));
	ret->ledger = place(&end, line, ledger_bytes());
	ret->loglines = place(&end, line, loglines_bytes());
	ret->ring = place(&end, line, sizeof(struct ring_shared));
	ret->readers = place(&end, line, slots * sizeof(struct ring_reader));
	ret->index = place(&end, line, ret->index_count * sizeof(struct ring_index));
	ret->mailboxes = place(&end, line, slots * sizeof(struct mailbox_shared));
	ret->own_mail = place(&end, page, OWN_MAILBOXES * ret->layout.mailbox_bytes);
	ret->worker_mail = place(&end, page, layout->worker_slots * ret->layout.mailbox_bytes);
	ret->ring_data = place(&end, page, ret->layout.ring_bytes);
	ret->total = end;
	return 0;
}

/* --- object ------------------------------------------------------------------------------- */

int
segment_map_reserve(const struct segment_map *map, uint64_t offset, uint64_t len)
{
	int error;

	/* A signal makes it give up and undo; then the next attempt begins anew. */
	do {
		error = posix_fallocate(map->fd, (off_t)offset, (off_t)len);
	} while (error == EINTR);
	return -error;
}

int
segment_map_release_workers(const struct segment_map *map, const struct segment_plan *plan)
{
	int r = fallocate(map->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	    (off_t)plan->worker_mail, (off_t)(plan->ring_data - plan->worker_mail));

	return r < 0 ? -errno : 0;
}

/* All but the mail of the workers. */
static int
reserve_common(const struct segment_map *map, const struct segment_plan *plan)
{
	int r = segment_map_reserve(map, 0, plan->worker_mail);

	if (r < 0)
		return r;
	return segment_map_reserve(map, plan->ring_data, plan->layout.ring_bytes);
}

/*
 * Maps the object and, right behind, the ring's data once more. The address space for both is
 * taken first, so that nothing else can come to lie between.
 */
static int
map_twice(struct segment_map *map, const struct segment_plan *plan)
{
	const int access = PROT_READ | PROT_WRITE;
	uint64_t len = plan->total + plan->layout.ring_bytes;
	char *base = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return -errno;
	if (mmap(base, plan->total, access, MAP_SHARED | MAP_FIXED, map->fd, 0) == MAP_FAILED ||
	    mmap(base + plan->total, plan->layout.ring_bytes, access, MAP_SHARED | MAP_FIXED,
		map->fd, (off_t)plan->ring_data) == MAP_FAILED) {
		int r = -errno;

		munmap(base, len);
		return r;
	}
	/* What clients say to each other has no place in a core dump. */
	madvise(base, len, MADV_DONTDUMP);
	map->base = base;
	return 0;
}

static bool
header_fits(const struct segment_header *header, const struct segment_plan *plan)
{
	return atomic_load_explicit(&header->magic, memory_order_acquire) == LAYOUT_MAGIC &&
	       header->version == LAYOUT_VERSION && header->page_bytes == page_bytes() &&
	       header->worker_slots == plan->layout.worker_slots &&
	       header->max_connections == plan->layout.max_connections &&
	       header->ring_bytes == plan->layout.ring_bytes &&
	       header->mailbox_bytes == plan->layout.mailbox_bytes &&
	       header->total_bytes == plan->total && header->lock_bytes == sizeof(struct shlock) &&
	       header->counters_bytes == sizeof(struct counters);
}

/*
 * Takes the object for this gateway: its processes inherit the descriptor, and with it the lock, so it is
 * held while one of them lives.  The lock file says the same, but a file can be removed under a gateway.
 * Whoever keeps the object for the next gateway is given a descriptor that was opened anew, without the lock.
 */
static int
claim(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

/* Whether an object that was there can be ours. */
static int
check_object(int fd, const struct segment_plan *plan)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return -EACCES;
	return (uint64_t)st.st_size == plan->total ? 0 : -ESTALE;
}

/* Maps what was opened; FD is taken, also when it fails. */
static int
open_take(int fd, const struct segment_plan *plan, struct segment_map *ret)
{
	struct segment_map map = { .fd = fd };
	int r = check_object(map.fd, plan);

	/* One of another size is about to be removed: that must not happen to the living either. */
	if (r == 0 || r == -ESTALE) {
		int claimed = claim(map.fd);

		r = claimed < 0 ? claimed : r;
	}
	if (r == 0)
		/* Reserved again: it may have been cut and grown since. */
		r = reserve_common(&map, plan);
	if (r == 0)
		r = map_twice(&map, plan);
	if (r < 0) {
		close(map.fd);
		return r;
	}
	if (!header_fits((const struct segment_header *)(void *)map.base, plan)) {
		segment_map_close(&map, plan);
		return -ESTALE;
	}
	*ret = map;
	return 0;
}

int
segment_map_open(const char *name, const struct segment_plan *plan, struct segment_map *ret)
{
	int fd = shm_open(name, O_RDWR | O_CLOEXEC, 0);

	return fd < 0 ? -errno : open_take(fd, plan, ret);
}

int
segment_map_reopen(int fd, int *ret_fd)
{
	char path[32];
	int opened;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	opened = open(path, O_RDWR | O_CLOEXEC);
	if (opened < 0)
		return -errno;
	*ret_fd = opened;
	return 0;
}

int
segment_map_adopt(int fd, const struct segment_plan *plan, struct segment_map *ret)
{
	int opened = -1, r = segment_map_reopen(fd, &opened);

	return r < 0 ? r : open_take(opened, plan, ret);
}

int
segment_map_create(const char *name, const struct segment_plan *plan, struct segment_map *ret)
{
	struct segment_map map = {
		.fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR),
	};
	int r = 0;

	if (map.fd < 0)
		return -errno;
	r = claim(map.fd);
	if (r == 0 && ftruncate(map.fd, (off_t)plan->total) < 0)
		r = -errno;
	if (r == 0)
		r = reserve_common(&map, plan);
	if (r == 0)
		r = map_twice(&map, plan);
	if (r < 0) {
		close(map.fd);
		shm_unlink(name);
		return r;
	}
	*ret = map;
	return 0;
}

void
segment_map_seal(struct segment_map *map, const struct segment_plan *plan)
{
	struct segment_header *header = (void *)map->base;

	header->version = LAYOUT_VERSION;
	header->page_bytes = (uint32_t)page_bytes();
	header->worker_slots = plan->layout.worker_slots;
	header->max_connections = plan->layout.max_connections;
	header->ring_bytes = plan->layout.ring_bytes;
	header->mailbox_bytes = plan->layout.mailbox_bytes;
	header->total_bytes = plan->total;
	header->lock_bytes = sizeof(struct shlock);
	header->counters_bytes = sizeof(struct counters);
	/* Release: the magic is the last thing that anybody sees. */
	atomic_store_explicit(&header->magic, LAYOUT_MAGIC, memory_order_release);
}

void
segment_map_close(struct segment_map *map, const struct segment_plan *plan)
{
	munmap(map->base, plan->total + plan->layout.ring_bytes);
	close(map->fd);
}
