/*
 * A conversation with a gateway over the protocol: hello, then requests and events. Failures as in
 * cli/client.h: an exit status, and one sentence in client.why.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"
#include "cli/client.h"
#include "cli/errorshape.h"
#include "cli/status.h"

struct endpoint;

enum { SESSION_OPEN_MS = 15000 }; /* for connecting, upgrade and hello together */

struct session {
	struct client client;
	unsigned requests; /* made so far: their ids */
};

/* What is asked. */
struct request {
	const char *method;
	struct span params;	 /* a JSON object, or empty */
	const char *session_key; /* NULL: none */
	uint32_t timeout_ms;	 /* that the gateway is given; 0: its default */
	/* Told each progress frame's payload, JSON text, as it comes; NULL: they are dropped. */
	void (*on_progress)(struct span payload);
};

/* What was answered. The spans are valid until the session is next used. */
struct reply {
	bool failed;		 /* the answer is an error */
	struct span result;	 /* JSON text; when failed, that of the error */
	struct errorshape error; /* when failed */
};

/* Begins a session that is not open, so that session_close may be called in any case. */
void session_init(struct session *);

/*
 * Connects and says hello. subscribe is the hello's member of that name, a JSON object; empty: left
 * out, and so the gateway's default. CLI_OK; CLI_UNREACHABLE; CLI_UNAUTHORIZED; CLI_FAILED when the
 * hello was refused for another reason.
 */
enum cli_status session_open(
    struct session *, const struct endpoint *, const char *token, struct span subscribe) must_check;

/*
 * Sends a request and waits for its answer; events meanwhile are dropped. CLI_OK: there is one,
 * perhaps an error. CLI_UNREACHABLE: the connection ended before. CLI_FAILED: no answer in time, or
 * no memory.
 */
enum cli_status session_ask(struct session *, const struct request *, struct reply *ret) must_check;

/* Ends the session; client.why stays readable. */
void session_close(struct session *);
