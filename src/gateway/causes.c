/*
 * The table of causes.  Names are a part of the protocol: none may change its meaning.
 */
#include "gateway/causes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "bus/counters.h"

static_assert((int)LEDGER_CAUSES <= (int)COUNTERS_CAUSES, "each cause has a counter");

static const struct cause causes[LEDGER_CAUSES] = {
	[LEDGER_UNKNOWN] = { "unknown", NULL, "ended for a reason that this version does not know",
	    "Nothing can be said about it; see the log of that time." },
	[LEDGER_CLIENT] = { "client", NULL, "was closed by the client, by a Close frame",
	    "There is nothing to be done: the client meant to leave." },
	[LEDGER_VANISHED] = { "vanished", NULL,
	    "vanished: the client's side of the socket ended without a Close frame",
	    "The client's process ended, its machine lost the network, or something in between "
	    "cut the connection; look there." },
	[LEDGER_ADMIN] = { "admin", NULL, "was closed by an administrator (connections.close)",
	    "Ask whoever has the scope admin." },
	[LEDGER_SLOW] = { "slow-consumer", "gateway.slow_consumer_timeout_ms",
	    "was closed since the client did not take its events in time",
	    "Let the client read faster or subscribe to less, or raise the limit; it can resume "
	    "where it was." },
	[LEDGER_STUCK] = { "stuck-bytes", "gateway.stuck_bytes",
	    "was closed since the client had taken an event in part, and the memory for the rest "
	    "of such events ran out",
	    "Let the client read faster, or raise the limit (or gateway.ring_bytes); it can resume "
	    "where it was." },
	[LEDGER_UNREAD] = { "unread", "gateway.pong_timeout_ms",
	    "was closed since the client left what it had been sent unread, and took nothing for "
	    "too long",
	    "Look why the client stopped reading; it can resume where it was." },
	[LEDGER_HANDSHAKE_TIMEOUT] = { "handshake-timeout", "gateway.handshake_timeout_ms",
	    "was closed since no request, or no hello, came in time",
	    "The client has to send its hello at once; on a slow network raise the limit." },
	[LEDGER_HELLO_REFUSED] = { "hello-refused", NULL, "was closed since its hello was refused",
	    "Mend the hello: the hello-error said which field is wrong." },
	[LEDGER_UNAUTHORIZED] = { "unauthorized", NULL,
	    "was closed since it came without a token, or with a wrong one",
	    "Give the client a token that `lurkbot gateway token check' knows." },
	[LEDGER_RATE] = { "rate", "gateway.auth_failures",
	    "was closed since too many from its address had failed to authenticate",
	    "Mend the client's token and wait until gateway.auth_lockout_ms have passed." },
	[LEDGER_TOKEN_REVOKED] = { "token-revoked", NULL,
	    "was closed since a reload took its token away, or let it do something else",
	    "Give the client a token that is in force; with the same one it may come back if it "
	    "was "
	    "only changed." },
	[LEDGER_TOKEN_EXPIRED] = { "token-expired", NULL, "was closed since its token expired",
	    "Give the client a new token." },
	[LEDGER_MAX_CONNECTIONS] = { "max-connections", "gateway.max_connections",
	    "was refused since the gateway had as many connections as it may have",
	    "Raise the limit, or look who holds so many: lurkbot gateway connections." },
	[LEDGER_MAX_HANDSHAKES] = { "max-handshakes", "gateway.max_handshakes_per_ip",
	    "was refused since too many connections of its address had not said hello",
	    "Let the client say hello at once, or raise the limit; behind a proxy see "
	    "gateway.trusted_proxies." },
	[LEDGER_MAX_PER_IP] = { "max-per-ip", "gateway.max_connections_per_ip",
	    "was refused since its address had too many connections",
	    "Close some of them, or raise the limit; behind a proxy see gateway.trusted_proxies." },
	[LEDGER_PONG_TIMEOUT] = { "pong-timeout", "gateway.pong_timeout_ms",
	    "was closed since the client did not answer a ping",
	    "Its machine sleeps or lost the network, or the client does not answer pings; on a "
	    "slow "
	    "network raise the limit." },
	[LEDGER_MESSAGE_TIMEOUT] = { "message-timeout", "gateway.message_timeout_ms",
	    "was closed since a message that it had begun did not end in time",
	    "Look at the client's network; where it is slow raise the limit." },
	[LEDGER_PROTOCOL_ERROR] = { "protocol-error", NULL,
	    "was closed since the client broke the WebSocket protocol",
	    "The client, or something in between, is at fault." },
	[LEDGER_TOO_BIG] = { "too-big", "gateway.max_payload",
	    "was closed since the client sent a message that is longer than accepted",
	    "Let the client send less at a time, or raise the limit." },
	[LEDGER_HELLO_TOO_BIG] = { "hello-too-big", "gateway.max_hello_bytes",
	    "was closed since the client sent more than may come before its hello",
	    "Let the client's hello be shorter, and come first." },
	[LEDGER_HEAD_TOO_BIG] = { "head-too-big", "gateway.max_header_bytes",
	    "was refused since the head of its request was too long",
	    "Let the client send fewer or shorter headers, or raise the limit or "
	    "gateway.max_header_lines." },
	[LEDGER_BAD_FRAMES] = { "bad-frames", NULL,
	    "was closed since too many of its frames in a row were no requests",
	    "The client is at fault; each of the answers said what was wrong." },
	[LEDGER_HTTP_REFUSED] = { "http-refused", NULL, "was refused before it became a WebSocket",
	    "The answer's status and body say why; see gateway.allowed_origins and "
	    "gateway.allowed_hosts." },
	[LEDGER_DRAIN] = { "drain", NULL, "was closed since the gateway stopped",
	    "The client comes back, and resumes, when the gateway runs again." },
	[LEDGER_RETIRE] = { "retire", NULL,
	    "was closed since its worker retired: fewer were wanted, or it had taken too much "
	    "memory",
	    "The client comes back at once, and resumes with another worker." },
	[LEDGER_WORKER_DIED] = { "worker-died", NULL, "was lost with its worker, which died",
	    "The log says how the worker died; the client comes back and resumes." },
	[LEDGER_GATEWAY_DIED] = { "gateway-died", NULL,
	    "was lost with the whole gateway, which died",
	    "See the system's log for whoever killed it; the client comes back and resumes." },
	[LEDGER_SOCKET_ERROR] = { "socket-error", NULL,
	    "was lost, since its socket, or TLS on it, failed",
	    "The reason is the system's; look at the network and at the client's TLS." },
	[LEDGER_INTERNAL] = { "internal", NULL,
	    "was closed by a failure inside the gateway, such as a lack of memory",
	    "See the log, and how much memory the machine has." },
	[LEDGER_HTTP] = { "http", NULL, "was an HTTP exchange that went well", "" },
};

const struct cause *
cause_at(unsigned cause)
{
	return &causes[cause < LEDGER_CAUSES ? cause : LEDGER_UNKNOWN];
}

const struct cause *
cause_by_name(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		if (span_is(name, causes[i].name))
			return &causes[i];
	return NULL;
}

const char *
cause_name(unsigned cause)
{
	return cause_at(cause)->name;
}

enum ledger_cause
cause_of_http(int status)
{
	switch (status) {
	case 401:
		return LEDGER_UNAUTHORIZED;
	case 408:
		return LEDGER_HANDSHAKE_TIMEOUT;
	case 431:
		return LEDGER_HEAD_TOO_BIG;
	case 429:
		return LEDGER_RATE;
	default:
		return status >= 400 && status < 500 ? LEDGER_HTTP_REFUSED : LEDGER_HTTP;
	}
}

enum ledger_cause
cause_of_stream(int error)
{
	switch (-error) {
	case ENOMEM:
		return LEDGER_INTERNAL;
	case ECONNRESET:
	case EPIPE:
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return LEDGER_VANISHED;
	default:
		return LEDGER_SOCKET_ERROR;
	}
}

enum ledger_cause
cause_of_refusal(const char *reason)
{
	static const struct {
		const char *reason;
		enum ledger_cause cause;
	} known[] = {
		{ "unauthorized", LEDGER_UNAUTHORIZED },
		{ "rate-limited", LEDGER_RATE },
		{ "hello-timeout", LEDGER_HANDSHAKE_TIMEOUT },
		{ "out-of-memory", LEDGER_INTERNAL },
	};

	for (size_t i = 0; reason != NULL && i < ARRAY_LEN(known); i++)
		if (strcmp(reason, known[i].reason) == 0)
			return known[i].cause;
	return LEDGER_HELLO_REFUSED;
}
