/*
 * Audiences: connections whose filters are equal, and the form in which they are sent events, share one
 * audience, so a batch of events is matched once for all of them and not once for each.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/macros.h"
#include "gateway/wire.h"
#include "proto/filter.h"

struct audiences;
struct connection;
struct gateway;

struct audience {
	struct list link;  /* audiences, see audiences_list */
	struct list level; /* connection.member of those that have got all that was delivered */
	unsigned level_count;
	unsigned member_count; /* of these and of those that are catching up */
	struct filter *filter; /* owned */
	enum wire_form form;   /* in which its members are sent events */
	uint64_t sent_ms;      /* CLOCK_MONOTONIC when the level ones were last told a seq */
	bool is_told;	       /* nothing was passed over since */
};

/* Creates an empty set; NULL without memory.  Freed when all connections have left. */
struct audiences *audiences_new(void);
void audiences_free(struct audiences *audiences);

/* The head of the list of all audiences that have members. */
struct list *audiences_list(struct audiences *audiences);

/*
 * Moves the connection into the audience of this filter and of its form; the filter is taken over, also on failure.
 * Returns 0, or -ENOMEM and leaves the connection where it was.
 */
int audience_join_take(struct connection *connection, struct filter *filter) must_check;

/* Takes the connection out of its audience, if it is in one. */
void audience_leave(struct connection *connection);

/*
 * The connection, which is in an audience, falls behind the others of it, or is level with them again
 * (and was not told how far, where `is_told` is false). gateway/catchup knows when.
 */
void audience_fall_behind(struct connection *connection);
void audience_rejoin(struct connection *connection, bool is_told);
