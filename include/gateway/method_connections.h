/*
 * Built-in methods (PROTOCOL section 6): connections.list, over all workers, and connections.close, on any.
 * Each is a method's run function; see gateway/methods.h for the contract.
 */
#pragma once

#include "gateway/answer.h"
#include "proto/envelope.h"

void method_connections_list(const struct answer *to, const struct envelope *frame);
void method_connections_close(const struct answer *to, const struct envelope *frame);
