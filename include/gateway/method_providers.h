/*
 * provider.register and channels.list.
 */
#pragma once

#include <stdbool.h>

#include "gateway/answer.h"
#include "proto/envelope.h"

/* is_builtin says which names nobody may take. */
void method_provider_register(
    const struct answer *to, const struct envelope *frame, bool (*is_builtin)(struct span name));
void method_channels_list(const struct answer *to, const struct envelope *frame);
