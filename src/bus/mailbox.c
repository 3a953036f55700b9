/*
 * Mailboxes: a bounded queue of bytes with many writers and one reader.
 *
 * Invariants, whatever process dies at whatever instruction:
 *  - what lies between `taken` and `written` is a run of whole mails; both only grow, by multiples
 *    of 8, and written - taken never exceeds the size;
 *  - `written` is the only commit point of a writer, `taken` that of the reader;
 *  - whenever `reserved` rises, or mail is added that does not use the reserve, all that waits and
 *    all that is reserved fit into the mailbox together.
 *
 * From the last follows that mail that uses the reserve finds room: of all that came without
 * using it, the last found its room beside the whole reserve.
 */
#include "bus/mailbox.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/failpoint.h"
#include "bus/checksum.h"
#include "bus/layout.h"

enum {
	ALIGN = 8,
	SALT_HEADER = 5,
	SALT_BODY = 6,
};

/* Beyond this nothing counts up, and no position runs over. */
#define POS_MAX (UINT64_C(1) << 62)

static_assert(MAILBOX_OVERHEAD >= sizeof(struct mail_header) + ALIGN - 1, "header and filling");
static_assert(sizeof(struct mail_header) % ALIGN == 0, "positions stay multiples");

struct mailbox {
	struct mailbox_shared *shared;
	char *data;
	uint64_t bytes; /* our own copy of the size: nobody else can change it */
	struct shlock_watch watch;
};

/* Room that a mail takes; `body_len` is at most mailbox_body_max. */
static uint64_t
size_of_mail(size_t body_len)
{
	return (sizeof(struct mail_header) + body_len + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
}

/* Whether these are positions that readers and writers of ours can have left. */
static bool
positions_are_sane(const struct mailbox *mailbox, uint64_t taken, uint64_t written)
{
	return taken <= written && written - taken <= mailbox->bytes && written <= POS_MAX &&
	       taken % ALIGN == 0 && written % ALIGN == 0;
}

/* Never 0 for nothing but zeros: memory that was given back is no mail. */
static uint64_t
check_of(const struct mail_header *header, const char *body)
{
	struct mail_header copy = *header;

	copy.check = 0;
	return 1 + checksum_bytes(&copy, sizeof(copy), SALT_HEADER) +
	       checksum_bytes(body, header->body_len, SALT_BODY);
}

/* Copies into the data at a position, in two parts where it wraps. */
static void
put(const struct mailbox *mailbox, uint64_t pos, const void *from, size_t len)
{
	size_t offset = pos % mailbox->bytes;
	size_t first = min_size(len, mailbox->bytes - offset);

	if (len == 0)
		return;
	memcpy(mailbox->data + offset, from, first);
	failpoint("bytes of the mail");
	memcpy(mailbox->data, (const char *)from + first, len - first);
	failpoint("bytes beyond the end");
}

/* The same out of the data. */
static void
get(const struct mailbox *mailbox, uint64_t pos, void *to, size_t len)
{
	size_t offset = pos % mailbox->bytes;
	size_t first = min_size(len, mailbox->bytes - offset);

	if (len == 0)
		return;
	memcpy(to, mailbox->data + offset, first);
	memcpy((char *)to + first, mailbox->data, len - first);
}

/* --- life --------------------------------------------------------------------------------- */

struct mailbox *
mailbox_new(struct mailbox_shared *shared, char *data, uint64_t bytes)
{
	struct mailbox *mailbox = mem_zalloc(sizeof(*mailbox));

	if (mailbox == NULL)
		return NULL;
	mailbox->shared = shared;
	mailbox->data = data;
	mailbox->bytes = bytes;
	return mailbox;
}

void
mailbox_free(struct mailbox *mailbox)
{
	mem_free(mailbox);
}

static void
empty(struct mailbox_shared *shared)
{
	atomic_store_explicit(&shared->written, 0, memory_order_relaxed);
	atomic_store_explicit(&shared->taken, 0, memory_order_relaxed);
	atomic_store_explicit(&shared->reserved, 0, memory_order_relaxed);
	atomic_store_explicit(&shared->is_open, 0, memory_order_relaxed);
}

int
mailbox_format(struct mailbox *mailbox)
{
	empty(mailbox->shared);
	return shlock_init(&mailbox->shared->lock);
}

int
mailbox_adopt(struct mailbox *mailbox)
{
	empty(mailbox->shared);
	return shlock_adopt(&mailbox->shared->lock);
}

void
mailbox_set_open(struct mailbox *mailbox)
{
	atomic_store_explicit(&mailbox->shared->is_open, 1, memory_order_release);
}

void
mailbox_mend(struct mailbox *mailbox)
{
	shlock_mend(&mailbox->shared->lock);
}

/*
 * Drops all that waits; positions begin anew, whatever somebody wrote over them. Without the lock
 * (its holder stands still) only the reader's side is moved, which no writer minds.
 */
static void
drop_all(struct mailbox *mailbox)
{
	struct mailbox_shared *shared = mailbox->shared;
	int r = shlock_take(&shared->lock, NULL);
	uint64_t written = 0;

	if (r == 0)
		atomic_store_explicit(&shared->written, written, memory_order_relaxed);
	else
		written = atomic_load_explicit(&shared->written, memory_order_acquire);
	failpoint("written = 0");
	atomic_store_explicit(&shared->taken, written, memory_order_release);
	failpoint("taken = written");
	if (r == 0)
		shlock_give(&shared->lock);
}

void
mailbox_clear(struct mailbox *mailbox)
{
	drop_all(mailbox);
	atomic_store_explicit(&mailbox->shared->reserved, 0, memory_order_relaxed);
	failpoint("reserved = 0");
}

/* --- sending ------------------------------------------------------------------------------ */

/*
 * With the lock held: finds where the next mail goes, if `size` bytes more fit beside `kept`
 * bytes that must stay free.
 */
static int
find_room(const struct mailbox *mailbox, uint64_t size, uint64_t kept, uint64_t *ret_written)
{
	const struct mailbox_shared *shared = mailbox->shared;
	/* Relaxed: the lock orders it. */
	uint64_t written = atomic_load_explicit(&shared->written, memory_order_relaxed);
	/* Acquire: the reader has copied out what lay before it, before we write there. */
	uint64_t taken = atomic_load_explicit(&shared->taken, memory_order_acquire);
	uint64_t used = written - taken;

	if (!positions_are_sane(mailbox, taken, written))
		return -ENOTRECOVERABLE;
	if (kept > mailbox->bytes || used + size > mailbox->bytes - kept)
		return -ENOBUFS;
	*ret_written = written;
	return 0;
}

/* The stores of a send: the mail, invisible yet, and then the one that commits it. */
static int
send_locked(struct mailbox *mailbox, const struct mail_header *header, const struct mail *mail)
{
	struct mailbox_shared *shared = mailbox->shared;
	uint64_t size = size_of_mail(mail->body.n);
	uint64_t kept = 0;
	uint64_t written;
	int r;

	if (!mail->uses_reserve)
		kept = atomic_load_explicit(&shared->reserved, memory_order_relaxed);
	r = find_room(mailbox, size, kept, &written);
	if (r < 0)
		return r;
	put(mailbox, written, header, sizeof(*header));
	put(mailbox, written + sizeof(*header), mail->body.p, mail->body.n);
	/* Release: the reader that sees the position sees the mail before it. */
	atomic_store_explicit(&shared->written, written + size, memory_order_release);
	failpoint("written");
	return 0;
}

int
mailbox_send(struct mailbox *mailbox, const struct mail *mail)
{
	struct mailbox_shared *shared = mailbox->shared;
	struct mail_header header = {
		.kind = mail->kind,
		.from_slot = mail->from_slot,
		.from_generation = mail->from_generation,
		.token = mail->token,
	};
	int r;

	if (mail->body.n > mailbox_body_max(mailbox))
		return -EMSGSIZE;
	if (!atomic_load_explicit(&shared->is_open, memory_order_acquire))
		return -ENOTCONN;
	header.body_len = (uint32_t)mail->body.n;
	header.check = check_of(&header, mail->body.p);
	r = shlock_take(&shared->lock, NULL);
	if (r < 0)
		return r;
	r = send_locked(mailbox, &header, mail);
	shlock_give(&shared->lock);
	return r;
}

/* --- receiving ---------------------------------------------------------------------------- */

/* Copies header and body of the mail at `taken` out, if `waiting` bytes can hold it. */
static enum mailbox_verdict
copy_mail(const struct mailbox *mailbox, uint64_t taken, uint64_t waiting, struct buf *into,
    struct mail_header *ret)
{
	struct mail_header header;

	if (!positions_are_sane(mailbox, taken, taken + waiting) || waiting < sizeof(header))
		return MAILBOX_DAMAGED;
	get(mailbox, taken, &header, sizeof(header));
	if (header.body_len > mailbox_body_max(mailbox) || size_of_mail(header.body_len) > waiting)
		return MAILBOX_DAMAGED;
	/* One more, so that an empty body has an address all the same. */
	if (!buf_reserve(into, (size_t)header.body_len + 1))
		return MAILBOX_NOMEM;
	get(mailbox, taken + sizeof(header), into->data, header.body_len);
	if (check_of(&header, into->data) != header.check)
		return MAILBOX_DAMAGED;
	*ret = header;
	return MAILBOX_MAIL;
}

enum mailbox_verdict
mailbox_receive(struct mailbox *mailbox, struct buf *into, struct mail *ret)
{
	struct mailbox_shared *shared = mailbox->shared;
	uint64_t taken = atomic_load_explicit(&shared->taken, memory_order_relaxed);
	uint64_t written = atomic_load_explicit(&shared->written, memory_order_acquire);
	struct mail_header header;
	enum mailbox_verdict verdict;

	buf_reset(into);
	/* One that holds nothing can be damaged, too: nobody could ever write to it again. */
	if (written == taken && positions_are_sane(mailbox, taken, written))
		return MAILBOX_EMPTY;
	verdict = copy_mail(mailbox, taken, written - taken, into, &header);
	if (verdict == MAILBOX_DAMAGED)
		drop_all(mailbox);
	if (verdict != MAILBOX_MAIL)
		return verdict;
	into->len = header.body_len;
	*ret = (struct mail){
		.kind = header.kind,
		.from_slot = header.from_slot,
		.from_generation = header.from_generation,
		.token = header.token,
		.body = span_make(into->data, into->len),
	};
	/* Release: writers that see the position may overwrite what was copied before it. */
	atomic_store_explicit(
	    &shared->taken, taken + size_of_mail(header.body_len), memory_order_release);
	failpoint("taken");
	return MAILBOX_MAIL;
}

/* --- the reserve -------------------------------------------------------------------------- */

/* With the lock held, so that no mail comes in between. */
static int
reserve_locked(struct mailbox *own, uint64_t size)
{
	struct mailbox_shared *shared = own->shared;
	uint64_t reserved = atomic_load_explicit(&shared->reserved, memory_order_relaxed);
	uint64_t written;
	int r;

	if (reserved > own->bytes / 2 || size > own->bytes / 2 - reserved)
		return -ENOBUFS;
	r = find_room(own, size, reserved, &written);
	if (r < 0)
		return r;
	atomic_store_explicit(&shared->reserved, reserved + size, memory_order_relaxed);
	failpoint("reserved");
	return 0;
}

int
mailbox_reserve(struct mailbox *own, size_t bytes)
{
	int r;

	if (bytes > mailbox_body_max(own))
		return -ENOBUFS;
	r = shlock_take(&own->shared->lock, NULL);
	if (r < 0)
		return r;
	r = reserve_locked(own, size_of_mail(bytes));
	shlock_give(&own->shared->lock);
	return r;
}

void
mailbox_unreserve(struct mailbox *own, size_t bytes)
{
	struct mailbox_shared *shared = own->shared;
	uint64_t reserved = atomic_load_explicit(&shared->reserved, memory_order_relaxed);

	/* Without the lock: only the reader writes here, and less is always allowed. */
	atomic_store_explicit(&shared->reserved, reserved - min_u64(reserved, size_of_mail(bytes)),
	    memory_order_relaxed);
	failpoint("reserved");
}

/* --- questions ---------------------------------------------------------------------------- */

bool
mailbox_is_empty(const struct mailbox *mailbox)
{
	return atomic_load_explicit(&mailbox->shared->written, memory_order_acquire) ==
	       atomic_load_explicit(&mailbox->shared->taken, memory_order_relaxed);
}

size_t
mailbox_used(const struct mailbox *mailbox)
{
	/* taken first: it can not be beyond a `written` that is read later. */
	uint64_t taken = atomic_load_explicit(&mailbox->shared->taken, memory_order_acquire);
	uint64_t written = atomic_load_explicit(&mailbox->shared->written, memory_order_relaxed);

	return min_u64(written - taken, mailbox->bytes);
}

size_t
mailbox_reserved(const struct mailbox *mailbox)
{
	return atomic_load_explicit(&mailbox->shared->reserved, memory_order_relaxed);
}

size_t
mailbox_capacity(const struct mailbox *mailbox)
{
	return mailbox->bytes;
}

size_t
mailbox_body_max(const struct mailbox *mailbox)
{
	return min_u64(mailbox->bytes / 4, UINT32_MAX / 4);
}

uint64_t
mailbox_recoveries(const struct mailbox *mailbox)
{
	return shlock_recoveries(&mailbox->shared->lock);
}

pid_t
mailbox_stuck_holder(struct mailbox *mailbox, uint64_t limit_ms)
{
	return shlock_stuck(&mailbox->shared->lock, &mailbox->watch, limit_ms);
}
