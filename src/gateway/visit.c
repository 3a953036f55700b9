/*
 * connection.peer is whom it comes from: where a trusted proxy is in between, each request says that
 * anew, since it may send those of several clients over one connection.
 */
#include "gateway/visit.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "bus/counters.h"
#include "conf/conf.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/limits.h"
#include "gateway/refuse.h"
#include "proto/forwarded.h"
#include "sys/sockets.h"

static const char *const *
proxies(const struct gateway *g)
{
	return (const char *const *)g->conf->gateway.trusted_proxies;
}

static bool
is_proxy(const struct gateway *g, const struct ip *ip)
{
	return forwarded_is_trusted(ip, proxies(g), g->conf->gateway.trusted_proxies_count);
}

/* False: whoever it is has no limits. */
static bool
find_address(const struct connection *c, struct ip *ret)
{
	return !c->local && c->id != 0 && socket_peer_ip(&c->peer, ret) && !ip_is_loopback(ret) &&
	       !is_proxy(c->gateway, ret);
}

const char *
visit_sentence(enum visitors_verdict verdict)
{
	switch (verdict) {
	case VISITORS_TOO_MANY_CONNECTIONS:
		return "Too many connections come from this address (max_connections_per_ip); "
		       "close some of them";
	case VISITORS_TOO_MANY_STRANGERS:
		return "Too many connections from this address have not said hello "
		       "(max_handshakes_per_ip); try again later";
	case VISITORS_COUNTED:
	case VISITORS_UNCOUNTED:
		break;
	}
	return "";
}

static void
count_overlooked(struct gateway *g)
{
	counters_add(&g->counters->limits[LIMIT_ADDRESSES], visitors_take_overlooked(g->visitors));
}

enum visitors_verdict
visit_enter(struct connection *c)
{
	const struct conf_gateway *conf = &c->gateway->conf->gateway;
	const struct visitors_limits limits = { .connections = conf->max_connections_per_ip,
		.strangers = conf->max_handshakes_per_ip };
	enum visitors_verdict verdict;
	struct ip ip;

	if (!find_address(c, &ip))
		return VISITORS_UNCOUNTED;
	verdict = visitors_enter(c->gateway->visitors, &ip, &limits, &c->visitor);
	count_overlooked(c->gateway);
	if (verdict == VISITORS_TOO_MANY_CONNECTIONS) {
		limits_count(c->gateway, LIMIT_CONNECTIONS_PER_IP);
		c->ends_by = LEDGER_MAX_PER_IP;
	}
	if (verdict == VISITORS_TOO_MANY_STRANGERS) {
		limits_count(c->gateway, LIMIT_HANDSHAKES_PER_IP);
		c->ends_by = LEDGER_MAX_HANDSHAKES;
	}
	return verdict;
}

/* The client that this proxy speaks for. A loopback address is on the proxy's machine, not always ours. */
static enum visit_verdict
read_forwarded(struct connection *c, const struct http_head *head, const struct ip *proxy)
{
	struct ip client;

	switch (forwarded_find(
	    head, proxies(c->gateway), c->gateway->conf->gateway.trusted_proxies_count, &client)) {
	case FORWARDED_NONE:
		return VISIT_GOOD;
	case FORWARDED_BAD:
		return VISIT_UNREADABLE;
	case FORWARDED_CLIENT:
		break;
	}
	if (ip_is_loopback(&client) && !ip_is_loopback(proxy))
		return VISIT_UNREADABLE;
	socket_peer_set_ip(&c->peer, &client);
	return VISIT_GOOD;
}

static bool
is_same_address(const struct socket_peer *a, const struct socket_peer *b)
{
	struct ip ip_a, ip_b;

	return socket_peer_ip(a, &ip_a) && socket_peer_ip(b, &ip_b) && ip_is_equal(&ip_a, &ip_b);
}

/* A proxy that comes by a Unix socket is on this machine. */
static bool
proxy_address(const struct socket_peer *peer, struct ip *ret)
{
	static const uint8_t loopback[4] = { 127, 0, 0, 1 };

	if (peer->family != AF_UNIX)
		return socket_peer_ip(peer, ret);
	ip_set_v4(ret, loopback);
	return true;
}

enum visit_verdict
visit_follow(struct connection *c, const struct http_head *head)
{
	struct socket_peer before = c->peer;
	enum visit_verdict verdict;
	struct ip proxy;

	if (c->local || c->gateway->conf->gateway.trusted_proxies_count == 0)
		return VISIT_GOOD;
	socket_peer_get(c->stream.fd, &c->peer);
	if (!proxy_address(&c->peer, &proxy) || !is_proxy(c->gateway, &proxy))
		return VISIT_GOOD;
	verdict = read_forwarded(c, head, &proxy);
	if (verdict != VISIT_GOOD || is_same_address(&before, &c->peer))
		return verdict;
	visitors_leave(c->gateway->visitors, &c->visitor);
	switch (visit_enter(c)) {
	case VISITORS_COUNTED:
	case VISITORS_UNCOUNTED:
		break;
	case VISITORS_TOO_MANY_CONNECTIONS:
	case VISITORS_TOO_MANY_STRANGERS:
		return VISIT_TOO_MANY;
	}
	return VISIT_GOOD;
}

void
visit_know(struct connection *c)
{
	visitors_know(c->gateway->visitors, &c->visitor);
}

void
visit_fail(struct connection *c)
{
	const struct conf_gateway *conf = &c->gateway->conf->gateway;
	const struct visitors_rule rule = { .failures = conf->auth_failures,
		.within_ms = conf->auth_failures_within_ms,
		.refuse_ms = conf->auth_lockout_ms };
	char why[128];
	struct ip ip;
	bool is_refused;

	if (conf->auth_failures == 0 || !find_address(c, &ip))
		return;
	is_refused = visitors_fail(c->gateway->visitors, &ip, &rule);
	count_overlooked(c->gateway);
	if (!is_refused)
		return;
	limits_count(c->gateway, LIMIT_AUTH_FAILURES);
	snprintf(why, sizeof(why),
	    "%" PRIu32 " times it failed to authenticate; its address is refused for %" PRIu32 " s",
	    rule.failures, rule.refuse_ms / 1000);
	refuse_log(c, why);
}

uint64_t
visit_refused_ms(const struct connection *c)
{
	struct ip ip;

	if (!find_address(c, &ip))
		return 0;
	return visitors_refused_ms(c->gateway->visitors, &ip, clock_mono_ms());
}

void
visit_tick(struct gateway *g)
{
	uint32_t round = visitors_round(g->visitors);
	struct list *at;

	if (round == g->visitors_round)
		return;
	LIST_FOREACH (at, &g->connections) {
		struct connection *c = container_of(at, struct connection, link);

		if (!visitors_count_again(g->visitors, &c->visitor))
			return;
	}
	g->visitors_round = round;
}
