/*
 * Lets connections in, and ends those whose right to be there has ended: where authentication meets
 * connections.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gateway/auth.h"
#include "gateway/authprovider.h"
#include "proto/hello.h"
#include "proto/http.h"

struct connection;
struct filter;
struct gateway;
struct identity;

/*
 * Counts what a try came to. Too many wrong tokens and passwords from one address have it locked out.
 */
void admission_count(struct connection *connection, enum auth_verdict verdict);

/*
 * Judges the credentials of an HTTP request, whose verdict the caller counts. One that lets in sets *ret,
 * a reference of the caller's; AUTH_MISSING: none came.
 */
enum auth_verdict admission_check_request(
    struct connection *connection, const struct http_head *head, struct identity **ret) must_check;

/*
 * Judges those of a hello, or else those that came with the upgrade, counts the verdict, and on one that
 * lets in makes the connection who it is. The credentials are forgotten in any case. AUTH_ASKED: a provider was
 * asked, the hello is taken over, and `done` gets it with the verdict, later.
 */
enum auth_verdict admission_check_hello(
    struct connection *connection, struct hello *hello, authprovider_done_fn done) must_check;

/* The verdict on a hello that a provider was asked about: counts it, and lets in; the reference is taken over. */
void admission_settle_take(
    struct connection *connection, enum auth_verdict verdict, struct identity *identity);

/* Makes the connection who it is; the reference is taken over. */
void admission_enter_take(struct connection *connection, struct identity *identity);

/* The connection is nobody any more. */
void admission_leave(struct connection *connection);

/* Takes out of a new filter what this connection may not have. */
void admission_restrict(const struct connection *connection, struct filter *filter);

/* Ends the connections whose tokens have expired. Called from the tick. */
void admission_tick(struct gateway *gateway, uint64_t now_real_ms);

/*
 * Puts another object in the place of gateway.auth, which is freed, and ends with 1008 every connection
 * that it would not let in as it is. Returns how many these were.
 */
unsigned admission_swap_take(struct gateway *gateway, struct auth *auth);
