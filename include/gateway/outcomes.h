/*
 * How the opening of a connection ended, as counted in counters.handshakes and named in /metrics.
 */
#pragma once

struct connection;

enum outcome {
	OUTCOME_OK,	      /* hello-ok */
	OUTCOME_ECHO,	      /* /echo was opened */
	OUTCOME_BAD_REQUEST,  /* no valid HTTP, or no valid upgrade */
	OUTCOME_BAD_ORIGIN,   /* 403 */
	OUTCOME_FULL,	      /* 503, max_connections */
	OUTCOME_BAD_HELLO,    /* hello-error */
	OUTCOME_TIMEOUT,      /* no hello, or no request, in time */
	OUTCOME_LEFT,	      /* a WebSocket ended before it said hello */
	OUTCOME_UNAUTHORIZED, /* no credentials, or wrong ones */
	OUTCOME_BAD_HOST,     /* 403, Host is none of ours */
	OUTCOME_CROWDED,      /* 429, too many of one address */
	OUTCOME_STREAM,	      /* Server-Sent Events were begun */
	OUTCOME_COUNT
};

/* The label: "ok", "bad-hello", …  Static. */
const char *outcome_name(enum outcome outcome);

/* Counts how the opening of this connection ended; what was counted first stands. */
void outcome_settle(struct connection *connection, enum outcome outcome);
