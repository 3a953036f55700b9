/*
 * Requests for a reload of the configuration, which the supervisor does and tells the outcome of.
 *
 * A worker has one question under way with the supervisor. Who asks meanwhile is answered by the next
 * one, since each is owed a reload that began after it asked.
 */
#pragma once

#include "base/macros.h"
#include "gateway/answer.h"

struct control_message;
struct gateway;
struct reloads;

/* Creates it; questions go out by the control socket. NULL without memory. */
struct reloads *reloads_new(int control_fd);

/* Frees it; NULL is allowed. No request may wait any more. */
void reloads_free(struct reloads *reloads);

/* Asks for a reload, and answers the request when it is over: now, where it cannot be asked. */
void reloads_ask(struct gateway *gateway, const struct answer *to, uint32_t timeout_ms);

/* CONTROL_OUTCOME has come. Returns 0, or -EBADMSG when it is none or answers no question. */
int reloads_on_outcome(struct gateway *gateway, const struct control_message *message) must_check;
