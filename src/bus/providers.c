/*
 * The directory of providers: registering, leaving, reading, and clearing after the dead.
 *
 * A line that is half written has a writer that is dead, and is cleared with it: so no order of stores
 * matters to anybody but for conn_id, which is stored last and taken away first.
 */
#include "bus/providers.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/failpoint.h"
#include "bus/providers_view.h"

#define LOAD(word)	   atomic_load_explicit(word, memory_order_relaxed)
#define STORE(word, value) atomic_store_explicit(word, value, memory_order_relaxed)

/* --- life ----------------------------------------------------------------------------------- */

struct providers *
providers_new(const struct providers_parts *parts)
{
	struct providers *providers = mem_zalloc(sizeof(*providers));

	if (providers != NULL)
		providers->parts = *parts;
	return providers;
}

void
providers_free(struct providers *providers)
{
	mem_free(providers);
}

int
providers_format(struct providers *providers)
{
	struct providers_parts *parts = &providers->parts;

	memset((void *)parts->shared, 0, sizeof(*parts->shared));
	memset((void *)parts->slots, 0, parts->slot_count * sizeof(parts->slots[0]));
	return shlock_init(&parts->shared->lock);
}

static void
move_generation(struct providers *providers)
{
	/* Release: who sees the generation sees what was changed. */
	atomic_fetch_add_explicit(&providers->parts.shared->generation, 1, memory_order_release);
	failpoint("generation");
	providers_view_tell_all(providers);
	failpoint("news");
}

/* --- registering, under the lock ------------------------------------------------------------ */

static struct span
method_name(const struct provider_method *method)
{
	size_t n = method->name_len;

	return span_make(method->name, n <= sizeof(method->name) ? n : 0);
}

/* The method of this name, or a free place for it; -ENOSPC. */
static int
find_method(struct providers_shared *shared, struct span name)
{
	int free_place = -ENOSPC;

	for (int i = 0; i < PROVIDERS_METHODS; i++) {
		const struct provider_method *method = &shared->methods[i];

		if (method->name_len == 0 && free_place < 0)
			free_place = i;
		else if (method->name_len != 0 && span_is_equal(method_name(method), name))
			return i;
	}
	return free_place;
}

/* Finds or makes the methods of an offer. Those that nobody comes to have are swept by the next reader. */
static int
enter_methods(struct providers_shared *shared, const struct provider_offer *offer, uint16_t *ret)
{
	for (size_t i = 0; i < offer->methods_count; i++) {
		struct span name = offer->methods[i];
		int index = find_method(shared, name);
		struct provider_method *method;

		if (index < 0)
			return index;
		ret[i] = (uint16_t)index;
		method = &shared->methods[index];
		if (method->name_len != 0)
			continue;
		memcpy(method->name, name.p, name.n);
		method->is_announced = 0;
		method->name_len = (uint32_t)name.n;
		failpoint("method");
	}
	return 0;
}

/* The line of the connection, or a free one; -ENOSPC. */
static int
find_line(const struct providers_shared *shared, uint32_t conn_id)
{
	int free_place = -ENOSPC;

	for (int row = 0; row < PROVIDERS_MAX; row++) {
		uint32_t found = LOAD(&shared->lines[row].conn_id);

		if (found == conn_id)
			return row;
		if (found == 0 && free_place < 0)
			free_place = row;
	}
	return free_place;
}

static bool
is_offered(const struct provider_channel *channel, const struct provider_offer *offer)
{
	for (size_t i = 0; i < offer->channels_count; i++) {
		if (span_is_equal(offer->channels[i], span_make(channel->name, channel->name_len)))
			return true;
	}
	return false;
}

static bool
has_channel(const struct providers_shared *shared, uint32_t conn_id, struct span name)
{
	for (unsigned i = 0; i < PROVIDERS_CHANNELS; i++) {
		const struct provider_channel *channel = &shared->channels[i];

		if (channel->conn_id == conn_id && !channel->is_gone &&
		    span_is_equal(name, span_make(channel->name, channel->name_len)))
			return true;
	}
	return false;
}

static bool
has_room_for_channels(const struct providers_shared *shared, const struct provider_offer *offer)
{
	size_t left = 0, wanted = 0;

	for (unsigned i = 0; i < PROVIDERS_CHANNELS; i++)
		left += shared->channels[i].conn_id == 0;
	for (size_t i = 0; i < offer->channels_count; i++)
		wanted += !has_channel(shared, offer->conn_id, offer->channels[i]);
	return wanted <= left;
}

static void
add_channel(struct providers_shared *shared, const struct provider_offer *offer, unsigned row,
    struct span name)
{
	for (unsigned i = 0; i < PROVIDERS_CHANNELS; i++) {
		struct provider_channel *channel = &shared->channels[i];

		if (channel->conn_id != 0)
			continue;
		memcpy(channel->name, name.p, name.n);
		channel->name_len = (uint32_t)name.n;
		channel->row = row;
		channel->registered_ms = offer->now_real_ms;
		channel->is_announced = channel->is_gone = 0;
		channel->conn_id = offer->conn_id;
		failpoint("channel");
		return;
	}
}

static void
set_channels(struct providers_shared *shared, const struct provider_offer *offer, unsigned row)
{
	for (unsigned i = 0; i < PROVIDERS_CHANNELS; i++) {
		struct provider_channel *channel = &shared->channels[i];

		if (channel->conn_id == offer->conn_id && !is_offered(channel, offer))
			channel->is_gone = 1;
	}
	for (size_t i = 0; i < offer->channels_count; i++) {
		if (!has_channel(shared, offer->conn_id, offer->channels[i]))
			add_channel(shared, offer, row, offer->channels[i]);
	}
}

/* Nobody has a seat at a new provider, or waits for one. */
static void
clear_seats(struct providers *providers, unsigned row)
{
	for (unsigned slot = 0; slot < providers->parts.slot_count; slot++) {
		struct provider_seats *seats = &providers->parts.slots[slot].seats[row];

		STORE(&seats->in_flight, 0);
		STORE(&seats->granted, 0);
		STORE(&seats->waiting, 0);
	}
}

static void
fill_line(struct provider_line *line, const struct provider_offer *offer, const uint16_t *methods)
{
	memcpy(line->methods, methods, offer->methods_count * sizeof(methods[0]));
	line->method_count = (uint32_t)offer->methods_count;
	line->slot = offer->slot;
	line->concurrency = offer->concurrency;
	if (offer->description.n > 0)
		memcpy(line->description, offer->description.p, offer->description.n);
	line->description_len = (uint32_t)offer->description.n;
	failpoint("line of the provider");
}

static int
register_locked(struct providers *providers, const struct provider_offer *offer, unsigned *ret_row)
{
	struct providers_shared *shared = providers->parts.shared;
	uint16_t methods[PROVIDER_METHODS_MAX];
	struct provider_line *line;
	int row = find_line(shared, offer->conn_id);

	if (row < 0 || !has_room_for_channels(shared, offer) ||
	    enter_methods(shared, offer, methods) < 0)
		return -ENOSPC;
	line = &shared->lines[row];
	if (LOAD(&line->conn_id) == 0) {
		clear_seats(providers, (unsigned)row);
		STORE(&line->is_full, 0);
		line->last_granted = 0;
		line->registered_ms = offer->now_real_ms;
	}
	fill_line(line, offer, methods);
	if ((uint32_t)row >= LOAD(&shared->rows_used))
		STORE(&shared->rows_used, (uint32_t)row + 1);
	atomic_store_explicit(&line->conn_id, offer->conn_id, memory_order_release);
	failpoint("conn_id of the provider");
	set_channels(shared, offer, (unsigned)row);
	move_generation(providers);
	*ret_row = (unsigned)row;
	return 0;
}

static bool
is_sane(const struct providers *providers, const struct provider_offer *offer)
{
	for (size_t i = 0; i < offer->methods_count; i++) {
		if (offer->methods[i].n == 0 || offer->methods[i].n > PROVIDER_NAME_BYTES)
			return false;
	}
	for (size_t i = 0; i < offer->channels_count; i++) {
		if (offer->channels[i].n == 0 || offer->channels[i].n > PROVIDER_CHANNEL_BYTES)
			return false;
	}
	return offer->conn_id != 0 && offer->slot < providers->parts.slot_count &&
	       offer->concurrency >= 1 && offer->concurrency <= PROVIDER_CONCURRENCY_MAX &&
	       offer->methods_count <= PROVIDER_METHODS_MAX &&
	       offer->channels_count <= PROVIDER_CHANNELS_MAX &&
	       offer->description.n < PROVIDER_DESCRIPTION_BYTES;
}

int
providers_register(
    struct providers *providers, const struct provider_offer *offer, unsigned *ret_row)
{
	struct shlock *lock = &providers->parts.shared->lock;
	int r;

	if (!is_sane(providers, offer))
		return -EINVAL;
	r = shlock_take(lock, NULL);
	if (r < 0)
		return r;
	r = register_locked(providers, offer, ret_row);
	shlock_give(lock);
	return r;
}

int
providers_leave(struct providers *providers, unsigned row, uint32_t conn_id)
{
	struct providers_shared *shared = providers->parts.shared;
	int r;

	if (row >= PROVIDERS_MAX || conn_id == 0)
		return -EINVAL;
	r = shlock_take(&shared->lock, NULL);
	if (r < 0)
		return r;
	if (LOAD(&shared->lines[row].conn_id) == conn_id) {
		STORE(&shared->lines[row].conn_id, 0);
		failpoint("provider gone");
		move_generation(providers);
	}
	shlock_give(&shared->lock);
	return 0;
}

/* --- reading, under the lock ---------------------------------------------------------------- */

/* Copies one line; the methods are places in shared memory still. */
static void
copy_line(const struct provider_line *line, unsigned row, struct providers_provider *ret)
{
	ret->conn_id = LOAD(&line->conn_id);
	ret->row = (uint16_t)row;
	ret->slot = (uint16_t)line->slot;
	ret->concurrency = line->concurrency;
	ret->registered_ms = line->registered_ms;
	ret->method_count = (uint16_t)min_size(line->method_count, PROVIDER_METHODS_MAX);
	memcpy(ret->methods, line->methods, sizeof(ret->methods));
	ret->description_len =
	    (uint16_t)min_size(line->description_len, PROVIDER_DESCRIPTION_BYTES - 1);
	memcpy(ret->description, line->description, ret->description_len);
}

static void
copy_lines(struct providers *providers, struct providers_copy *ret)
{
	const struct providers_shared *shared = providers->parts.shared;
	unsigned rows = providers_view_rows(providers);

	ret->provider_count = 0;
	for (unsigned row = 0; row < rows; row++) {
		const struct provider_line *line = &shared->lines[row];

		if (LOAD(&line->conn_id) != 0 && line->slot < providers->parts.slot_count)
			copy_line(line, row, &ret->providers[ret->provider_count++]);
	}
}

static void
mark_methods(const struct providers_copy *copy, bool has_provider[PROVIDERS_METHODS])
{
	memset(has_provider, 0, PROVIDERS_METHODS);
	for (unsigned i = 0; i < copy->provider_count; i++) {
		for (unsigned k = 0; k < copy->providers[i].method_count; k++)
			has_provider[copy->providers[i].methods[k] % PROVIDERS_METHODS] = true;
	}
}

/* Copies the methods, and settles what is to be announced of them. */
static void
copy_methods(struct providers_shared *shared, struct providers_copy *ret,
    uint16_t place_of[PROVIDERS_METHODS])
{
	bool has_provider[PROVIDERS_METHODS];

	mark_methods(ret, has_provider);
	ret->method_count = 0;
	for (unsigned i = 0; i < PROVIDERS_METHODS; i++) {
		struct provider_method *method = &shared->methods[i];
		struct providers_method *copy = &ret->methods[ret->method_count];
		struct span name = method_name(method);
		bool was_announced = method->is_announced != 0;

		place_of[i] = UINT16_MAX;
		if (name.n == 0)
			continue;
		method->is_announced = has_provider[i];
		failpoint("method announced");
		if (!has_provider[i])
			method->name_len = 0;
		failpoint("method freed");
		if (!has_provider[i] && !was_announced)
			continue;
		copy->index = (uint16_t)i;
		copy->name_len = (uint8_t)name.n;
		memcpy(copy->name, name.p, name.n);
		copy->change = PROVIDERS_SAME;
		if (has_provider[i] != was_announced)
			copy->change = has_provider[i] ? PROVIDERS_ADDED : PROVIDERS_REMOVED;
		place_of[i] = (uint16_t)ret->method_count++;
	}
}

/* From places in shared memory to places in the copy; what has none is left out. */
static void
translate_methods(struct providers_copy *copy, const uint16_t place_of[PROVIDERS_METHODS])
{
	for (unsigned i = 0; i < copy->provider_count; i++) {
		struct providers_provider *provider = &copy->providers[i];
		uint16_t kept = 0;

		for (unsigned k = 0; k < provider->method_count; k++) {
			uint16_t index = provider->methods[k];

			if (index < PROVIDERS_METHODS && place_of[index] != UINT16_MAX)
				provider->methods[kept++] = place_of[index];
		}
		provider->method_count = kept;
	}
}

static bool
is_there(const struct providers_shared *shared, const struct provider_channel *channel)
{
	return !channel->is_gone && channel->row < PROVIDERS_MAX &&
	       LOAD(&shared->lines[channel->row].conn_id) == channel->conn_id;
}

static void
copy_channels(struct providers_shared *shared, struct providers_copy *ret)
{
	ret->channel_count = 0;
	for (unsigned i = 0; i < PROVIDERS_CHANNELS; i++) {
		struct provider_channel *channel = &shared->channels[i];
		struct providers_channel *copy = &ret->channels[ret->channel_count];
		bool was_announced = channel->is_announced != 0, here;

		if (channel->conn_id == 0)
			continue;
		here = is_there(shared, channel);
		copy->conn_id = channel->conn_id;
		copy->registered_ms = channel->registered_ms;
		copy->name_len = (uint8_t)min_size(channel->name_len, PROVIDER_CHANNEL_BYTES);
		memcpy(copy->name, channel->name, copy->name_len);
		copy->change = PROVIDERS_SAME;
		if (here != was_announced)
			copy->change = here ? PROVIDERS_ADDED : PROVIDERS_REMOVED;
		channel->is_announced = here;
		failpoint("channel announced");
		if (!here)
			channel->conn_id = 0;
		failpoint("channel freed");
		ret->channel_count += here || was_announced;
	}
}

int
providers_read(struct providers *providers, struct providers_copy *ret)
{
	struct providers_shared *shared = providers->parts.shared;
	uint16_t place_of[PROVIDERS_METHODS];
	int r = shlock_take(&shared->lock, NULL);

	if (r < 0)
		return r;
	ret->generation = atomic_load_explicit(&shared->generation, memory_order_acquire);
	copy_lines(providers, ret);
	copy_methods(shared, ret, place_of);
	translate_methods(ret, place_of);
	copy_channels(shared, ret);
	shlock_give(&shared->lock);
	return 0;
}

/* --- news ----------------------------------------------------------------------------------- */

uint64_t
providers_news(struct providers *providers, unsigned slot)
{
	struct providers_slot *own = &providers->parts.slots[slot];
	uint64_t news = atomic_load_explicit(&own->news, memory_order_acquire);

	STORE(&own->news_seen, news);
	failpoint("news_seen");
	return news;
}

void
providers_tell_all(struct providers *providers)
{
	providers_view_tell_all(providers);
	failpoint("news");
}

bool
providers_has_news(const struct providers *providers, unsigned slot)
{
	struct providers_slot *own = &providers->parts.slots[slot];

	return atomic_load_explicit(&own->news, memory_order_acquire) != LOAD(&own->news_seen);
}

/* --- after the dead ------------------------------------------------------------------------- */

/* With the lock or, where its holder stands still, without: nobody else writes to these any more. */
static void
clear(struct providers *providers, unsigned slot)
{
	struct providers_slot *dead = &providers->parts.slots[slot];
	struct providers_shared *shared = providers->parts.shared;

	for (unsigned row = 0; row < PROVIDERS_MAX; row++) {
		if (LOAD(&shared->lines[row].conn_id) != 0 && shared->lines[row].slot == slot) {
			STORE(&shared->lines[row].conn_id, 0);
			failpoint("provider of the dead");
		}
		STORE(&dead->seats[row].in_flight, 0);
		STORE(&dead->seats[row].granted, 0);
		STORE(&dead->seats[row].waiting, 0);
	}
	for (unsigned i = 0; i < PROVIDERS_METHODS; i++)
		STORE(&dead->waiting[i], 0);
	failpoint("seats of the dead");
}

void
providers_clear_slot(struct providers *providers, unsigned slot)
{
	struct shlock *lock = &providers->parts.shared->lock;
	int r;

	shlock_mend(lock);
	if (slot >= providers->parts.slot_count)
		return;
	r = shlock_take(lock, NULL);
	clear(providers, slot);
	move_generation(providers);
	providers_news(providers, slot);
	if (r == 0)
		shlock_give(lock);
}

/* --- questions ------------------------------------------------------------------------------ */

uint64_t
providers_generation(const struct providers *providers)
{
	return atomic_load_explicit(&providers->parts.shared->generation, memory_order_acquire);
}

unsigned
providers_count(const struct providers *providers)
{
	unsigned rows = providers_view_rows(providers), count = 0;

	for (unsigned row = 0; row < rows; row++)
		count += LOAD(&providers->parts.shared->lines[row].conn_id) != 0;
	return count;
}

uint64_t
providers_recoveries(const struct providers *providers)
{
	return shlock_recoveries(&providers->parts.shared->lock);
}

pid_t
providers_stuck_holder(struct providers *providers, uint64_t limit_ms)
{
	return shlock_stuck(&providers->parts.shared->lock, &providers->watch, limit_ms);
}
