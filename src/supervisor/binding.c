/*
 * Why this file exists: "address already in use" has three causes, and each wants another answer.
 * A living gateway of ours: its pid. The children of one that was killed, which end within a
 * second: patience. Anybody else: nothing but the plain fact.
 */
#include "supervisor/binding.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "sys/listener.h"
#include "sys/lockfile.h"

enum { POLL_MS = 20 };

/* The machine has no such address: of a name with several it is left out. */
static bool
is_absent(int error)
{
	return error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT;
}

static int
bind_all(const struct binding_request *request, struct binding *ret)
{
	struct listener_address addresses[INHERIT_LISTEN_MAX];
	struct binding bound = { .port = request->port };
	unsigned count;
	int r, failed = 0;

	r = listener_resolve(request->host, request->port, addresses, ARRAY_LEN(addresses), &count);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < count; i++) {
		/* With port 0 the first address chooses, and the others follow. */
		listener_address_set_port(&addresses[i], bound.port);
		r = listener_open_address(
		    &addresses[i], request->backlog, &bound.fds[bound.count], &bound.port);
		if (r == 0)
			bound.count++;
		else if (failed == 0 || !is_absent(r))
			failed = r;
	}
	if (bound.count == 0 || (failed != 0 && !is_absent(failed))) {
		binding_close(&bound);
		return failed;
	}
	*ret = bound;
	return 0;
}

/*
 * Whether it is worth trying again. The lock may have been given up, and the port with it, just
 * after the attempt: so that is an answer to wait for only once.
 */
static bool
may_become_free(const char *lock_path, bool *free_seen, pid_t *ret_holder)
{
	pid_t holder = 0;
	int r;

	r = lockfile_holder(lock_path, &holder);
	if (r == -ESRCH)
		return true;
	*ret_holder = r == 0 ? holder : 0;
	if (r < 0 || holder != 0 || *free_seen)
		return false;
	*free_seen = true;
	return true;
}

int
binding_open(const struct binding_request *request, struct binding *ret, pid_t *ret_holder)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	uint64_t deadline_ms = clock_mono_ms() + request->wait_ms;
	bool free_seen = false;
	pid_t holder = 0;
	int r;

	for (;;) {
		r = bind_all(request, ret);
		if (r != -EADDRINUSE)
			return r;
		if (!may_become_free(request->lock_path, &free_seen, &holder) ||
		    clock_mono_ms() >= deadline_ms) {
			*ret_holder = holder;
			return r;
		}
		(void)nanosleep(&pause, NULL);
	}
}

void
binding_close(struct binding *binding)
{
	for (unsigned i = 0; i < binding->count; i++)
		(void)close(binding->fds[i]);
	binding->count = 0;
}

void
binding_write_address(struct buf *out, const char *host, uint16_t port)
{
	bool is_ipv6 = strchr(host, ':') != NULL && host[0] != '[';

	buf_printf(out, is_ipv6 ? "[%s]:%u" : "%s:%u", host, port);
}

/*
 * --- listeners that were there before ---------------------------------------------------------
 */

static void
take(const int *fds, unsigned count, enum binding_origin origin, struct binding *ret)
{
	struct binding taken = { .origin = origin, .count = count };
	struct listener_address address;

	memcpy(taken.fds, fds, count * sizeof(*fds));
	for (unsigned i = 0; i < count && taken.port == 0; i++)
		if (listener_address_get(fds[i], &address) == 0)
			taken.port = listener_address_port(&address);
	*ret = taken;
}

int
binding_take_given(const int *fds, unsigned count, struct binding *ret, int *ret_bad)
{
	for (unsigned i = 0; i < count; i++) {
		int r = listener_prepare(fds[i]);

		if (r < 0) {
			*ret_bad = fds[i];
			return r;
		}
	}
	take(fds, count, BINDING_GIVEN, ret);
	return 0;
}

static bool
is_wanted(const struct listener_address *wanted, unsigned count, int fd, bool any_port)
{
	struct listener_address address;

	if (listener_address_get(fd, &address) < 0)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (listener_address_is_same(&wanted[i], &address, any_port))
			return true;
	return false;
}

bool
binding_take_stored(
    const struct binding_request *request, const int *fds, unsigned count, struct binding *ret)
{
	struct listener_address wanted[INHERIT_LISTEN_MAX];
	unsigned wanted_count;

	if (count == 0 || listener_resolve(request->host, request->port, wanted, ARRAY_LEN(wanted),
			      &wanted_count) < 0)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!is_wanted(wanted, wanted_count, fds[i], request->port == 0) ||
		    listener_prepare(fds[i]) < 0 || listen(fds[i], request->backlog) < 0)
			return false;
	take(fds, count, BINDING_STORED, ret);
	return true;
}

/*
 * --- words ------------------------------------------------------------------------------------
 */

/* The first with a port, else the first. */
static int
main_listener(const struct binding *binding)
{
	struct listener_address address;

	for (unsigned i = 0; i < binding->count; i++)
		if (listener_address_get(binding->fds[i], &address) == 0 &&
		    listener_address_port(&address) != 0)
			return binding->fds[i];
	return binding->fds[0];
}

void
binding_write_url(struct buf *out, const struct binding *binding, const char *host, bool with_tls)
{
	char text[LISTENER_TEXT_MAX];

	buf_append_cstr(out, with_tls ? "wss" : "ws");
	if (binding->origin != BINDING_GIVEN) {
		buf_append_cstr(out, "://");
		binding_write_address(out, host, binding->port);
		return;
	}
	listener_text(main_listener(binding), text);
	buf_printf(out, "%s%s", strncmp(text, "unix:", 5) == 0 ? "+" : "://", text);
}

void
binding_write_all(struct buf *out, const struct binding *binding, const char *host)
{
	char text[LISTENER_TEXT_MAX];

	if (binding->origin != BINDING_GIVEN) {
		binding_write_address(out, host, binding->port);
		return;
	}
	for (unsigned i = 0; i < binding->count; i++) {
		listener_text(binding->fds[i], text);
		buf_printf(out, "%s%s", i > 0 ? ", " : "", text);
	}
}
