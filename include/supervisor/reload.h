/*
 * Reloads of the configuration: read, judged, handed to every child, acknowledged, and only then told
 * of. A bad one changes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/buf.h"
#include "base/macros.h"
#include "conf/change.h"
#include "supervisor/transaction.h"
#include "sys/control.h"

struct child;
struct conf;
struct conf_request;
struct crew;
struct resources;
struct service;

struct reload {
	struct transaction transaction;
	const struct conf_request *request; /* NULL: there is nothing to be read again */
	struct resources *resources;
	struct crew *crew;
	struct service *service;
	struct conf *own; /* in force since the last good reload; NULL: what the start had */
	bool is_open;
	bool is_good;		     /* the one under way */
	struct conf_changes changes; /* and what it changes */
	struct buf message;	     /* or what is wrong */
	struct event timer;	     /* until what is owed is late, or the bus is tried again */
};

/* Prepares it; nothing is done before reload_open. Returns 0 or -ENOMEM. */
int reload_init(struct reload *reload, struct event_base *base, const struct conf_request *request,
    struct resources *resources, struct crew *crew, struct service *service) must_check;

/* Frees what is in force; nobody may read it any more. Harmless for a zeroed struct. */
void reload_fini(struct reload *reload);

/* All serve: what was wanted meanwhile is done, and from now on at once. */
void reload_open(struct reload *reload);

/*
 * The gateway stops: whoever waits is told so, and nothing is reloaded any more.
 * Again is harmless, and so is a zeroed struct. Before the event base is freed.
 */
void reload_close(struct reload *reload);

/* Somebody wants a reload, and no answer. */
void reload_want(struct reload *reload);

/* A child sent a message. False: it is none of these, or broken. */
bool reload_on_message(
    struct reload *reload, const struct child *child, const struct control_message *message);

/* A child ended, or another one lives in its place. */
void reload_on_change(struct reload *reload);
