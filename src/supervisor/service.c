/*
 * Why this file exists: what the service manager is told is a promise. READY comes when all workers serve,
 * not when the process is up; and the watchdog is petted for the clients' sake: a supervisor that is well
 * while all its workers stand still is of no use to them.
 */
#include "supervisor/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bus/counters.h"
#include "bus/roster.h"
#include "bus/segment.h"
#include "config.h"
#include "supervisor/crew.h"
#include "sys/notify.h"

#ifdef LURKBOT_SANITIZED
enum { SLOWNESS = 10 };
#else
enum { SLOWNESS = 1 };
#endif

enum {
	MESSAGE_MAX = SERVICE_STATUS_MAX + 256,
	STATUS_MS = 1000, /* it is renewed no more often, and only when it has changed */
	FRESH_MS = 1000 * SLOWNESS,
	PETS_A_PERIOD = 4,
	MARGIN_MS = 3000, /* for what comes after the last process has ended */
};

static void
tell(const char *message)
{
	int r = notify_send(message, NULL, 0);

	if (r < 0)
		log_warning(
		    "the service manager could not be told how things are: %s", strerror(-r));
}

/* One line: what a file was called, or what stood in it, may come with any byte. */
static void
put_line(char out[SERVICE_STATUS_MAX], const char *text)
{
	struct span cut = text_cut(span_cstr(text), SERVICE_STATUS_MAX - 1);
	size_t n = 0;

	for (; n < cut.n; n++)
		out[n] = (unsigned char)cut.p[n] < ' ' ? ' ' : cut.p[n];
	out[n] = '\0';
}

/*
 * --- how things are ---------------------------------------------------------------------------
 */

static bool
does_serve(const struct child *child, uint64_t now_ms)
{
	struct roster_entry entry;

	if (child->state != CHILD_SERVING)
		return false;
	roster_get(segment_roster(child->context->shared.segment), child->slot, &entry);
	return entry.state == ROSTER_SERVING && entry.heartbeat_mono_ms + FRESH_MS >= now_ms;
}

static unsigned
count_serving(const struct crew *crew, uint64_t now_ms)
{
	unsigned count = 0;

	for (unsigned i = 0; i < crew->count; i++)
		count += does_serve(&crew->children[i], now_ms);
	return count;
}

static uint64_t
count_connections(const struct crew *crew)
{
	const struct segment *segment = crew->context.shared.segment;
	uint64_t count = 0;

	for (unsigned slot = 0; slot < segment_worker_slots(segment); slot++)
		count += counters_get(&segment_counters(segment, slot)->websockets);
	return count;
}

static void
write_workers(const struct crew *crew, char *out, size_t size)
{
	unsigned serving = count_serving(crew, clock_mono_ms());

	if (serving == crew->wanted)
		(void)snprintf(out, size, "%u worker%s", serving, serving == 1 ? "" : "s");
	else
		(void)snprintf(out, size, "%u of %u workers", serving, crew->wanted);
}

static void
write_status(const struct service *s, const struct crew *crew, char out[SERVICE_STATUS_MAX])
{
	uint64_t connections = count_connections(crew);
	const char *plural = connections == 1 ? "" : "s";
	char workers[48];

	if (s->phase == SERVICE_STOPPING) {
		(void)snprintf(out, SERVICE_STATUS_MAX, "Stopping: %" PRIu64 " connection%s left",
		    connections, plural);
		return;
	}
	write_workers(crew, workers, sizeof(workers));
	(void)snprintf(out, SERVICE_STATUS_MAX, "%s: %s, %" PRIu64 " connection%s%s%.400s",
	    s->phase == SERVICE_STARTING ? "Starting" : "Serving", workers, connections, plural,
	    s->trouble[0] != '\0' ? "; the last reload failed: " : "", s->trouble);
}

/*
 * --- telling ----------------------------------------------------------------------------------
 */

/* The assignments, which end with a newline, and the status. */
static void
tell_with_status(struct service *s, const struct crew *crew, const char *assignments)
{
	char message[MESSAGE_MAX];

	write_status(s, crew, s->status);
	s->told_ms = clock_mono_ms();
	(void)snprintf(message, sizeof(message), "%sSTATUS=%s", assignments, s->status);
	tell(message);
}

void
service_init(struct service *s)
{
	*s = (struct service){
		.is_wanted = notify_is_wanted(),
		.watchdog_ms = notify_watchdog_us() / 1000,
	};
}

void
service_ready(struct service *s, const struct crew *crew)
{
	char assignments[64];

	if (!s->is_wanted)
		return;
	s->phase = SERVICE_READY;
	(void)snprintf(assignments, sizeof(assignments), "READY=1\nMAINPID=%d\n", getpid());
	tell_with_status(s, crew, assignments);
}

void
service_reloading(struct service *s)
{
	char message[128];

	if (!s->is_wanted || s->phase != SERVICE_READY)
		return;
	s->phase = SERVICE_RELOADING;
	(void)snprintf(message, sizeof(message),
	    "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading the configuration",
	    clock_mono_ns() / 1000);
	tell(message);
}

void
service_reloaded(struct service *s, const struct crew *crew, const char *trouble)
{
	if (!s->is_wanted || s->phase != SERVICE_RELOADING)
		return;
	s->phase = SERVICE_READY;
	put_line(s->trouble, trouble != NULL ? trouble : "");
	tell_with_status(s, crew, "READY=1\n");
}

void
service_stopping(struct service *s, uint32_t timeout_ms)
{
	char message[128];

	if (!s->is_wanted || s->phase == SERVICE_STOPPING)
		return;
	s->phase = SERVICE_STOPPING;
	s->trouble[0] = '\0';
	/* The drain is as long as the configuration has it, whatever TimeoutStopSec says. */
	(void)snprintf(message, sizeof(message),
	    "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=Stopping",
	    ((uint64_t)timeout_ms + MARGIN_MS) * 1000);
	tell(message);
}

void
service_failed(struct service *s, int error, const char *reason)
{
	char line[SERVICE_STATUS_MAX], message[MESSAGE_MAX];

	if (!s->is_wanted)
		return;
	put_line(line, reason);
	if (error < 0)
		(void)snprintf(message, sizeof(message), "STATUS=%s\nERRNO=%d", line, -error);
	else
		(void)snprintf(message, sizeof(message), "STATUS=%s", line);
	tell(message);
	s->is_wanted = false;
}

static void
pet(struct service *s, const struct crew *crew, uint64_t now_ms)
{
	if (s->watchdog_ms == 0 || now_ms - s->petted_ms < s->watchdog_ms / PETS_A_PERIOD ||
	    count_serving(crew, now_ms) == 0)
		return;
	s->petted_ms = now_ms;
	tell("WATCHDOG=1");
}

void
service_tick(struct service *s, const struct crew *crew, uint64_t now_ms)
{
	char status[SERVICE_STATUS_MAX];

	if (!s->is_wanted)
		return;
	pet(s, crew, now_ms);
	if (s->phase == SERVICE_RELOADING || now_ms - s->told_ms < STATUS_MS)
		return;
	write_status(s, crew, status);
	if (strcmp(status, s->status) != 0)
		tell_with_status(s, crew, "");
	s->told_ms = now_ms;
}
