/*
 * Ports are not compared: they are of no help to an attacker, and often others behind a proxy.
 */
#include "gateway/hosts.h"

#include "base/ip.h"
#include "conf/conf.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "proto/uri.h"
#include "sys/sockets.h"

/* An address is ours if the client could reach us by it. */
static bool
is_our_address(const struct connection *c, const struct ip *ip)
{
	struct ip local, bound;

	return ip_is_loopback(ip) ||
	       (socket_local_ip(c->stream.fd, &local) == 0 && ip_is_equal(ip, &local)) ||
	       (ip_parse(span_cstr(c->gateway->conf->gateway.host), &bound) == 0 &&
		   ip_is_equal(ip, &bound));
}

static bool
is_our_name(const struct connection *c, struct span host)
{
	const struct conf_gateway *conf = &c->gateway->conf->gateway;

	if (span_is_equal_nocase(host, SPAN("localhost")) ||
	    span_is_equal_nocase(host, span_cstr(c->gateway->host)) ||
	    span_is_equal_nocase(host, span_cstr(conf->host)))
		return true;
	for (size_t i = 0; i < conf->allowed_hosts_count; i++) {
		if (span_is_equal_nocase(host, span_cstr(conf->allowed_hosts[i])))
			return true;
	}
	return false;
}

bool
host_is_ours(const struct connection *c, const struct http_head *head)
{
	struct uri_authority authority;
	struct span host;
	struct ip ip;

	if (c->local || head->host.n == 0)
		return true;
	if (uri_authority_parse(head->host, &authority) != 0)
		return false;
	host = authority.host;
	if (host.n > 2 && host.p[0] == '[')
		host = span_make(host.p + 1, host.n - 2);
	/* The root's dot: browsers send it where the page was asked for with it. */
	if (host.n > 1 && host.p[host.n - 1] == '.')
		host.n--;
	return is_our_name(c, host) || (ip_parse(host, &ip) == 0 && is_our_address(c, &ip));
}
