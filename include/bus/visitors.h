/*
 * Where clients come from: for each address the connections that it has in all workers together, and
 * how often it failed to authenticate, so that limits hold for the gateway as a whole.
 *
 * A table of fixed size. Where an address finds no line, since all that it may have are taken by
 * others with connections, it goes uncounted: a limit is then missed, and nobody is turned away by
 * mistake. How often is told by visitors_take_overlooked.
 *
 * What a process counted here it holds as a struct visitor. When one dies, the counts are of no use
 * any more: they are set to 0, a new round begins, and all others count their own again. The same
 * happens when somebody could not count down. The memory is drawn in bus/layout.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/ip.h"
#include "base/macros.h"

struct visitors_shared;
struct visitors; /* a process's view of it; owned by the segment */

enum {
	VISITORS_FAILURES_MAX = 20, /* that can make a rule */
};

/* What one connection is counted as. Zero-initialised: as nothing. */
struct visitor {
	uint64_t address; /* as it stands in the table */
	uint32_t round;	  /* 0: it is not counted */
	bool is_stranger;
};

/* What one address may have; 0: any number. */
struct visitors_limits {
	uint32_t connections;
	uint32_t strangers; /* connections of nobody in particular yet */
};

/* So many failures within this time, and the address is refused for that one. */
struct visitors_rule {
	uint32_t failures; /* 1 to VISITORS_FAILURES_MAX */
	uint32_t within_ms;
	uint32_t refuse_ms;
};

enum visitors_verdict {
	VISITORS_COUNTED,
	VISITORS_UNCOUNTED,	       /* it may come; there is no line for it */
	VISITORS_TOO_MANY_CONNECTIONS, /* it may not */
	VISITORS_TOO_MANY_STRANGERS,
};

/* How many lines a table for this many connections has. */
uint64_t visitors_lines(uint32_t max_connections);

/* For bus/segment alone: a view of `shared`, with that many lines behind it; NULL: out of memory. */
struct visitors *visitors_new(struct visitors_shared *shared, uint64_t lines);
void visitors_free(struct visitors *visitors);
/* For bus/segment alone: empties it; also one left by dead processes. 0 or -errno. */
int visitors_format(struct visitors *visitors) must_check;
/*
 * For bus/segment alone, after a process was reaped: frees the lock if it held that, and begins a new
 * round.
 */
void visitors_clear_slot(struct visitors *visitors);

/*
 * Counts a connection from this address as a stranger's, if the limits allow it. *ret is set in any
 * case, and handed to the acts below by the same process alone.
 */
enum visitors_verdict visitors_enter(struct visitors *visitors, const struct ip *ip,
    const struct visitors_limits *limits, struct visitor *ret) must_check;

/* It is no stranger's any more. One that is not counted is left alone, as by the next two. */
void visitors_know(struct visitors *visitors, struct visitor *visitor);

/* The connection is gone: it is counted as nothing. */
void visitors_leave(struct visitors *visitors, struct visitor *visitor);

/*
 * Counts it in the round that there is now, if it was counted in an older one. False: not possible
 * now, try again later.
 */
bool visitors_count_again(struct visitors *visitors, struct visitor *visitor) must_check;

/* The number of the round. When it has moved, count all again; then it has been acted on. */
uint32_t visitors_round(const struct visitors *visitors);

/* Counts a failure. True: with it the address has just become a refused one. */
bool visitors_fail(
    struct visitors *visitors, const struct ip *ip, const struct visitors_rule *rule) must_check;

/* For how much longer the address is refused; 0: it is not. Takes no lock. */
uint64_t visitors_refused_ms(const struct visitors *visitors, const struct ip *ip, uint64_t now_ms);

/* Connections and strangers that this address is counted with. For tests. */
void visitors_get(
    const struct visitors *visitors, const struct ip *ip, struct visitors_limits *ret);

/*
 * How many times since the last call this process could not keep what it should have about an address, whose
 * limits were missed so: for want of a line, or of the lock.
 */
uint64_t visitors_take_overlooked(struct visitors *visitors);

/* As ring_stuck_holder. */
pid_t visitors_stuck_holder(struct visitors *visitors, uint64_t limit_ms);
