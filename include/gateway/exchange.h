/*
 * Calls and jobs together: which mail is whose, and what is done each turn and tick.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct gateway;
struct mail;

/* Creates routes, calls and jobs; false without memory. exchange_fini in any case. */
bool exchange_init(struct gateway *gateway) must_check;
void exchange_fini(struct gateway *gateway);

/* Mail of the kinds of gateway/post.h; other mail is ignored. */
void exchange_mail(struct gateway *gateway, const struct mail *mail);

/* Once each turn of the loop, behind the mail. */
void exchange_turn(struct gateway *gateway);

/* Some times a second (now_ms: CLOCK_MONOTONIC). */
void exchange_tick(struct gateway *gateway, uint64_t now_ms);
