/*
 * For each form one map from the canonical bytes of a filter to its audience.  An audience without members is freed
 * at once, so the maps are as large as the variety of filters in use.
 */
#include "gateway/audience.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/map.h"
#include "bus/counters.h"
#include "gateway/connection.h"
#include "gateway/context.h"

struct audiences {
	struct map *by_filter[WIRE_FORMS];
	struct list all;
};

struct audiences *
audiences_new(void)
{
	struct audiences *audiences = mem_zalloc(sizeof(*audiences));

	if (audiences == NULL)
		return NULL;
	list_init(&audiences->all);
	for (unsigned form = 0; form < WIRE_FORMS; form++) {
		audiences->by_filter[form] = map_new();
		if (audiences->by_filter[form] == NULL) {
			audiences_free(audiences);
			return NULL;
		}
	}
	return audiences;
}

void
audiences_free(struct audiences *audiences)
{
	if (audiences == NULL)
		return;
	for (unsigned form = 0; form < WIRE_FORMS; form++)
		map_free(audiences->by_filter[form]);
	mem_free(audiences);
}

struct list *
audiences_list(struct audiences *audiences)
{
	return &audiences->all;
}

static struct audience *
create(struct audiences *audiences, enum wire_form form, struct filter *filter)
{
	struct audience *audience = mem_zalloc(sizeof(*audience));

	if (audience == NULL)
		return NULL;
	list_init(&audience->level);
	audience->sent_ms = clock_mono_ms();
	audience->is_told = true;
	audience->filter = filter;
	audience->form = form;
	if (map_put(audiences->by_filter[form], filter_canon(filter), audience) != 0) {
		mem_free(audience);
		return NULL;
	}
	list_append(&audiences->all, &audience->link);
	return audience;
}

static void
destroy(struct audiences *audiences, struct audience *audience)
{
	map_remove(audiences->by_filter[audience->form], filter_canon(audience->filter));
	list_remove(&audience->link);
	filter_free(audience->filter);
	mem_free(audience);
}

/* Subscribers of the admin events are counted: nobody publishes those while nobody listens. */
static void
count_admin(struct connection *c)
{
	struct counters *counters = c->gateway->counters;
	bool wants = c->audience != NULL && filter_names_admin(c->audience->filter, SPAN(""));

	if (wants && !c->subscribed_admin)
		counters_add(&counters->admin_subscribers, 1);
	else if (!wants && c->subscribed_admin)
		counters_subtract(&counters->admin_subscribers, 1);
	c->subscribed_admin = wants;
}

void
audience_fall_behind(struct connection *c)
{
	if (list_is_empty(&c->member))
		return;
	list_remove(&c->member);
	c->audience->level_count--;
}

void
audience_rejoin(struct connection *c, bool is_told)
{
	struct audience *audience = c->audience;

	list_append(&audience->level, &c->member);
	audience->level_count++;
	if (!is_told)
		audience->is_told = false;
}

static void
leave(struct connection *c)
{
	struct audience *audience = c->audience;

	if (audience == NULL)
		return;
	audience_fall_behind(c);
	c->audience = NULL;
	if (--audience->member_count == 0)
		destroy(c->gateway->audiences, audience);
}

static enum wire_form
form_of(const struct connection *c)
{
	if (c->is_stream)
		return WIRE_SSE;
	return c->deflate ? WIRE_DEFLATED : WIRE_PLAIN;
}

int
audience_join_take(struct connection *c, struct filter *filter)
{
	struct audiences *audiences = c->gateway->audiences;
	enum wire_form form = form_of(c);
	struct audience *audience = map_get(audiences->by_filter[form], filter_canon(filter));

	if (audience != NULL) {
		filter_free(filter);
	} else {
		audience = create(audiences, form, filter);
		if (audience == NULL) {
			filter_free(filter);
			return -ENOMEM;
		}
	}
	/* Counted before the old one is left: joining one's own audience must not free it. */
	audience->member_count++;
	leave(c);
	c->audience = audience;
	if (list_is_empty(&c->lag))
		audience_rejoin(c, true);
	count_admin(c);
	return 0;
}

void
audience_leave(struct connection *c)
{
	leave(c);
	count_admin(c);
}
