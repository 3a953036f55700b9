/*
 * The shared segment: opens the memory and gives each part its view.
 *
 * A segment struct is one process's; the children get theirs by the fork. Views are made whole
 * before anything is read or written, and any failure on the way is undone by segment_close.
 */
#include "bus/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bus/counters.h"
#include "bus/directory.h"
#include "bus/directory_view.h"
#include "bus/idempotency.h"
#include "bus/layout.h"
#include "bus/ledger.h"
#include "bus/loglines.h"
#include "bus/mailbox.h"
#include "bus/providers.h"
#include "bus/providers_view.h"
#include "bus/obituary.h"
#include "bus/ring.h"
#include "bus/ring_view.h"
#include "bus/roster.h"
#include "bus/segment_map.h"
#include "bus/visitors.h"
#include "bus/wake.h"

enum {
	NAME_MAX_BYTES = 255,
	BLOCK_BYTES = 512, /* unit of st_blocks */
};

struct segment {
	struct segment_plan plan;
	struct segment_map map;
	struct wake *wake;
	struct roster *roster;
	struct counters *counters;
	struct directory *directory;
	struct visitors *visitors;
	struct providers *providers;
	struct idempotency *idempotency;
	struct ledger *ledger;
	struct loglines *loglines;
	struct ring *ring;
	struct mailbox *mailboxes[]; /* one for each slot */
};

/* --- views -------------------------------------------------------------------------------- */

static void *
part(const struct segment *segment, uint64_t offset)
{
	return segment->map.base + offset;
}

static struct directory *
view_directory(const struct segment *segment)
{
	const struct segment_plan *plan = &segment->plan;
	struct directory_parts parts = {
		.shared = part(segment, plan->directory),
		.slots = part(segment, plan->directory_slots),
		.entries = part(segment, plan->entries),
		.capacity = plan->layout.max_connections,
		.slot_count = plan->slots,
	};

	return directory_new(&parts);
}

static struct ring *
view_ring(const struct segment *segment)
{
	const struct segment_plan *plan = &segment->plan;
	struct ring_parts parts = {
		.shared = part(segment, plan->ring),
		.index = part(segment, plan->index),
		.readers = part(segment, plan->readers),
		.data = part(segment, plan->ring_data),
		.bytes = plan->layout.ring_bytes,
		.index_count = plan->index_count,
		.slots = plan->slots,
	};

	return ring_new(&parts);
}

static struct providers *
view_providers(const struct segment *segment)
{
	const struct segment_plan *plan = &segment->plan;
	struct providers_parts parts = {
		.shared = part(segment, plan->providers),
		.slots = part(segment, plan->providers_slots),
		.slot_count = plan->slots,
	};

	return providers_new(&parts);
}

/*
 * Where the mail of a slot lies: that of keeper and supervisor stands before that of the workers.
 */
static uint64_t
mail_offset(const struct segment_plan *plan, unsigned slot)
{
	unsigned workers = plan->layout.worker_slots;

	if (slot < workers)
		return plan->worker_mail + slot * plan->layout.mailbox_bytes;
	return plan->own_mail + (slot - workers) * plan->layout.mailbox_bytes;
}

static struct mailbox *
view_mailbox(const struct segment *segment, unsigned slot)
{
	const struct segment_plan *plan = &segment->plan;
	struct mailbox_shared *shared = part(segment, plan->mailboxes);

	return mailbox_new(
	    &shared[slot], part(segment, mail_offset(plan, slot)), plan->layout.mailbox_bytes);
}

static int
make_views(struct segment *segment)
{
	const struct segment_plan *plan = &segment->plan;
	int r = wake_new(part(segment, plan->wake), plan->slots, &segment->wake);

	if (r < 0)
		return r;
	segment->counters = part(segment, plan->counters);
	segment->roster = roster_new(part(segment, plan->roster), plan->slots);
	segment->directory = view_directory(segment);
	segment->visitors = visitors_new(
	    part(segment, plan->visitors), visitors_lines(plan->layout.max_connections));
	segment->providers = view_providers(segment);
	segment->idempotency = idempotency_new(part(segment, plan->idempotency), plan->slots);
	segment->ledger = ledger_new(part(segment, plan->ledger));
	segment->loglines = loglines_new(part(segment, plan->loglines));
	segment->ring = view_ring(segment);
	if (segment->roster == NULL || segment->directory == NULL || segment->visitors == NULL ||
	    segment->providers == NULL || segment->idempotency == NULL || segment->ledger == NULL ||
	    segment->loglines == NULL || segment->ring == NULL)
		return -ENOMEM;
	for (unsigned slot = 0; slot < plan->slots; slot++) {
		segment->mailboxes[slot] = view_mailbox(segment, slot);
		if (segment->mailboxes[slot] == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* --- contents ----------------------------------------------------------------------------- */

/* Empties all that does not outlive a gateway. */
static int
format_common(struct segment *segment)
{
	int r;

	wake_format(segment->wake);
	roster_format(segment->roster);
	memset((void *)segment->counters, 0, segment->plan.slots * sizeof(*segment->counters));
	r = visitors_format(segment->visitors);
	if (r == 0)
		r = providers_format(segment->providers);
	if (r == 0)
		r = idempotency_format(segment->idempotency);
	return r < 0 ? r : directory_format(segment->directory);
}

static int
format_mailboxes(struct segment *segment, int (*format)(struct mailbox *mailbox))
{
	for (unsigned slot = 0; slot < segment->plan.slots; slot++) {
		int r = format(segment->mailboxes[slot]);

		if (r < 0)
			return r;
		if (slot >= segment->plan.layout.worker_slots)
			mailbox_set_open(segment->mailboxes[slot]);
	}
	return 0;
}

/* Whoever was connected when all processes died gets a line in the ledger, which goes on. */
static unsigned
write_obituaries(const struct segment *segment)
{
	unsigned count = 0;

	directory_recall(segment->directory);
	for (unsigned slot = 0; slot < segment->plan.layout.worker_slots; slot++)
		count += obituary_write(segment->ledger, segment->directory, slot,
		    LEDGER_GATEWAY_DIED, "The whole gateway died");
	return count;
}

static int
adopt_contents(struct segment *segment)
{
	unsigned own_slot = segment->plan.layout.worker_slots + 1, died;
	int r = ring_adopt(segment->ring);

	if (r < 0)
		return r;
	died = write_obituaries(segment);
	r = format_common(segment);
	if (r < 0)
		return r;
	/* The counters begin anew, and with them these. */
	counters_add(&segment->counters[own_slot].closes_by_cause[LEDGER_GATEWAY_DIED], died);
	r = format_mailboxes(segment, mailbox_adopt);
	if (r < 0)
		return r;
	return segment_map_release_workers(&segment->map, &segment->plan);
}

static int
create_contents(struct segment *segment)
{
	int r = ring_format(segment->ring);

	if (r < 0)
		return r;
	ledger_format(segment->ledger);
	loglines_format(segment->loglines);
	r = format_common(segment);
	if (r < 0)
		return r;
	r = format_mailboxes(segment, mailbox_format);
	if (r < 0)
		return r;
	segment_map_seal(&segment->map, &segment->plan);
	return 0;
}

/* --- life --------------------------------------------------------------------------------- */

/* A segment of what is mapped, which is taken, and that `fill` brings into its first state. */
static int
build_take(struct segment_map *map, const struct segment_plan *plan,
    int (*fill)(struct segment *segment), struct segment **ret)
{
	struct segment *segment =
	    mem_zalloc(sizeof(*segment) + plan->slots * sizeof(segment->mailboxes[0]));
	int r;

	if (segment == NULL) {
		segment_map_close(map, plan);
		return -ENOMEM;
	}
	segment->plan = *plan;
	segment->map = *map;
	r = make_views(segment);
	if (r == 0)
		r = fill(segment);
	if (r < 0) {
		segment_close(segment);
		return r;
	}
	*ret = segment;
	return 0;
}

static int
adopt(const char *name, const struct segment_plan *plan, struct segment **ret)
{
	struct segment_map map;
	int r = segment_map_open(name, plan, &map);

	return r < 0 ? r : build_take(&map, plan, adopt_contents, ret);
}

static int
create(const char *name, const struct segment_plan *plan, struct segment **ret)
{
	struct segment_map map;
	int r = segment_map_create(name, plan, &map);

	if (r < 0)
		return r;
	r = build_take(&map, plan, create_contents, ret);
	if (r < 0)
		shm_unlink(name);
	return r;
}

static bool
name_is_sane(const char *name)
{
	size_t n = strlen(name);

	return n > 1 && n <= NAME_MAX_BYTES && name[0] == '/' && strchr(name + 1, '/') == NULL;
}

int
segment_open(const char *name, const struct segment_layout *layout, struct segment **ret,
    enum segment_origin *ret_origin)
{
	struct segment_plan plan;
	int r = segment_plan_make(layout, &plan);

	if (r < 0 || !name_is_sane(name))
		return -EINVAL;
	r = adopt(name, &plan, ret);
	if (r == 0) {
		*ret_origin = SEGMENT_ADOPTED;
		return 0;
	}
	if (r == -ESTALE || r == -EBADMSG)
		r = segment_unlink(name);
	if (r < 0 && r != -ENOENT)
		return r;
	r = create(name, &plan, ret);
	if (r < 0)
		return r;
	*ret_origin = SEGMENT_CREATED;
	return 0;
}

/* Removes an object of this name that is another than the one given, unless a gateway lives in it. */
static void
remove_other(int fd, const char *name)
{
	int named = shm_open(name, O_RDWR | O_CLOEXEC, 0);
	struct stat own, other;

	if (named < 0)
		return;
	if (fstat(fd, &own) == 0 && fstat(named, &other) == 0 &&
	    (own.st_dev != other.st_dev || own.st_ino != other.st_ino) &&
	    flock(named, LOCK_EX | LOCK_NB) == 0)
		shm_unlink(name);
	close(named);
}

int
segment_adopt(int fd, const char *name, const struct segment_layout *layout, struct segment **ret)
{
	struct segment_plan plan;
	struct segment_map map;
	int r = segment_plan_make(layout, &plan);

	if (r < 0 || !name_is_sane(name))
		return -EINVAL;
	r = segment_map_adopt(fd, &plan, &map);
	if (r == 0)
		r = build_take(&map, &plan, adopt_contents, ret);
	/* A gateway that somebody started in between, and killed. */
	if (r == 0)
		remove_other(fd, name);
	return r;
}

int
segment_reopen(const struct segment *segment, int *ret_fd)
{
	return segment_map_reopen(segment->map.fd, ret_fd);
}

int
segment_bytes_wanted(const struct segment_layout *layout, unsigned workers, uint64_t *ret)
{
	struct segment_plan plan;
	int r = segment_plan_make(layout, &plan);

	if (r < 0 || workers > plan.layout.worker_slots)
		return -EINVAL;
	*ret = plan.total - (plan.layout.worker_slots - workers) * plan.layout.mailbox_bytes;
	return 0;
}

int
segment_reserve_worker(struct segment *segment, unsigned slot)
{
	const struct segment_plan *plan = &segment->plan;
	int r;

	if (slot >= plan->layout.worker_slots)
		return -EINVAL;
	r = segment_map_reserve(&segment->map, mail_offset(plan, slot), plan->layout.mailbox_bytes);
	if (r < 0)
		return r;
	mailbox_set_open(segment->mailboxes[slot]);
	return 0;
}

void
segment_clear_slot(struct segment *segment, unsigned slot)
{
	if (slot >= segment->plan.slots)
		return;
	wake_disarm(segment->wake, slot);
	ring_clear_slot(segment->ring, slot);
	directory_clear_slot(segment->directory, slot);
	visitors_clear_slot(segment->visitors);
	idempotency_clear_slot(segment->idempotency, slot);
	providers_clear_slot(segment->providers, slot);
	mailbox_clear(segment->mailboxes[slot]);
	/* It may have died while it wrote to any of the others. */
	for (unsigned i = 0; i < segment->plan.slots; i++)
		mailbox_mend(segment->mailboxes[i]);
	counters_clear_gauges(&segment->counters[slot]);
	wake_force_all(segment->wake);
}

void
segment_close(struct segment *segment)
{
	if (segment == NULL)
		return;
	for (unsigned slot = 0; slot < segment->plan.slots; slot++)
		mailbox_free(segment->mailboxes[slot]);
	ring_free(segment->ring);
	loglines_free(segment->loglines);
	ledger_free(segment->ledger);
	visitors_free(segment->visitors);
	providers_free(segment->providers);
	idempotency_free(segment->idempotency);
	directory_free(segment->directory);
	roster_free(segment->roster);
	wake_free(segment->wake);
	segment_map_close(&segment->map, &segment->plan);
	mem_free(segment);
}

int
segment_unlink(const char *name)
{
	return shm_unlink(name) < 0 ? -errno : 0;
}

/* --- parts -------------------------------------------------------------------------------- */

struct ring *
segment_ring(const struct segment *segment)
{
	return segment->ring;
}

struct directory *
segment_directory(const struct segment *segment)
{
	return segment->directory;
}

struct roster *
segment_roster(const struct segment *segment)
{
	return segment->roster;
}

struct visitors *
segment_visitors(const struct segment *segment)
{
	return segment->visitors;
}

struct providers *
segment_providers(const struct segment *segment)
{
	return segment->providers;
}

struct idempotency *
segment_idempotency(const struct segment *segment)
{
	return segment->idempotency;
}

struct ledger *
segment_ledger(const struct segment *segment)
{
	return segment->ledger;
}

struct loglines *
segment_loglines(const struct segment *segment)
{
	return segment->loglines;
}

struct mailbox *
segment_mailbox(const struct segment *segment, unsigned slot)
{
	return slot < segment->plan.slots ? segment->mailboxes[slot] : NULL;
}

struct counters *
segment_counters(const struct segment *segment, unsigned slot)
{
	return slot < segment->plan.slots ? &segment->counters[slot] : NULL;
}

struct wake *
segment_wake(const struct segment *segment)
{
	return segment->wake;
}

/* --- questions ---------------------------------------------------------------------------- */

unsigned
segment_slots(const struct segment *segment)
{
	return segment->plan.slots;
}

unsigned
segment_worker_slots(const struct segment *segment)
{
	return segment->plan.layout.worker_slots;
}

unsigned
segment_keeper_slot(const struct segment *segment)
{
	return segment->plan.layout.worker_slots;
}

unsigned
segment_supervisor_slot(const struct segment *segment)
{
	return segment->plan.layout.worker_slots + 1;
}

int
segment_fd(const struct segment *segment)
{
	return segment->map.fd;
}

int
segment_bell_fd(const struct segment *segment, unsigned slot)
{
	return wake_fd(segment->wake, slot);
}

const struct segment_layout *
segment_layout_of(const struct segment *segment)
{
	return &segment->plan.layout;
}

uint64_t
segment_bytes(const struct segment *segment)
{
	return segment->plan.total;
}

uint64_t
segment_bytes_reserved(const struct segment *segment)
{
	struct stat st;

	if (fstat(segment->map.fd, &st) < 0)
		return 0;
	return (uint64_t)st.st_blocks * BLOCK_BYTES;
}

pid_t
segment_stuck_holder(struct segment *segment, uint64_t limit_ms)
{
	pid_t found = ring_stuck_holder(segment->ring, limit_ms);
	pid_t holder = directory_stuck_holder(segment->directory, limit_ms);

	/* All are asked each time, since each remembers what it saw at the last look. */
	if (found == 0)
		found = holder;
	holder = visitors_stuck_holder(segment->visitors, limit_ms);
	if (found == 0)
		found = holder;
	holder = providers_stuck_holder(segment->providers, limit_ms);
	if (found == 0)
		found = holder;
	holder = idempotency_stuck_holder(segment->idempotency, limit_ms);
	if (found == 0)
		found = holder;
	for (unsigned slot = 0; slot < segment->plan.slots; slot++) {
		holder = mailbox_stuck_holder(segment->mailboxes[slot], limit_ms);
		if (found == 0)
			found = holder;
	}
	return found;
}
