/*
 * The index is a few arrays of fixed size, so that reading the directory cannot fail for want of memory: for
 * each method the run of its providers in `pairs`, and the methods in the order of their names, for bisection.
 */
#include "gateway/routes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/jsonw.h"
#include "gateway/context.h"
#include "gateway/publisher.h"

enum { PAIRS = PROVIDERS_MAX * PROVIDER_METHODS_MAX };

struct routes {
	struct providers_copy copy;
	unsigned live; /* methods that have a provider */
	uint16_t order[PROVIDERS_METHODS];
	uint32_t first[PROVIDERS_METHODS + 1];
	uint16_t pairs[PAIRS]; /* providers, by method */
	struct seats_place places[PAIRS];
};

struct routes *
routes_new(void)
{
	return mem_zalloc(sizeof(struct routes));
}

void
routes_free(struct routes *routes)
{
	mem_free(routes);
}

bool
routes_is_stale(const struct gateway *g)
{
	return providers_generation(g->providers) != g->routes->copy.generation;
}

/* --- the index ------------------------------------------------------------------------------ */

struct span
routes_method_name(const struct routes *routes, unsigned method)
{
	const struct providers_method *m = &routes->copy.methods[method];

	return span_make(m->name, m->name_len);
}

static int
compare_names(const void *a, const void *b, void *arg)
{
	const struct routes *routes = arg;

	return span_compare(routes_method_name(routes, *(const uint16_t *)a),
	    routes_method_name(routes, *(const uint16_t *)b));
}

static void
sort_methods(struct routes *routes)
{
	routes->live = 0;
	for (unsigned i = 0; i < routes->copy.method_count; i++) {
		if (routes->copy.methods[i].change != PROVIDERS_REMOVED)
			routes->order[routes->live++] = (uint16_t)i;
	}
	qsort_r(routes->order, routes->live, sizeof(routes->order[0]), compare_names, routes);
}

static void
count_pairs(struct routes *routes)
{
	const struct providers_copy *copy = &routes->copy;

	for (unsigned m = 0; m <= copy->method_count; m++)
		routes->first[m] = 0;
	for (unsigned p = 0; p < copy->provider_count; p++) {
		for (unsigned k = 0; k < copy->providers[p].method_count; k++)
			routes->first[copy->providers[p].methods[k] + 1]++;
	}
	for (unsigned m = 0; m < copy->method_count; m++)
		routes->first[m + 1] += routes->first[m];
}

static void
fill_pairs(struct routes *routes)
{
	const struct providers_copy *copy = &routes->copy;
	uint32_t next[PROVIDERS_METHODS];

	for (unsigned m = 0; m < copy->method_count; m++)
		next[m] = routes->first[m];
	for (unsigned p = 0; p < copy->provider_count; p++) {
		const struct providers_provider *provider = &copy->providers[p];

		for (unsigned k = 0; k < provider->method_count; k++) {
			uint32_t at = next[provider->methods[k]]++;

			routes->pairs[at] = (uint16_t)p;
			routes->places[at] = (struct seats_place){ .conn_id = provider->conn_id,
				.row = provider->row };
		}
	}
}

/* --- announcing ----------------------------------------------------------------------------- */

static void
announce(struct gateway *g, struct span event, struct buf *payload)
{
	struct publication publication = { .event = event, .payload = buf_span(payload) };

	if (buf_status(payload) == 0)
		publisher_announce(g, &publication);
	else
		publisher_lose(g, event, -ENOMEM);
}

static unsigned
write_changed(const struct providers_copy *copy, enum providers_change change, struct jsonw *w)
{
	unsigned count = 0;

	jsonw_array(w);
	for (unsigned i = 0; i < copy->method_count; i++) {
		const struct providers_method *m = &copy->methods[i];

		if (m->change != change)
			continue;
		jsonw_str(w, span_make(m->name, m->name_len));
		count++;
	}
	jsonw_array_end(w);
	return count;
}

static void
announce_methods(struct gateway *g)
{
	const struct providers_copy *copy = &g->routes->copy;
	struct buf payload = { 0 };
	struct jsonw w;
	unsigned count;

	jsonw_init(&w, &payload);
	jsonw_object(&w);
	jsonw_key(&w, "added");
	count = write_changed(copy, PROVIDERS_ADDED, &w);
	jsonw_key(&w, "removed");
	count += write_changed(copy, PROVIDERS_REMOVED, &w);
	jsonw_object_end(&w);
	if (count > 0)
		announce(g, SPAN("gateway.methods"), &payload);
	buf_fini(&payload);
}

static void
write_channel(const struct providers_channel *channel, struct jsonw *w)
{
	char conn_id[9];

	snprintf(conn_id, sizeof(conn_id), "%08" PRIx32, channel->conn_id);
	jsonw_object(w);
	jsonw_key(w, "id");
	jsonw_str(w, span_make(channel->name, channel->name_len));
	jsonw_key(w, "provider");
	jsonw_cstr(w, conn_id);
	jsonw_key(w, "connectedAt");
	jsonw_uint(w, channel->registered_ms);
	jsonw_object_end(w);
}

static void
announce_channels(struct gateway *g)
{
	const struct providers_copy *copy = &g->routes->copy;
	struct buf payload = { 0 };

	for (unsigned i = 0; i < copy->channel_count; i++) {
		const struct providers_channel *channel = &copy->channels[i];
		struct jsonw w;

		if (channel->change == PROVIDERS_SAME)
			continue;
		buf_reset(&payload);
		jsonw_init(&w, &payload);
		write_channel(channel, &w);
		announce(g,
		    channel->change == PROVIDERS_ADDED ? SPAN("channel.connected")
						       : SPAN("channel.disconnected"),
		    &payload);
	}
	buf_fini(&payload);
}

int
routes_read(struct gateway *g)
{
	int r = providers_read(g->providers, &g->routes->copy);

	if (r < 0)
		return r;
	sort_methods(g->routes);
	count_pairs(g->routes);
	fill_pairs(g->routes);
	announce_methods(g);
	announce_channels(g);
	return 0;
}

/* --- questions ------------------------------------------------------------------------------ */

unsigned
routes_find(const struct routes *routes, struct span method)
{
	unsigned low = 0, high = routes->live;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		int order = span_compare(method, routes_method_name(routes, routes->order[middle]));

		if (order == 0)
			return routes->order[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return ROUTES_NONE;
}

unsigned
routes_providers(const struct routes *routes, unsigned method, const uint16_t **ret)
{
	*ret = &routes->pairs[routes->first[method]];
	return routes->first[method + 1] - routes->first[method];
}

const struct seats_place *
routes_places(const struct routes *routes, unsigned method)
{
	return &routes->places[routes->first[method]];
}

/* FNV-1a, then the finaliser of SplitMix64: the same in all workers, for ever. */
static uint64_t
hash_key(struct span key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < key.n; i++)
		hash = (hash ^ (unsigned char)key.p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

unsigned
routes_pick(const struct routes *routes, unsigned method, struct span session_key)
{
	const struct seats_place *places = routes_places(routes, method);
	unsigned count = routes->first[method + 1] - routes->first[method], best = 0;
	uint64_t hash = hash_key(session_key), highest = 0;

	for (unsigned i = 0; i < count; i++) {
		uint64_t weight = mix(hash ^ places[i].conn_id * UINT64_C(0x9e3779b97f4a7c15));

		if (i > 0 && weight <= highest)
			continue;
		best = i;
		highest = weight;
	}
	return best;
}

const struct providers_copy *
routes_copy(const struct routes *routes)
{
	return &routes->copy;
}

const struct providers_provider *
routes_provider(const struct routes *routes, uint32_t conn_id)
{
	for (unsigned i = 0; i < routes->copy.provider_count; i++) {
		if (routes->copy.providers[i].conn_id == conn_id)
			return &routes->copy.providers[i];
	}
	return NULL;
}

unsigned
routes_methods_count(const struct routes *routes)
{
	return routes->live;
}

unsigned
routes_in_order(const struct routes *routes, unsigned i)
{
	return routes->order[i];
}

void
routes_write_methods(
    const struct routes *routes, const struct providers_provider *provider, struct jsonw *w)
{
	jsonw_array(w);
	for (unsigned i = 0; provider != NULL && i < provider->method_count; i++)
		jsonw_str(w, routes_method_name(routes, provider->methods[i]));
	jsonw_array_end(w);
}

void
routes_write_channels(const struct routes *routes, struct jsonw *w)
{
	jsonw_array(w);
	for (unsigned i = 0; i < routes->copy.channel_count; i++) {
		if (routes->copy.channels[i].change != PROVIDERS_REMOVED)
			write_channel(&routes->copy.channels[i], w);
	}
	jsonw_array_end(w);
}
