/*
 * A server that does nothing but what a fan-out cannot do without: it upgrades whoever comes, and
 * gives what publishers send to all subscribers, or what a client sends back to it.
 *
 *	GET /sub	is sent every message that is published
 *	GET /pub	publishes each message it sends
 *	GET /echo	gets back what it sends
 *
 * There is no limit, no check, no configuration and no log: it is a floor, not a server.
 */
#pragma once

#include "sender.h"

struct loop_setup {
	enum sender_kind sender;
	int listener;
	int inbox;   /* what publishers of other processes sent; -1: there are none */
	int *others; /* the other processes' inboxes */
	unsigned other_count;
};

/* Serves until the process is killed. */
void loop_run(const struct loop_setup *setup) __attribute__((noreturn));
