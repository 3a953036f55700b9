/*
 * logs.tail: the last lines that the gateway's processes have logged.
 */
#pragma once

#include "gateway/answer.h"
#include "proto/envelope.h"

void method_logs_tail(const struct answer *to, const struct envelope *frame);
