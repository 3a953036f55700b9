/*
 * Built-in methods (PROTOCOL section 6): health and status: what the gateway says about itself.
 * Each is a method's run function; see gateway/methods.h for the contract.
 */
#pragma once

#include "gateway/answer.h"
#include "proto/envelope.h"

void method_health(const struct answer *to, const struct envelope *frame);
void method_status(const struct answer *to, const struct envelope *frame);
