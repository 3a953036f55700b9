/*
 * Why this file exists: the loops over the table, so that nobody else needs one. The rows never
 * move, since libevent knows their addresses.
 */
#include "supervisor/crew.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "bus/segment.h"
#include "config.h"
#include "supervisor/resources.h"

#ifdef LURKBOT_SANITIZED
enum { SLOWNESS = 10 };
#else
enum { SLOWNESS = 1 };
#endif

enum { WORKER_STANDS_STILL_MS = 5000 * SLOWNESS };

int
crew_init(struct crew *crew, struct event_base *base, struct resources *resources,
    int (*worker_main)(const struct inherit *inherit), struct proctitle *title)
{
	unsigned rows;

	memset(crew, 0, sizeof(*crew));
	crew->context.base = base;
	crew->context.title = title;
	resources_share(resources, &crew->context.shared);
	crew->worker = (struct child_kind){
		.name = "worker",
		.main = worker_main,
		.stands_still_ms = WORKER_STANDS_STILL_MS,
	};
	crew->wanted = resources->workers;
	rows = segment_worker_slots(resources->segment);
	crew->children = mem_array(rows, sizeof(*crew->children));
	if (crew->children == NULL)
		return -ENOMEM;
	for (; crew->count < rows; crew->count++) {
		unsigned i = crew->count;

		if (child_init(&crew->children[i], &crew->context, &crew->worker, i, i) < 0) {
			crew_fini(crew);
			return -ENOMEM;
		}
	}
	return 0;
}

void
crew_set_listener(struct crew *crew, void (*on_change)(void *arg),
    void (*on_message)(const struct child *child, const struct control_message *message, void *arg),
    void *arg)
{
	crew->context.on_change = on_change;
	crew->context.on_message = on_message;
	crew->context.arg = arg;
}

void
crew_fini(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++)
		child_fini(&crew->children[i]);
	mem_free(crew->children);
	crew->children = NULL;
	crew->count = 0;
}

void
crew_start(struct crew *crew)
{
	for (unsigned i = 0; i < crew->wanted; i++)
		child_want(&crew->children[i]);
}

void
crew_set_conf(struct crew *crew, const struct conf *conf)
{
	crew->context.shared.conf = conf;
}

void
crew_set_log(struct crew *crew, int log_fd)
{
	crew->context.shared.log_fd = log_fd;
	for (unsigned i = 0; i < crew->count; i++)
		if (crew->children[i].pid != 0)
			child_change_log(&crew->children[i], log_fd);
}

void
crew_resize(struct crew *crew, unsigned wanted, uint32_t retire_timeout_ms)
{
	unsigned have = 0;

	crew->wanted = wanted;
	/* Whoever is there stays, though relief may have left a gap: one that refused tries again. */
	for (unsigned i = 0; i < crew->count; i++)
		if (crew->children[i].is_wanted) {
			child_want(&crew->children[i]);
			have++;
		}
	for (unsigned i = 0; i < crew->count && have < wanted; i++)
		if (!crew->children[i].is_wanted) {
			child_want(&crew->children[i]);
			have++;
		}
	for (unsigned i = crew->count; i > 0 && have > wanted; i--)
		if (crew->children[i - 1].is_wanted) {
			child_retire(&crew->children[i - 1], retire_timeout_ms);
			have--;
		}
}

void
crew_reap(struct crew *crew)
{
	bool changed = false;
	int status;
	pid_t pid;

	/* Any process: as the first one of a container we inherit strangers, too. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *child = crew_find(crew, pid);

		if (child == NULL)
			continue;
		child_ended(child, status);
		changed = true;
	}
	if (changed)
		crew->context.on_change(crew->context.arg);
}

void
crew_drain(struct crew *crew, uint32_t timeout_ms)
{
	crew->context.stopping = true;
	for (unsigned i = 0; i < crew->count; i++)
		child_drain(&crew->children[i], timeout_ms);
}

void
crew_kill(struct crew *crew)
{
	crew->context.stopping = true;
	for (unsigned i = 0; i < crew->count; i++)
		child_kill(&crew->children[i], NULL);
}

unsigned
crew_running(const struct crew *crew)
{
	unsigned running = 0;

	for (unsigned i = 0; i < crew->count; i++)
		running += crew->children[i].pid != 0;
	return running;
}

static unsigned
count_state(const struct crew *crew, enum child_state state)
{
	unsigned count = 0;

	for (unsigned i = 0; i < crew->count; i++)
		count += crew->children[i].state == state;
	return count;
}

bool
crew_is_serving(const struct crew *crew)
{
	return count_state(crew, CHILD_SERVING) == crew->wanted;
}

bool
crew_has_refused(const struct crew *crew)
{
	return count_state(crew, CHILD_REFUSED) > 0;
}

bool
crew_have_all_refused(const struct crew *crew)
{
	return count_state(crew, CHILD_REFUSED) == crew->wanted;
}

unsigned
crew_early_deaths(const struct crew *crew)
{
	unsigned most = 0;

	for (unsigned i = 0; i < crew->count; i++)
		if (crew->children[i].early_deaths > most)
			most = crew->children[i].early_deaths;
	return most;
}

struct child *
crew_find(const struct crew *crew, pid_t pid)
{
	for (unsigned i = 0; i < crew->count; i++)
		if (crew->children[i].pid == pid)
			return &crew->children[i];
	return NULL;
}
