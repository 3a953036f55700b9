/*
 * Credentials travel in Authorization alone and never in cookies, so Access-Control-Allow-Credentials is not
 * needed.
 */
#include "gateway/cors.h"

#include <stdio.h>

#include "conf/conf.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/respond.h"
#include "proto/origin.h"

/* Another local port is another site too, so loopback is no exception (PROTOCOL section 1). */
bool
cors_is_allowed(struct connection *c, const struct http_head *head)
{
	const struct conf_gateway *conf = &c->gateway->conf->gateway;
	const struct http_header *origin = http_head_find(head, "Origin");

	if (origin == NULL)
		return true;
	if (http_head_count(head, "Origin") != 1)
		return false;
	switch (origin_check(origin->value, head->host, (const char *const *)conf->allowed_origins,
	    conf->allowed_origins_count, stream_is_secure(&c->stream))) {
	case ORIGIN_REFUSED:
		return false;
	case ORIGIN_LISTED:
		c->gateway->allowed_origin = origin->value;
		break;
	case ORIGIN_OWN:
		break;
	}
	return true;
}

/* A page of the Internet asks for a machine of this network, which some browsers let be confirmed. */
static bool
is_from_outside(const struct http_head *head)
{
	return http_head_find(head, "Access-Control-Request-Private-Network") != NULL;
}

void
cors_respond_options(struct connection *c, const struct http_head *head, const char *allow)
{
	char lines[512];
	int n = snprintf(lines, sizeof(lines), "Allow: %s\r\n", allow);

	if (c->gateway->allowed_origin.n > 0 &&
	    http_head_find(head, "Access-Control-Request-Method") != NULL)
		snprintf(lines + n, sizeof(lines) - (size_t)n,
		    "Access-Control-Allow-Methods: %s\r\n"
		    "Access-Control-Allow-Headers: Authorization, Cache-Control, Content-Type, "
		    "Idempotency-Key, Last-Event-ID\r\n"
		    "Access-Control-Max-Age: 600\r\n%s",
		    allow,
		    is_from_outside(head) ? "Access-Control-Allow-Private-Network: true\r\n" : "");
	respond(c, 204, NULL, SPAN(""), lines,
	    head->has_body ? RESPOND_CLOSE : respond_after_of(c, head));
}
