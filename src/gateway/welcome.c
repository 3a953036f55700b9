/*
 * hello in, hello-ok out.  The position that hello-ok names is the last event that this worker has
 * delivered, and the connection joins its audience in the same turn: so delivery begins with the next.
 * One that resumes gets what it missed first, from the ring.
 */
#include "gateway/welcome.h"

#include <errno.h>

#include "base/jsonw.h"
#include "bus/counters.h"
#include "conf/conf.h"
#include "conf/scope.h"
#include "conf/secret.h"
#include "gateway/admission.h"
#include "gateway/audience.h"
#include "gateway/catchup.h"
#include "gateway/context.h"
#include "gateway/dispatch.h"
#include "gateway/greeting.h"
#include "gateway/identity.h"
#include "gateway/methods.h"
#include "gateway/outcomes.h"
#include "gateway/presence.h"
#include "gateway/recent.h"
#include "gateway/refuse.h"
#include "gateway/routes.h"
#include "gateway/visit.h"
#include "gateway/wsock.h"
#include "proto/hello.h"

enum { SNAPSHOT_SESSIONS = 50 };

/* The namespaces of PROTOCOL section 3, in its order. */
static const char *const event_patterns[] = { "agent.*", "session.*", "cron.*", "config.*",
	"channel.*", "skill.*", "hook.*", "gateway.*" };

static void
write_features(const struct gateway *g, const struct identity *identity, struct jsonw *w)
{
	jsonw_key(w, "features");
	jsonw_object(w);
	jsonw_key(w, "methods");
	jsonw_array(w);
	methods_write_names(g, identity, w);
	jsonw_array_end(w);
	jsonw_key(w, "events");
	jsonw_array(w);
	for (unsigned i = 0; i < ARRAY_LEN(event_patterns); i++)
		jsonw_cstr(w, event_patterns[i]);
	jsonw_array_end(w);
	jsonw_object_end(w);
}

static void
write_snapshot(const struct connection *c, struct jsonw *w)
{
	const struct list *at;
	/* What sessions.list would not tell is not told here either. */
	unsigned left = identity_has(c->identity, SCOPE_READ) ? SNAPSHOT_SESSIONS : 0;

	jsonw_key(w, "snapshot");
	jsonw_object(w);
	jsonw_key(w, "sessions");
	jsonw_array(w);
	LIST_FOREACH (at, recent_list(c->gateway->recent)) {
		if (left-- == 0)
			break;
		recent_write(container_of(at, struct recent_session, link), w);
	}
	jsonw_array_end(w);
	jsonw_key(w, "cronJobs");
	jsonw_array(w);
	jsonw_array_end(w);
	jsonw_key(w, "channels");
	if (identity_has(c->identity, SCOPE_READ)) {
		routes_write_channels(c->gateway->routes, w);
	} else {
		jsonw_array(w);
		jsonw_array_end(w);
	}
	jsonw_object_end(w);
}

static void
write_policy(const struct conf_gateway *conf, struct jsonw *w)
{
	jsonw_key(w, "policy");
	jsonw_object(w);
	jsonw_key(w, "maxPayload");
	jsonw_uint(w, conf->max_payload);
	jsonw_key(w, "maxBufferedBytes");
	jsonw_uint(w, conf->max_buffered_bytes);
	jsonw_key(w, "maxInFlight");
	jsonw_uint(w, conf->max_in_flight);
	jsonw_key(w, "pingIntervalMs");
	jsonw_uint(w, conf->ping_interval_ms);
	jsonw_key(w, "pongTimeoutMs");
	jsonw_uint(w, conf->pong_timeout_ms);
	jsonw_object_end(w);
}

static struct greeting_position
position_of(const struct hello *hello)
{
	return (struct greeting_position){ .is_given = hello->has_resume,
		.epoch = hello->resume_epoch,
		.seq = hello->resume_seq };
}

/* Into the gateway's text buffer; false without memory. */
static bool
write_hello_ok(struct connection *c, const struct hello *hello, bool recovered)
{
	const struct greeting_position position = position_of(hello);
	struct gateway *g = c->gateway;
	struct jsonw w;

	buf_reset(&g->text);
	jsonw_init(&w, &g->text);
	jsonw_object(&w);
	jsonw_key(&w, "type");
	jsonw_cstr(&w, "hello-ok");
	jsonw_key(&w, "protocol");
	jsonw_uint(&w, hello->protocol);
	greeting_write_server(c, &w);
	write_features(g, c->identity, &w);
	write_snapshot(c, &w);
	write_policy(&g->conf->gateway, &w);
	greeting_write_resume(g, &position, recovered, &w);
	jsonw_object_end(&w);
	return buf_status(&g->text) == 0;
}

static void
refuse_no_memory(struct connection *c)
{
	refuse_hello(c, ERROR_INTERNAL_ERROR, "out-of-memory", NULL,
	    "The gateway is out of memory; try again later");
}

/*
 * The connection owns the hello, and with it counts as one that was welcomed, only after all that can fail:
 * whoever is announced as disconnected was announced as connected.
 */
static void
accept_hello(struct connection *c, struct hello *hello)
{
	const struct greeting_position position = position_of(hello);
	bool recovered = greeting_is_recovered(c->gateway, &position);

	admission_restrict(c, hello->filter);
	if (!write_hello_ok(c, hello, recovered) ||
	    audience_join_take(c, hello_steal_filter(hello)) != 0) {
		hello_free(hello);
		refuse_no_memory(c);
		return;
	}
	/* Plain: when all come back at once, the time of the processor is what is short. */
	connection_queue_frame(c, WS_TEXT, buf_span(&c->gateway->text));
	if (c->state != CONNECTION_OPEN) {
		hello_free(hello);
		return;
	}
	if (recovered && hello->resume_seq != c->gateway->level_seq)
		catchup_begin(c, hello->resume_seq);
	c->hello = hello;
	outcome_settle(c, OUTCOME_OK);
	visit_know(c);
	c->on_message = dispatch_message;
	wsock_keep_alive(c);
	log_conn_debug(c->id, "hello from %.*s (%.*s %.*s) at %s as %s",
	    SPAN_ARGS(hello->client.id), SPAN_ARGS(hello->client.platform),
	    SPAN_ARGS(hello->client.version),
	    socket_peer_text(&c->peer, (char[SOCKET_TEXT_MAX]){ 0 }), c->identity->name);
	presence_enter(c);
}

/* The hello is ours. */
static void
on_verdict(struct connection *c, struct hello *hello, enum auth_verdict verdict)
{
	if (auth_is_good(verdict)) {
		accept_hello(c, hello);
		return;
	}
	hello_free(hello);
	outcome_settle(c, OUTCOME_UNAUTHORIZED);
	if (verdict == AUTH_NO_MEMORY)
		refuse_no_memory(c);
	else if (verdict == AUTH_LOCKED_OUT)
		refuse_hello_for(c, auth_verdict_sentence(verdict), visit_refused_ms(c) + 1);
	else if (verdict == AUTH_NOT_LINKED)
		refuse_hello(c, ERROR_NOT_LINKED, NULL, "auth", auth_verdict_sentence(verdict));
	else
		refuse_hello(c, ERROR_INVALID_REQUEST, "unauthorized", "auth",
		    auth_verdict_sentence(verdict));
}

static void
on_answer(
    struct connection *c, struct hello *hello, enum auth_verdict verdict, struct identity *identity)
{
	admission_settle_take(c, verdict, identity);
	on_verdict(c, hello, verdict);
}

static void
judge_hello(struct connection *c, struct hello *hello)
{
	enum auth_verdict verdict = admission_check_hello(c, hello, on_answer);

	if (verdict != AUTH_ASKED)
		on_verdict(c, hello, verdict);
}

void
welcome_message(struct connection *c, struct span text, bool binary)
{
	struct envelope_fault fault;
	struct hello *hello = NULL;
	int r = hello_parse(text, &hello, &fault);

	(void)binary;
	/* Whatever becomes of it: credentials may stand in it, and nobody reads it again. */
	secret_wipe(text.p, text.n);
	if (r == 0 && c->gateway->draining) {
		hello_free(hello);
		refuse_hello(
		    c, ERROR_UNAVAILABLE, "shutting-down", NULL, "The gateway is stopping");
	} else if (r == 0) {
		judge_hello(c, hello);
	} else if (r == -EBADMSG) {
		refuse_hello(c, fault.code, fault.reason,
		    fault.field[0] != '\0' ? fault.field : NULL, fault.sentence);
	} else {
		refuse_no_memory(c);
	}
}
