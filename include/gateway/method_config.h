/*
 * The configuration: config.get and config.reload.
 */
#pragma once

#include "gateway/answer.h"
#include "proto/envelope.h"

void method_config_get(const struct answer *to, const struct envelope *frame);
void method_config_reload(const struct answer *to, const struct envelope *frame);
