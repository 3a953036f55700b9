/*
 * Jobs: requests that providers of this worker were given, and the providers themselves.
 *
 * A connection becomes a provider by jobs_register and stays one, with or without methods, until it closes. A
 * provider's answer that finds no room in the mailbox of the caller's worker waits here, and the provider is
 * not read meanwhile.
 */
#pragma once

#include <stdbool.h>

#include "base/macros.h"
#include "bus/providers.h"
#include "gateway/answer.h"
#include "gateway/connection.h"
#include "proto/envelope.h"

struct jobs;
struct mail;

/* NULL without memory. */
struct jobs *jobs_new(void);
void jobs_free(struct jobs *jobs);

/*
 * The connection offers this, instead of what it offered before; nothing at all: it leaves. conn_id and slot are
 * filled in. Returns 0; as providers_register; -ENOMEM.
 */
int jobs_register(struct connection *connection, struct provider_offer *offer) must_check;

/* The connection ends: it is no provider any more, and its jobs are told so. */
void jobs_leave(struct connection *connection);

/* Whether the connection has ever registered. */
bool jobs_is_provider(const struct connection *connection);

/* Jobs that the connection was given and has not answered. */
unsigned jobs_count(const struct connection *connection);

/*
 * A provider's response or progress. One for what it was not given, or has answered, or that was cancelled, is
 * counted and ignored; one that is malformed is answered through `to`.
 */
void jobs_response(const struct answer *to, const struct envelope *frame);
void jobs_progress(const struct answer *to, const struct envelope *frame);

/* Mail of the kinds MAIL_CALL and MAIL_CANCEL. */
void jobs_mail(struct gateway *gateway, const struct mail *mail);

/* Sends what waited for room, and asks for more where a provider takes its output again. Each turn. */
void jobs_turn(struct gateway *gateway);

/*
 * Cancels the jobs whose callers' worker has died; those whose answer is kept for others run on until their time is
 * up (now_ms: CLOCK_MONOTONIC). Some times a second.
 */
void jobs_look(struct gateway *gateway, uint64_t now_ms);
