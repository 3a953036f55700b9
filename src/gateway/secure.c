/*
 * A context is made anew for each configuration. Connections hold on to the one that they began with.
 */
#include "gateway/secure.h"

#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "bus/counters.h"
#include "conf/conf.h"
#include "gateway/context.h"
#include "sys/tls_context.h"

static_assert((int)SECURE_RESULTS <= (int)COUNTERS_TLS, "each result has a counter");
static_assert((int)CONF_TLS_1_2 == (int)TLS_1_2 && (int)CONF_TLS_1_3 == (int)TLS_1_3,
    "a setting is what sys/tls takes");
static_assert((int)GATEWAY_READ_BYTES >= (int)STREAM_READ_MIN, "a read has room for all that came");

const char *
secure_result_name(unsigned result)
{
	static const char *const names[SECURE_RESULTS] = {
		[SECURE_FULL] = "full",
		[SECURE_RESUMED] = "resumed",
		[SECURE_FAILED] = "failed",
		[SECURE_CLEARTEXT] = "cleartext",
	};

	return names[result];
}

static struct span
span_of(const struct conf_key *key)
{
	return span_make((const char *)key->bytes, key->n);
}

static int
make_context(const struct conf *conf, struct tickets *tickets, struct tls_context **ret,
    struct tls_fault *ret_fault)
{
	const struct tls_server_options options = {
		.cert = span_of(&conf->tls_cert_pem),
		.key = span_of(&conf->tls_key_pem),
		.min_version = (enum tls_version)conf->gateway.tls_min_version,
		.tickets = tickets,
	};

	*ret = NULL;
	return conf->gateway.tls_enabled ? tls_server_new(&options, ret, ret_fault) : 0;
}

int
secure_context_new(const struct conf *conf, struct tickets *tickets, struct tls_context **ret)
{
	struct tls_fault fault;

	return make_context(conf, tickets, ret, &fault);
}

void
secure_judge(const struct conf *conf, struct conf_report *report)
{
	const struct conf_gateway *c = &conf->gateway;
	struct tls_context *context;
	struct tls_fault fault = { 0 };
	int r = make_context(conf, NULL, &context, &fault);

	tls_context_unref(context);
	if (r == -EINVAL)
		conf_report_add(report, fault.is_key ? c->tls_key : c->tls_cert,
		    fault.is_key ? "gateway.tls_key" : "gateway.tls_cert", "%s", fault.text);
	else if (r < 0)
		report->text.failed = true;
}

int
secure_open(struct gateway *g, struct stream *stream, int fd, bool is_local)
{
	stream_init(stream, fd);
	if (is_local || g->tls == NULL)
		return 0;
	stream->tls = tls_accept(g->tls, fd);
	return stream->tls != NULL ? 0 : -ENOMEM;
}

static bool
count(struct gateway *g, enum secure_result result)
{
	counters_add(&g->counters->tls_handshakes[result], 1);
	return true;
}

/* A read returned `n`. False: the handshake has not ended yet. */
static bool
settle(struct gateway *g, const struct stream *stream, ssize_t n)
{
	if (n == -EPROTONOSUPPORT)
		return count(g, SECURE_CLEARTEXT);
	if (stream_is_open(stream))
		return count(g, tls_is_resumed(stream->tls) ? SECURE_RESUMED : SECURE_FULL);
	return n == -EPROTO && count(g, SECURE_FAILED);
}

ssize_t
secure_read(struct gateway *g, struct stream *stream, bool *is_settled, bool *is_cleartext)
{
	ssize_t n = stream_read(stream, g->read_buffer, GATEWAY_READ_BYTES);

	if (!*is_settled)
		*is_settled = settle(g, stream, n);
	if (n != -EPROTONOSUPPORT)
		return n;
	stream_strip(stream);
	*is_cleartext = true;
	return stream_read(stream, g->read_buffer, GATEWAY_READ_BYTES);
}

uint64_t
secure_seconds_left(const struct gateway *g)
{
	uint64_t now_ms = clock_real_ms(), end_ms = g->tls != NULL ? tls_expires_ms(g->tls) : 0;

	return end_ms > now_ms ? (end_ms - now_ms) / 1000 : 0;
}
