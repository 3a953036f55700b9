/*
 * From where a connection comes, and what its address may still do: where connections meet
 * bus/visitors. Clients on this machine are not counted, nor are trusted proxies; the clients that
 * those speak for are.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bus/visitors.h"
#include "proto/http.h"

struct connection;
struct gateway;

/* Counts a connection that was just opened, and logs where it may not stay. */
enum visitors_verdict visit_enter(struct connection *connection);

/* Whom a request comes from: the peer, or the client that a trusted proxy names. */
enum visit_verdict {
	VISIT_GOOD,
	VISIT_UNREADABLE, /* the proxy names nobody who could be known */
	VISIT_TOO_MANY,	  /* that client has too many connections, see visit_sentence */
};

/* Finds that out, and counts the connection for it, from then on. */
enum visit_verdict visit_follow(struct connection *connection, const struct http_head *head);

/* One sentence for who may not come. Static. */
const char *visit_sentence(enum visitors_verdict verdict);

/* It said hello, or needs to say none. */
void visit_know(struct connection *connection);

/* It failed to authenticate; logs where its address is refused from now on. */
void visit_fail(struct connection *connection);

/* For how much longer its address is refused; 0: it is not. */
uint64_t visit_refused_ms(const struct connection *connection);

/* Counts all again after a process died. Called from the tick. */
void visit_tick(struct gateway *gateway);
