/*
 * Why this file exists: a descriptor comes with nothing but a name, and a wrong one would come to light in a
 * worker, or at the first client. So each is judged at the start, by name and number.
 *
 * The store can be asked for nothing: what it has comes back at the next start, and goes by name.
 */
#include "supervisor/handover.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/activation.h"
#include "sys/notify.h"

enum { SETTLE_MS = 1000 };

#define CONTROL_NAME  "control"
#define SEGMENT_NAME  "stored-segment"
#define LISTENER_NAME "stored-listener"

static void
close_all(int *fds, unsigned *count)
{
	while (*count > 0)
		(void)close(fds[--*count]);
}

static void
close_one(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/*
 * --- taking -----------------------------------------------------------------------------------
 */

static int
refuse(const struct activation_fd *passed, const char *why, struct buf *reason)
{
	buf_printf(reason, "Descriptor %d, passed by the service manager as \"%s\", %s", passed->fd,
	    passed->name, why);
	return -EINVAL;
}

static int
refuse_kind(const struct activation_fd *passed, const char *wanted, struct buf *reason)
{
	buf_printf(reason,
	    "Descriptor %d, passed by the service manager as \"%s\", is %s: %s is wanted",
	    passed->fd, passed->name, activation_kind_name(passed->kind), wanted);
	return -EINVAL;
}

static int
add(int *fds, unsigned *count, const struct activation_fd *passed, struct buf *reason)
{
	if (*count == INHERIT_LISTEN_MAX)
		return refuse(passed, "is one too many: there may be 8 listeners", reason);
	fds[(*count)++] = passed->fd;
	return 0;
}

static int
take_control(struct handover *h, const struct activation_fd *passed, struct buf *reason)
{
	if (passed->kind != ACTIVATION_UNIX)
		return refuse_kind(passed, "a Unix socket that listens", reason);
	if (h->control_fd >= 0)
		return refuse(passed, "is the second of that name", reason);
	h->control_fd = passed->fd;
	return 0;
}

/* What we stored ourselves, and cannot be used, is no reason not to start. */
static int
take_segment(struct handover *h, const struct activation_fd *passed)
{
	if (passed->kind != ACTIVATION_FILE || h->segment_fd >= 0)
		(void)close(passed->fd);
	else
		h->segment_fd = passed->fd;
	return 0;
}

static int
take_one(struct handover *h, const struct activation_fd *passed, struct buf *reason)
{
	if (strcmp(passed->name, CONTROL_NAME) == 0)
		return take_control(h, passed, reason);
	if (strcmp(passed->name, SEGMENT_NAME) == 0)
		return take_segment(h, passed);
	if (strcmp(passed->name, LISTENER_NAME) == 0 && passed->kind == ACTIVATION_TCP)
		return add(h->stored, &h->stored_count, passed, reason);
	if (passed->kind != ACTIVATION_TCP && passed->kind != ACTIVATION_UNIX)
		return refuse_kind(passed, "a TCP or Unix stream socket that listens", reason);
	return add(h->given, &h->given_count, passed, reason);
}

static int
explain(int error, int bad, struct buf *reason)
{
	buf_append_cstr(reason,
	    "The descriptors that the service manager announced (LISTEN_FDS) are no good: ");
	if (error == -EBADF && bad >= 0)
		buf_printf(reason, "descriptor %d is not open", bad);
	else if (error == -E2BIG)
		buf_printf(reason, "there may be %d", ACTIVATION_MAX);
	else
		buf_append_cstr(reason, strerror(-error));
	return error;
}

void
handover_init(struct handover *h)
{
	*h = (struct handover){ .control_fd = -1, .segment_fd = -1 };
}

int
handover_take(struct handover *ret, struct buf *reason)
{
	struct activation activation = { 0 };
	struct handover h;
	int bad = -1, r;

	handover_init(&h);
	r = activation_take(&activation, &bad);
	if (r < 0)
		return explain(r, bad, reason);
	for (unsigned i = 0; i < activation.count && r == 0; i++)
		r = take_one(&h, &activation.fds[i], reason);
	if (r < 0) {
		for (unsigned i = 0; i < activation.count; i++)
			(void)close(activation.fds[i].fd);
		return r;
	}
	*ret = h;
	return 0;
}

void
handover_close(struct handover *h)
{
	close_all(h->given, &h->given_count);
	close_all(h->stored, &h->stored_count);
	close_one(&h->control_fd);
	close_one(&h->segment_fd);
}

/*
 * --- keeping ----------------------------------------------------------------------------------
 */

static void
tell(const char *assignments, const int *fds, unsigned n)
{
	int r = notify_send(assignments, fds, n);

	if (r < 0)
		log_warning("the service manager could not be told what to keep: %s", strerror(-r));
}

void
handover_drop_listeners(struct handover *h)
{
	if (h->stored_count == 0)
		return;
	close_all(h->stored, &h->stored_count);
	tell("FDSTOREREMOVE=1\nFDNAME=" LISTENER_NAME, NULL, 0);
	if (notify_settle(SETTLE_MS) < 0)
		log_debug("the service manager has not said that it is done");
}

void
handover_store_listeners(const int *fds, unsigned count)
{
	tell("FDSTORE=1\nFDNAME=" LISTENER_NAME, fds, count);
}

void
handover_store_segment(int fd)
{
	tell("FDSTOREREMOVE=1\nFDNAME=" SEGMENT_NAME, NULL, 0);
	tell("FDSTORE=1\nFDNAME=" SEGMENT_NAME, &fd, 1);
}
