/*
 * Directed events: sent to one connection alone, on whichever worker it is (PROTOCOL section 6, events.publish
 * with `to`). They do not stand in the ring, so they have no seq and nobody can resume to them.
 *
 *	publisher's worker ──mail, or at once──▶ the connection's worker ──▶ its output
 *
 * Those of one publisher to one connection arrive in their order. Nothing is told of one that finds its
 * connection at its end.
 */
#pragma once

#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"

struct gateway;
struct mail;
struct publication;

enum { DIRECT_ID_MAX = 40 }; /* of the id that direct_publish tells, terminator included */

/*
 * Sends the event to the connection. Returns 0 and the event's id; -ENOENT: there is no such connection;
 * -EMSGSIZE: larger than a client could have sent; -ENOBUFS, -ETIMEDOUT: its worker does not keep up; -ENOMEM;
 * another -errno when the mailbox is unusable.
 */
int direct_publish(struct gateway *gateway, uint32_t conn_id, const struct publication *publication,
    char ret_id[DIRECT_ID_MAX]) must_check;

/* Takes MAIL_EVENT: another worker's for a connection of this one. */
void direct_on_mail(struct gateway *gateway, const struct mail *mail);
