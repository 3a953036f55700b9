/*
 * Calls and jobs together: which mail is whose, and what is done each turn and tick.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct gateway;
struct mail;

/* Creates routes, calls and jobs; false without memory. switchboard_fini in any case. */
bool switchboard_init(struct gateway *gateway) must_check;
void switchboard_fini(struct gateway *gateway);

/* Mail of the kinds of gateway/post.h; other mail is ignored. */
void switchboard_mail(struct gateway *gateway, const struct mail *mail);

/* Once each turn of the loop, behind the mail. */
void switchboard_turn(struct gateway *gateway);

/* Some times a second (now_ms: CLOCK_MONOTONIC). */
void switchboard_tick(struct gateway *gateway, uint64_t now_ms);
