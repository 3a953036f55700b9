/*
 * Built-in methods (PROTOCOL section 6): sessions.list: the sessions of which this worker has read messages.
 * Each is a method's run function; see gateway/methods.h for the contract.
 */
#pragma once

#include "gateway/answer.h"
#include "proto/envelope.h"

void method_sessions_list(const struct answer *to, const struct envelope *frame);
