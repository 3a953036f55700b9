/*
 * epoll for connections, level-triggered: what is left unread for the sake of the others shows again.
 */
#include "gateway/poller.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "base/alloc.h"

enum { READY_EACH_TURN = 256 };

struct poller {
	int fd;
	poller_fn on_ready;
	bool was_ready; /* since poller_yield was last asked */
	struct epoll_event ready[READY_EACH_TURN];
};

struct poller *
poller_new(poller_fn on_ready)
{
	struct poller *poller = mem_zalloc(sizeof(*poller));

	if (poller == NULL)
		return NULL;
	poller->on_ready = on_ready;
	poller->fd = epoll_create1(EPOLL_CLOEXEC);
	if (poller->fd < 0) {
		mem_free(poller);
		return NULL;
	}
	return poller;
}

void
poller_free(struct poller *poller)
{
	if (poller == NULL)
		return;
	close(poller->fd);
	mem_free(poller);
}

int
poller_fd(const struct poller *poller)
{
	return poller->fd;
}

int
poller_watch(struct poller *poller, int fd, uint32_t before, uint32_t events, void *owner)
{
	struct epoll_event event = { .events = events, .data.ptr = owner };
	int operation = EPOLL_CTL_MOD;

	if (events == before)
		return 0;
	if (events == 0)
		operation = EPOLL_CTL_DEL;
	else if (before == 0)
		operation = EPOLL_CTL_ADD;
	return epoll_ctl(poller->fd, operation, fd, &event) < 0 ? -errno : 0;
}

bool
poller_turn(struct poller *poller)
{
	int n = epoll_wait(poller->fd, poller->ready, READY_EACH_TURN, 0);

	for (int i = 0; i < n; i++) {
		uint32_t ready = poller->ready[i].events;

		if ((ready & (EPOLLERR | EPOLLHUP)) != 0)
			ready |= POLLER_READ | POLLER_WRITE;
		poller->on_ready(poller->ready[i].data.ptr, ready & (POLLER_READ | POLLER_WRITE));
	}
	poller->was_ready |= n > 0;
	return n > 0;
}

bool
poller_yield(struct poller *poller)
{
	if (!poller->was_ready)
		return false;
	poller->was_ready = false;
	sched_yield();
	return poller_turn(poller);
}
