/*
 * The lines: one for each method, of the calls that any provider of it may serve, and one for each provider, of
 * those whose session is its.
 */
#include "gateway/callline.h"

#include <errno.h>

#include "bus/counters.h"
#include "gateway/context.h"
#include "gateway/routes.h"

enum {
	READS = 3, /* of the directory for one call, when it moves on meanwhile */
	STALLED_EACH_TURN = 8,
};

static struct seats_wanted
wanted_of(const struct call *call)
{
	const struct gateway *g = call->gateway;
	const uint16_t *providers;
	struct seats_wanted wanted = {
		.slot = g->slot,
		.method = routes_copy(g->routes)->methods[call->method].index,
		.turn = g->calls->turn,
		.is_forced = call->has_waited,
	};

	if (call->session_key.n > 0) {
		wanted.places = &call->place;
		wanted.count = 1;
	} else {
		wanted.places = routes_places(g->routes, call->method);
		wanted.count = routes_providers(g->routes, call->method, &providers);
	}
	return wanted;
}

void
callline_leave(struct call *call)
{
	struct seats_wanted wanted = wanted_of(call);

	seats_stop_waiting(call->gateway->providers, &wanted);
	list_remove(&call->line);
	list_remove(&call->all);
	call->gateway->calls->waiting_count--;
	counters_subtract(&call->gateway->counters->calls_waiting, 1);
	call->state = CALL_LOCKED;
}

static void
enter_line(struct call *call)
{
	struct calls *calls = call->gateway->calls;

	call->state = CALL_WAITING;
	call->has_waited = true;
	list_remove(&call->link);
	list_append(&calls->waiting, &call->all);
	list_append(call->session_key.n > 0 ? &calls->by_provider[call->provider]
					    : &calls->by_method[call->method],
	    &call->line);
	calls->waiting_count++;
	counters_add(&call->gateway->counters->calls_waiting, 1);
}

/* Finds the method, and the provider of its session, in the routes as they are now. */
static bool
find_route(struct call *call)
{
	const struct gateway *g = call->gateway;
	const uint16_t *providers;

	call->method = routes_find(g->routes, call->name);
	if (call->method == ROUTES_NONE)
		return false;
	if (call->session_key.n > 0) {
		unsigned which = routes_pick(g->routes, call->method, call->session_key);

		(void)routes_providers(g->routes, call->method, &providers);
		call->provider = providers[which];
		call->place = routes_places(g->routes, call->method)[which];
	}
	return true;
}

static int
take_seat(struct call *call, unsigned which, struct span text)
{
	struct gateway *g = call->gateway;
	const uint16_t *providers;
	unsigned provider = call->provider;

	if (call->session_key.n == 0) {
		(void)routes_providers(g->routes, call->method, &providers);
		provider = providers[which];
		call->place = routes_places(g->routes, call->method)[which];
	}
	g->calls->turn++;
	call->has_seat = true;
	return call_send(call, provider, text);
}

int
callline_admit(struct call *call, struct span text)
{
	struct gateway *g = call->gateway;
	unsigned which = 0;

	for (unsigned i = 0; i < READS; i++) {
		struct seats_wanted wanted;

		if (!find_route(call))
			return 1 + (call->has_waited ? CALL_PROVIDER_GONE : CALL_NO_METHOD);
		wanted = wanted_of(call);
		switch (seats_take(g->providers, &wanted, &which)) {
		case SEATS_TAKEN:
			return take_seat(call, which, text);
		case SEATS_WAITS:
			enter_line(call);
			return 0;
		case SEATS_FULL:
			return 1 + CALL_BUSY;
		case SEATS_LOCKED:
			return -EAGAIN;
		case SEATS_STALE:
			/* Others wait in lines of these routes: they are read again in the turn. */
			if (g->calls->waiting_count > 0 || routes_read(g) != 0)
				return -EAGAIN;
			break;
		}
	}
	return -EAGAIN;
}

/* What became of a call that has its text: it goes on, is tried again later, or ends. */
static void
settle(struct call *call, int r)
{
	struct calls *calls = call->gateway->calls;

	if (r == -EAGAIN)
		list_append(&calls->locked, &call->link);
	else if (r == 1 + CALL_NO_ROOM && call->has_waited)
		list_append(&calls->stalled, &call->link);
	else if (r > 0)
		call_fail(call, (enum call_failure)(r - 1));
}

/* Tries calls that are in no line; those that still cannot be dealt with come back to `locked`. */
static void
admit_again(struct list *from)
{
	struct list *first;
	bool is_locked = false;

	while ((first = list_first(from)) != NULL) {
		struct call *call = container_of(first, struct call, link);
		int r;

		list_remove(&call->link);
		/* One time-out of the lock is enough for a turn. */
		r = is_locked ? -EAGAIN : callline_admit(call, call->text);
		is_locked = r == -EAGAIN;
		settle(call, r);
	}
}

/* Reads the directory, if that can be done now, and lets all that wait look for a seat anew. */
static void
follow_directory(struct gateway *g)
{
	struct list again, *first;

	list_init(&again);
	while ((first = list_first(&g->calls->waiting)) != NULL) {
		struct call *call = container_of(first, struct call, all);

		callline_leave(call);
		list_append(&again, &call->link);
	}
	/* Where it cannot be read now, they wait as before, and the next turn tries again. */
	if (routes_read(g) != 0)
		g->calls->news = UINT64_MAX;
	admit_again(&again);
}

/* The call that has waited longest of those that this provider can serve; NULL: none. */
static struct call *
find_oldest(const struct gateway *g, unsigned provider)
{
	const struct providers_provider *p = &routes_copy(g->routes)->providers[provider];
	struct list *first = list_first(&g->calls->by_provider[provider]);
	struct call *oldest = first != NULL ? container_of(first, struct call, line) : NULL;

	for (unsigned i = 0; i < p->method_count; i++) {
		struct call *call;

		first = list_first(&g->calls->by_method[p->methods[i]]);
		if (first == NULL)
			continue;
		call = container_of(first, struct call, line);
		if (oldest == NULL || call->number < oldest->number)
			oldest = call;
	}
	return oldest;
}

/* One seat was granted at this provider. False: the lock was not to be had. */
static bool
use_grant(struct gateway *g, unsigned provider)
{
	const struct providers_provider *p = &routes_copy(g->routes)->providers[provider];
	const struct seats_place place = { .conn_id = p->conn_id, .row = p->row };
	struct call *call = find_oldest(g, provider);
	int r;

	if (call == NULL)
		return call_give_seat_back(g, &place, true);
	r = seats_use(g->providers, g->slot, &place);
	if (r != 0)
		return false;
	callline_leave(call);
	call->place = place;
	call->has_seat = true;
	r = call_send(call, provider, call->text);
	settle(call, r);
	return true;
}

static void
use_grants(struct gateway *g)
{
	const struct providers_copy *copy = routes_copy(g->routes);

	for (unsigned i = 0; i < copy->provider_count; i++) {
		while (seats_granted(g->providers, g->slot, copy->providers[i].row) > 0) {
			if (use_grant(g, i))
				continue;
			g->calls->news = UINT64_MAX; /* looked at again in the next turn */
			break;
		}
	}
}

static void
take_list(struct list *from, struct list *ret)
{
	struct list *first;

	list_init(ret);
	while ((first = list_first(from)) != NULL) {
		list_remove(first);
		list_append(ret, first);
	}
}

/* Tries some of those that found no room: enough to fill a mailbox, and no more for each turn. */
static void
try_stalled(struct gateway *g)
{
	struct list again, *first;

	list_init(&again);
	for (unsigned i = 0; i < STALLED_EACH_TURN; i++) {
		first = list_first(&g->calls->stalled);
		if (first == NULL)
			break;
		list_remove(first);
		list_append(&again, first);
	}
	admit_again(&again);
}

void
callline_follow(struct gateway *g)
{
	if (routes_is_stale(g))
		follow_directory(g);
}

void
callline_turn(struct gateway *g, uint64_t news)
{
	struct calls *calls = g->calls;
	struct list again;

	if (!list_is_empty(&calls->stalled))
		try_stalled(g);
	if (news == calls->news && list_is_empty(&calls->locked) && !routes_is_stale(g))
		return;
	calls->news = news;
	callline_follow(g);
	take_list(&calls->locked, &again);
	admit_again(&again);
	use_grants(g);
}
