/*
 * From the options that say where the gateway is and who asks (--url, --host, --port, --tls,
 * --cacert, --insecure, --token, --token-file) to an open session. Without an address it is the local socket of this user's
 * gateway, which needs no token; the environment's LURKBOT_GATEWAY_TOKEN goes to TCP addresses only.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"
#include "cli/option.h"
#include "cli/session.h"
#include "cli/status.h"

struct arguments;
struct invocation;

/* The options that a verb which dials takes. */
#define DIAL_OPTIONS                                                                           \
	(OPTION_BIT(OPTION_URL) | OPTION_BIT(OPTION_HOST) | OPTION_BIT(OPTION_PORT) |          \
	    OPTION_BIT(OPTION_TLS) | OPTION_BIT(OPTION_CACERT) | OPTION_BIT(OPTION_INSECURE) | \
	    OPTION_BIT(OPTION_TOKEN) | OPTION_BIT(OPTION_TOKEN_FILE))

/* What the hello subscribes to when no event is wanted. */
#define DIAL_NO_EVENTS SPAN("{\"events\":[]}")

/*
 * Opens a session; subscribe as for session_open. CLI_OK, or an exit status with the reason in
 * ret->client.why, which nobody has printed yet: CLI_USAGE when the options are wrong, else as
 * session_open. ret is to be closed by session_close in any case.
 */
enum cli_status dial(
    const struct invocation *, struct span subscribe, struct session *ret) must_check;

/*
 * Dials, asks, and prints on standard error what went wrong, an error of the gateway included (with
 * --json as JSON). CLI_OK: ret is the result. The session is to be closed in any case.
 */
enum cli_status dial_and_ask(const struct invocation *, const struct request *,
    struct session *ret_session, struct reply *ret) must_check;

/*
 * Prints an answer that is an error on standard error, `CODE: message` or with --json its JSON, and
 * returns the exit status for it.
 */
enum cli_status dial_print_error(const struct reply *, const struct invocation *);

/* Whether the options mean this user's own gateway, by its local socket. */
bool dial_is_local(const struct arguments *);
