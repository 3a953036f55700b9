/*
 * provider.register and channels.list.
 */
#pragma once

#include "gateway/answer.h"
#include "proto/envelope.h"

void method_provider_register(const struct answer *to, const struct envelope *frame);
void method_channels_list(const struct answer *to, const struct envelope *frame);
