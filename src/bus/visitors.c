/*
 * Where clients come from: a hash table of sets of a few lines each, all of it under one lock.
 *
 * Invariants: a line's address is 0 while the line is made ready for another one, and stored last; a
 * line with connections is given to nobody else; counts mean something only in the round that
 * counted_round names. Nothing that is read here leads to a place in memory.
 */
#include "bus/visitors.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/failpoint.h"
#include "base/random.h"
#include "base/siphash.h"
#include "bus/layout.h"

enum {
	LINES_MIN = VISITORS_WAYS,
	LINES_MAX = 1 << 15,
	NS_PER_MS = 1000000,
	TICK_SHIFT = 6, /* failures are noted in units of 64 ms: 32 bits of them are 8 years */
};

/* In ::/8, of which nothing is routed: no /64 of IPv6 is taken for it. */
#define V4_ADDRESS (UINT64_C(1) << 32)

#define LOAD(word)	   atomic_load_explicit(word, memory_order_relaxed)
#define STORE(word, value) atomic_store_explicit(word, value, memory_order_relaxed)

static_assert((int)VISITORS_FAILURES_MAX == (int)VISITORS_FAILURES_KEPT, "each is kept");

struct visitors {
	struct visitors_shared *shared;
	uint64_t sets; /* a power of two */
	struct shlock_watch watch;
	uint64_t overlooked; /* by this process, and not told yet */
};

/* --- life --------------------------------------------------------------------------------- */

uint64_t
visitors_lines(uint32_t max_connections)
{
	uint64_t lines = LINES_MIN;

	while (lines < max_connections && lines < LINES_MAX)
		lines *= 2;
	return lines;
}

struct visitors *
visitors_new(struct visitors_shared *shared, uint64_t lines)
{
	struct visitors *v = mem_zalloc(sizeof(*v));

	if (v == NULL)
		return NULL;
	v->shared = shared;
	v->sets = lines / VISITORS_WAYS;
	return v;
}

void
visitors_free(struct visitors *v)
{
	mem_free(v);
}

int
visitors_format(struct visitors *v)
{
	memset(v->shared, 0,
	    sizeof(*v->shared) + v->sets * VISITORS_WAYS * sizeof(v->shared->lines[0]));
	STORE(&v->shared->round, 1);
	STORE(&v->shared->counted_round, 1);
	if (random_bytes(v->shared->key, sizeof(v->shared->key)) < 0)
		return -EIO;
	return shlock_init(&v->shared->lock);
}

static void
begin_round(struct visitors *v)
{
	atomic_fetch_add_explicit(&v->shared->round, 1, memory_order_acq_rel);
	failpoint("round");
}

void
visitors_clear_slot(struct visitors *v)
{
	shlock_mend(&v->shared->lock);
	begin_round(v);
}

/* --- lines -------------------------------------------------------------------------------- */

/* Of IPv6 the network: who has one address of it has them all. */
static uint64_t
address_of(const struct ip *ip)
{
	uint64_t address = 0;
	unsigned from = ip_is_v4(ip) ? 12 : 0, to = ip_is_v4(ip) ? 16 : 8;

	for (unsigned i = from; i < to; i++)
		address = address << 8 | ip->bytes[i];
	if (ip_is_v4(ip))
		return address | V4_ADDRESS;
	/* 0 is no address, and ::/64 is as unroutable as the one that it shares a line with. */
	return address != 0 ? address : 1;
}

/* The first of the VISITORS_WAYS lines of its set. */
static struct visitor_line *
set_of(const struct visitors *v, uint64_t address)
{
	const struct siphash_key key = { v->shared->key[0], v->shared->key[1] };
	struct span bytes = span_make((const char *)&address, sizeof(address));

	return &v->shared->lines[(siphash(&key, bytes) & (v->sets - 1)) * VISITORS_WAYS];
}

/* NULL: it has none. */
static struct visitor_line *
find_line(const struct visitors *v, uint64_t address)
{
	struct visitor_line *set = set_of(v, address);

	for (unsigned i = 0; i < VISITORS_WAYS; i++) {
		if (atomic_load_explicit(&set[i].address, memory_order_acquire) == address)
			return &set[i];
	}
	return NULL;
}

static uint64_t
last_failure_ms(const struct visitor_line *line)
{
	uint32_t failures = LOAD(&line->failures);

	if (failures == 0)
		return 0;
	return (uint64_t)LOAD(&line->failed_at[(failures - 1) % VISITORS_FAILURES_MAX])
	       << TICK_SHIFT;
}

/* Whether `a` is the better one to lose: no refused one for others, and of equals the older. */
static bool
is_worth_less(const struct visitor_line *a, const struct visitor_line *b, uint64_t now_ms)
{
	uint64_t a_until = LOAD(&a->refused_until_ms), b_until = LOAD(&b->refused_until_ms);

	if ((a_until > now_ms) != (b_until > now_ms))
		return a_until <= now_ms;
	if (a_until > now_ms)
		return a_until < b_until;
	return last_failure_ms(a) < last_failure_ms(b);
}

/* Makes the line one of this address, about which nothing is known. */
static void
give_line(struct visitor_line *line, uint64_t address)
{
	STORE(&line->address, 0);
	failpoint("address = 0");
	STORE(&line->refused_until_ms, 0);
	failpoint("refused_until_ms = 0");
	STORE(&line->failures, 0);
	failpoint("failures = 0");
	STORE(&line->connections, 0);
	failpoint("connections = 0");
	STORE(&line->strangers, 0);
	failpoint("strangers = 0");
	atomic_store_explicit(&line->address, address, memory_order_release);
	failpoint("address");
}

/*
 * The line of the address, which gets one if there is one to be had; else NULL. What cannot be kept is counted,
 * also a refusal that has to make room.
 */
static struct visitor_line *
claim_line(struct visitors *v, uint64_t address, uint64_t now_ms)
{
	struct visitor_line *set = set_of(v, address), *found = find_line(v, address);

	if (found != NULL)
		return found;
	for (unsigned i = 0; i < VISITORS_WAYS; i++) {
		if (LOAD(&set[i].address) != 0 && LOAD(&set[i].connections) > 0)
			continue;
		if (found == NULL || is_worth_less(&set[i], found, now_ms))
			found = &set[i];
	}
	if (found == NULL || LOAD(&found->refused_until_ms) > now_ms)
		v->overlooked++;
	if (found != NULL)
		give_line(found, address);
	return found;
}

/* --- acts --------------------------------------------------------------------------------- */

/* What was counted for a round that is over means nothing. */
static void
settle_round(struct visitors *v)
{
	uint32_t round = atomic_load_explicit(&v->shared->round, memory_order_acquire);

	if (LOAD(&v->shared->counted_round) == round)
		return;
	for (uint64_t i = 0; i < v->sets * VISITORS_WAYS; i++) {
		STORE(&v->shared->lines[i].connections, 0);
		failpoint("connections = 0");
		STORE(&v->shared->lines[i].strangers, 0);
		failpoint("strangers = 0");
	}
	STORE(&v->shared->counted_round, round);
	failpoint("counted_round");
}

/* With the lock all counts are of the round that is told. */
static int
take(struct visitors *v, uint64_t *ret_now_ms)
{
	uint64_t now_ns;
	int r = shlock_take(&v->shared->lock, &now_ns);

	if (r < 0)
		return r;
	*ret_now_ms = now_ns / NS_PER_MS;
	settle_round(v);
	return 0;
}

static void
give(struct visitors *v)
{
	shlock_give(&v->shared->lock);
}

static void
add(_Atomic uint32_t *count, uint32_t n)
{
	STORE(count, LOAD(count) + n);
}

static void
count_in(struct visitors *v, struct visitor_line *line, struct visitor *visitor)
{
	add(&line->connections, 1);
	failpoint("connections + 1");
	if (visitor->is_stranger) {
		add(&line->strangers, 1);
		failpoint("strangers + 1");
	}
	visitor->round = LOAD(&v->shared->counted_round);
}

static enum visitors_verdict
judge(const struct visitor_line *line, const struct visitors_limits *limits)
{
	if (limits->connections > 0 && LOAD(&line->connections) >= limits->connections)
		return VISITORS_TOO_MANY_CONNECTIONS;
	if (limits->strangers > 0 && LOAD(&line->strangers) >= limits->strangers)
		return VISITORS_TOO_MANY_STRANGERS;
	return VISITORS_COUNTED;
}

enum visitors_verdict
visitors_enter(struct visitors *v, const struct ip *ip, const struct visitors_limits *limits,
    struct visitor *ret)
{
	enum visitors_verdict verdict = VISITORS_UNCOUNTED;
	struct visitor_line *line;
	uint64_t now_ms;

	*ret = (struct visitor){ .address = address_of(ip), .is_stranger = true };
	if (take(v, &now_ms) < 0) {
		v->overlooked++;
		return VISITORS_UNCOUNTED;
	}
	line = claim_line(v, ret->address, now_ms);
	if (line != NULL)
		verdict = judge(line, limits);
	if (verdict == VISITORS_COUNTED)
		count_in(v, line, ret);
	give(v);
	return verdict;
}

/* Takes away what the visitor was counted as, if that was in this round. */
static void
count_out(struct visitors *v, const struct visitor *visitor, uint32_t connections)
{
	struct visitor_line *line = find_line(v, visitor->address);

	if (line == NULL || visitor->round != LOAD(&v->shared->counted_round))
		return;
	if (visitor->is_stranger && LOAD(&line->strangers) > 0) {
		add(&line->strangers, UINT32_MAX);
		failpoint("strangers - 1");
	}
	if (connections > 0 && LOAD(&line->connections) > 0) {
		add(&line->connections, UINT32_MAX);
		failpoint("connections - 1");
	}
}

/* Who cannot count down leaves that to the next round, in which all count again. */
static void
count_down(struct visitors *v, const struct visitor *visitor, uint32_t connections)
{
	uint64_t now_ms;

	if (take(v, &now_ms) < 0) {
		begin_round(v);
		return;
	}
	count_out(v, visitor, connections);
	give(v);
}

void
visitors_know(struct visitors *v, struct visitor *visitor)
{
	if (visitor->round != 0 && visitor->is_stranger)
		count_down(v, visitor, 0);
	visitor->is_stranger = false;
}

void
visitors_leave(struct visitors *v, struct visitor *visitor)
{
	if (visitor->round != 0)
		count_down(v, visitor, 1);
	*visitor = (struct visitor){ 0 };
}

bool
visitors_count_again(struct visitors *v, struct visitor *visitor)
{
	struct visitor_line *line;
	uint64_t now_ms;

	if (visitor->round == 0)
		return true;
	if (take(v, &now_ms) < 0)
		return false;
	if (visitor->round != LOAD(&v->shared->counted_round)) {
		line = claim_line(v, visitor->address, now_ms);
		if (line != NULL)
			count_in(v, line, visitor);
	}
	give(v);
	return true;
}

uint32_t
visitors_round(const struct visitors *v)
{
	return atomic_load_explicit(&v->shared->round, memory_order_acquire);
}

static bool
is_too_often(const struct visitor_line *line, const struct visitors_rule *rule, uint32_t tick)
{
	uint32_t failures = LOAD(&line->failures), first;

	if (failures < rule->failures || rule->failures > VISITORS_FAILURES_MAX)
		return false;
	first = LOAD(&line->failed_at[(failures - rule->failures) % VISITORS_FAILURES_MAX]);
	return tick - first <= rule->within_ms >> TICK_SHIFT;
}

static bool
note_failure(struct visitor_line *line, const struct visitors_rule *rule, uint64_t now_ms)
{
	uint32_t tick = (uint32_t)(now_ms >> TICK_SHIFT), failures = LOAD(&line->failures);

	STORE(&line->failed_at[failures % VISITORS_FAILURES_MAX], tick);
	failpoint("failed_at");
	STORE(&line->failures, failures + 1);
	failpoint("failures + 1");
	if (LOAD(&line->refused_until_ms) > now_ms || !is_too_often(line, rule, tick))
		return false;
	STORE(&line->refused_until_ms, now_ms + rule->refuse_ms);
	failpoint("refused_until_ms");
	/* Afterwards it begins anew, and not with what it was refused for. */
	STORE(&line->failures, 0);
	failpoint("failures = 0");
	return true;
}

bool
visitors_fail(struct visitors *v, const struct ip *ip, const struct visitors_rule *rule)
{
	struct visitor_line *line;
	bool is_refused = false;
	uint64_t now_ms;

	if (take(v, &now_ms) < 0) {
		v->overlooked++;
		return false;
	}
	line = claim_line(v, address_of(ip), now_ms);
	if (line != NULL)
		is_refused = note_failure(line, rule, now_ms);
	give(v);
	return is_refused;
}

/* --- questions ---------------------------------------------------------------------------- */

/* The line may be given away meanwhile: then the address is another one after the look. */
uint64_t
visitors_refused_ms(const struct visitors *v, const struct ip *ip, uint64_t now_ms)
{
	uint64_t address = address_of(ip), until_ms;
	const struct visitor_line *line = find_line(v, address);

	if (line == NULL)
		return 0;
	until_ms = atomic_load_explicit(&line->refused_until_ms, memory_order_acquire);
	if (LOAD(&line->address) != address || until_ms <= now_ms)
		return 0;
	return until_ms - now_ms;
}

void
visitors_get(const struct visitors *v, const struct ip *ip, struct visitors_limits *ret)
{
	const struct visitor_line *line = find_line(v, address_of(ip));

	*ret = (struct visitors_limits){ 0 };
	if (line == NULL)
		return;
	ret->connections = LOAD(&line->connections);
	ret->strangers = LOAD(&line->strangers);
}

uint64_t
visitors_take_overlooked(struct visitors *v)
{
	uint64_t overlooked = v->overlooked;

	v->overlooked = 0;
	return overlooked;
}

pid_t
visitors_stuck_holder(struct visitors *v, uint64_t limit_ms)
{
	return shlock_stuck(&v->shared->lock, &v->watch, limit_ms);
}
