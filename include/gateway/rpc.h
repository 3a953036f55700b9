/*
 * An HTTP request calls a method (PROTOCOL section 9): its body as it comes, its way into dispatch, its
 * answer as the response, at once or later.
 *
 *	head ──▶ body ──whole──▶ dispatch_request ──answer──▶ response, and the next head
 *
 * While the answer is outstanding, what the client sends behind the request is kept, up to a bound, and not looked
 * at: so responses leave in the order of the requests.  A client that closes gives the request up.
 */
#pragma once

#include <stddef.h>

#include "proto/http.h"

struct connection;
struct exchange;

/*
 * Begins to read the body, as the head announced it, and calls the method that exchange->frame names when it
 * is whole: now, if there is none.  The exchange is the connection's from now on.
 */
void rpc_begin_take(
    struct connection *connection, struct exchange *exchange, const struct http_head *head);

/* Bytes behind the head, for as long as connection->exchange is set.  As connection_handler.on_data. */
size_t rpc_on_data(struct connection *connection, const char *data, size_t len);
