/*
 * A worker changes its configuration between two events.
 */
#pragma once

#include <stdint.h>

#include "base/macros.h"

struct conf;
struct control_message;
struct gateway;

/* Zero-initialised is valid: what was inherited is in force. */
struct reconfigure {
	struct conf *own; /* what was handed over later, and is in force; NULL: nothing was */
};

/* The lengths of deadlines that the configuration in force asks for, DEADLINE_KINDS of them. */
void reconfigure_lengths(const struct conf *conf, uint32_t *ret_length_ms);

/*
 * CONTROL_CONFIG has come: puts the configuration in it in force, for the connections that there are,
 * too, and tells the supervisor; or tells that it could not. Nobody may have kept a pointer into the
 * old one, which is freed. Returns 0, or -errno when the supervisor could not be told or the message
 * is not one of these.
 */
int reconfigure_take(struct reconfigure *reconfigure, struct gateway *gateway, int control_fd,
    const struct control_message *message) must_check;

/* Frees the configuration; what reads it is gone. */
void reconfigure_fini(struct reconfigure *reconfigure);
