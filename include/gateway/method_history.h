/*
 * Built-in methods (PROTOCOL section 6): events.history.
 * It is a method's run function; see gateway/methods.h for the contract.
 */
#pragma once

#include "gateway/answer.h"
#include "proto/envelope.h"

void method_events_history(const struct answer *to, const struct envelope *frame);
