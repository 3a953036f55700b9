/*
 * A WebSocket client over one socket: text messages out, text messages in. It answers pings and
 * closes by itself. Every wait has a deadline, in milliseconds of the monotonic clock.
 *
 * A function that fails returns what the program's exit status should be, and leaves in `why` one
 * sentence for people. After that only client_close may be called.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"
#include "cli/status.h"
#include "proto/wsrecv.h"
#include "sys/stream.h"

struct endpoint;

enum { CLIENT_WHY_MAX = 512 };

struct client {
	struct stream stream; /* non-blocking; its descriptor is -1: not connected */
	struct buf in;	      /* received; the first `used` bytes went through recv */
	size_t used;
	struct wsrecv recv;
	bool closing;		  /* our close frame was sent */
	char why[CLIENT_WHY_MAX]; /* empty until something failed */
};

enum client_verdict {
	CLIENT_MESSAGE, /* a text message */
	CLIENT_WAIT,	/* nothing yet: wait until the socket is readable */
	CLIENT_ENDED,	/* the connection is over; why is set */
};

/* Begins a client that is not connected, so that client_close may be called in any case. */
void client_init(struct client *);

/*
 * Connects to the endpoint and upgrades; token (NULL: none) goes along. CLI_OK; CLI_UNREACHABLE,
 * also for what is no gateway; CLI_UNAUTHORIZED; CLI_FAILED without memory.
 */
enum cli_status client_open(
    struct client *, const struct endpoint *, const char *token, uint64_t deadline_ms) must_check;

/* The same over a connected, non-blocking socket, which is taken over, also on failure. */
enum cli_status client_upgrade_take(struct client *, int fd, const struct endpoint *,
    const char *token, uint64_t deadline_ms) must_check;

/* Sends one text message as a whole. CLI_OK, CLI_UNREACHABLE or CLI_FAILED. */
enum cli_status client_send(struct client *, struct span text, uint64_t deadline_ms) must_check;

/* Takes the next message without waiting. ret_text is valid until the next call. */
enum client_verdict client_next(struct client *, struct span *ret_text) must_check;

/*
 * Waits for the next message. CLI_OK; CLI_UNREACHABLE when the connection ended; CLI_FAILED when
 * the deadline passed.
 */
enum cli_status client_receive(
    struct client *, uint64_t deadline_ms, struct span *ret_text) must_check;

/* Sets `why`; what does not fit is cut. */
void client_say(struct client *, const char *fmt, ...) printf_like(2, 3);

/*
 * Closes the connection in the polite order (close frame, the peer's, end) if it still stands,
 * which takes at most a second, and frees everything. `why` stays readable.
 */
void client_close(struct client *);
