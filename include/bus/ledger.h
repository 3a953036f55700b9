/*
 * The ledger of the connections that have ended: the last 10 000, in shared memory, each with who it was and
 * why it went.
 *
 * Each worker writes a line when it ends a connection, and the supervisor those of a worker that died. Nobody
 * waits for anybody (bus/cells.h), and the lines outlive the death of the whole gateway as the events do. A
 * line, which is the record of a cell:
 *
 *       0         4      6      8       9        10     12         16    20      24
 *       +---------+------+------+-------+--------+------+----------+-----+-------+
 *       | conn_id | slot | code | cause | family | port | messages | lag | spare |
 *       +---------+------+------+-------+--------+------+----------+-----+-------+
 *       | connected_ms | closed_ms | bytes_in | bytes_out | address | texts |
 *       +--------------+-----------+----------+-----------+---------+-------+
 *       24             32          40         48          56        72     176
 *
 * texts: client id, display name and reason, each with its NUL; the last one has what room the others left.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"

/* Why a connection ended. The set is closed; the gateway has names and words for it (gateway/causes.h). */
enum ledger_cause {
	LEDGER_UNKNOWN,		  /* written by a program that had other causes */
	LEDGER_CLIENT,		  /* the client sent a Close frame */
	LEDGER_VANISHED,	  /* its side of the socket ended, or was reset, without one */
	LEDGER_ADMIN,		  /* connections.close */
	LEDGER_SLOW,		  /* events not taken within slow_consumer_timeout_ms */
	LEDGER_STUCK,		  /* an event taken in part, beyond stuck_bytes */
	LEDGER_UNREAD,		  /* answers not taken, until its ping was due */
	LEDGER_HANDSHAKE_TIMEOUT, /* no request, or no hello, within handshake_timeout_ms */
	LEDGER_HELLO_REFUSED,	  /* a hello that is none, or with no version in common */
	LEDGER_UNAUTHORIZED,	  /* no token, or a wrong one */
	LEDGER_RATE,		  /* too many failures to authenticate from its address */
	LEDGER_TOKEN_REVOKED,	  /* the configuration does not know the token any more */
	LEDGER_TOKEN_EXPIRED,
	LEDGER_MAX_CONNECTIONS, /* of the gateway */
	LEDGER_MAX_HANDSHAKES,	/* connections of its address that have not said hello */
	LEDGER_MAX_PER_IP,	/* connections of its address */
	LEDGER_PONG_TIMEOUT,
	LEDGER_MESSAGE_TIMEOUT, /* a message, or a request's head, that was begun and did not end in time */
	LEDGER_PROTOCOL_ERROR, /* frames that RFC 6455 or 7692 forbids, binary messages, bad UTF-8 */
	LEDGER_TOO_BIG,	       /* a message */
	LEDGER_HELLO_TOO_BIG,  /* a hello, or what came before it */
	LEDGER_HEAD_TOO_BIG,   /* the head of a request */
	LEDGER_BAD_FRAMES,     /* too many that are no requests, in a row */
	LEDGER_HTTP_REFUSED,   /* a request, or an upgrade, that was answered with an error */
	LEDGER_DRAIN,	       /* the gateway stopped */
	LEDGER_RETIRE,	       /* its worker retired */
	LEDGER_WORKER_DIED,
	LEDGER_GATEWAY_DIED, /* all of it, and another one found this in the segment */
	LEDGER_SOCKET_ERROR, /* what the kernel said of its socket, or TLS of its bytes */
	LEDGER_INTERNAL,     /* out of memory, and whatever else is our fault */
	LEDGER_HTTP,	     /* an HTTP exchange that went well: counted, and not written down */
	LEDGER_CAUSES
};

enum {
	LEDGER_LINES = 10000,
	LEDGER_ADDRESS_BYTES = 16,
	LEDGER_CLIENT_CAP = 40, /* with the NUL, like the next two */
	LEDGER_DISPLAY_CAP = 32,
	LEDGER_REASON_CAP = 102,
};

#define LEDGER_NOT_KNOWN UINT64_MAX /* of bytes */

/* A line. Texts are valid UTF-8 if those that were set were, and cut at a character. */
struct ledger_line {
	uint32_t conn_id;
	uint16_t slot;			  /* of the worker */
	uint16_t code;			  /* of the Close frame, sent or received; 0: none */
	uint8_t cause;			  /* enum ledger_cause */
	uint8_t family;			  /* AF_INET, AF_INET6 or AF_UNIX; 0: not known */
	uint16_t port;			  /* like the address as sys/sockets.h has them */
	uint32_t messages;		  /* that it sent */
	uint32_t lag;			  /* events that it had not been sent */
	uint64_t connected_ms, closed_ms; /* CLOCK_REALTIME; connected_ms 0: not known */
	uint64_t bytes_in, bytes_out;	  /* by the kernel's count; LEDGER_NOT_KNOWN */
	uint8_t address[LEDGER_ADDRESS_BYTES];
	char client_id[LEDGER_CLIENT_CAP]; /* empty: no hello */
	char display_name[LEDGER_DISPLAY_CAP];
	char reason[LEDGER_REASON_CAP]; /* shorter by what the other two are long */
};

struct ledger; /* a process's view of it; owned by the segment */

/* --- life: for bus/segment alone ---------------------------------------------------------- */

/* Bytes of shared memory. */
uint64_t ledger_bytes(void);
/* A view of that memory; NULL: out of memory. */
struct ledger *ledger_new(void *shared);
void ledger_free(struct ledger *ledger);
void ledger_format(struct ledger *ledger);

/* --- acts --------------------------------------------------------------------------------- */

/* Copies a text into one of a line's, NUL-terminated, cut at a character where it is too long. */
void ledger_set_text(char *ret, size_t cap, struct span text);

/* Writes a line. Never waits; the oldest one goes. */
void ledger_write(const struct ledger *ledger, const struct ledger_line *line);

/* --- questions ---------------------------------------------------------------------------- */

/* The number of the line written last, 0: none; and of the oldest that may still be there. */
uint64_t ledger_last(const struct ledger *ledger);
uint64_t ledger_oldest(const struct ledger *ledger);
/* Reads a line. False: it is not there, since its writer died or others came after it. */
bool ledger_read(const struct ledger *ledger, uint64_t number, struct ledger_line *ret) must_check;
/* The last line about this connection. False: there is none. */
bool ledger_find(const struct ledger *ledger, uint32_t conn_id, struct ledger_line *ret) must_check;
