/*
 * Which connections speak TLS, by which certificate, and how often it comes to that.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macros.h"
#include "conf/report.h"
#include "sys/stream.h"

struct conf;
struct gateway;
struct tickets;
struct tls_context;

/* How a connection that should speak TLS began, as counted in counters.tls_handshakes. */
enum secure_result {
	SECURE_FULL,	/* with a handshake */
	SECURE_RESUMED, /* going on where an earlier one had ended */
	SECURE_FAILED,
	SECURE_CLEARTEXT, /* without TLS, which was refused */
	SECURE_RESULTS
};

/* The label: "full", "resumed", …  Static. */
const char *secure_result_name(unsigned result);

/*
 * What the configuration asks for: NULL for no TLS, else what tls_server_new makes. 0; -EINVAL: certificate or
 * key are no good, which secure_judge would have told; -ENOMEM. Given back by tls_context_unref.
 */
int secure_context_new(
    const struct conf *conf, struct tickets *tickets, struct tls_context **ret) must_check;

/* Judges certificate and key for conf_load: see struct conf_request. */
void secure_judge(const struct conf *conf, struct conf_report *report);

/*
 * Makes a stream of a socket that was accepted, and takes it over, also when it fails. Over run/gateway.sock
 * (`is_local`) nobody speaks TLS. 0 or -ENOMEM.
 */
int secure_open(struct gateway *gateway, struct stream *stream, int fd, bool is_local) must_check;

/*
 * As stream_read, into the gateway's read_buffer. How the handshake ended is counted, once: *is_settled says that it
 * was. A peer who does not speak TLS is read as it is from then on, *is_cleartext, to be told so.
 */
ssize_t secure_read(struct gateway *gateway, struct stream *stream, bool *is_settled,
    bool *is_cleartext) must_check;

/* How long the certificate in force is still good for, in seconds; 0: not any more, or there is none. */
uint64_t secure_seconds_left(const struct gateway *gateway);
