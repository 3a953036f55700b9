/*
 * Built-in methods (PROTOCOL section 6): events.publish and events.subscribe.
 * Each is a method's run function; see gateway/methods.h for the contract.
 */
#pragma once

#include "gateway/answer.h"
#include "proto/envelope.h"

void method_events_publish(const struct answer *to, const struct envelope *frame);
void method_events_subscribe(const struct answer *to, const struct envelope *frame);
